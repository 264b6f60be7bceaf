"""vLLM: tensors split over all GPUs, and a pool of pages for the KV cache."""
