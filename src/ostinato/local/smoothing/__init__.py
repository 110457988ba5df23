"""How exponential smoothing is fitted to a panel: first states, coordinates, the search, and what follows ahead."""
