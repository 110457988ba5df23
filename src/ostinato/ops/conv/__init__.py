"""The causal dilated convolution."""
