"""The families of distributions in a graph: the nats of a value, the mean and the quantiles, in float64."""
