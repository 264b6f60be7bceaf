"""SGLang: the weights of a GPU as in vLLM, and a pool of tokens of its own."""
