"""Short series of two competitions with known answers: the local methods against the peers."""
