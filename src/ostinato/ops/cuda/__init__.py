"""Our kernels for NVIDIA GPUs: compiled by NVRTC at first use, kept on disk, launched by the driver."""
