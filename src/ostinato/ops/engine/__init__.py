"""The compiled engine (csrc/) as torch operators, and the description of what it is given."""
