"""The operators of the library: for each kind of cell a reference, and faster implementations with its signature."""
