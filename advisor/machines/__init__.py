"""Where a model runs: the catalogue of machines and what each can give to a runtime."""
