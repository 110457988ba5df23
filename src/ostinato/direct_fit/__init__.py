"""How a direct forecaster is fitted and chosen."""
