"""The commands of ostinato, one file each."""
