"""The same task with another library and with ostinato: lines, seconds and errors."""
