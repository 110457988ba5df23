"""What every fit shares, of the ladder and of a direct forecaster: its budget, its threads, its record, its result."""
