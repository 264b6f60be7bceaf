"""Where a model comes from besides the catalogue: the Hugging Face Hub, GGUF files, a config.json, or just a size."""
