"""How much memory a model takes where: placement, KV cache, compute buffers, and the plan made of them."""
