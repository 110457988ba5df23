"""The tests of scale, in a package: the cluster that they share ends with them, not with the whole run."""
