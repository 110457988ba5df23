"""Short series of two competitions with known answers: the local methods beside the peers."""
