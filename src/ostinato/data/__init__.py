"""Reading, checking, splitting and batching of sequences."""
