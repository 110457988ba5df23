"""Methods that are fitted to each series of a panel on its own, and their combination."""
