"""The programs that run a model: what each supports, its settings, its memory and its commands."""
