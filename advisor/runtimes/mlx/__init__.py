"""mlx-lm on Apple silicon."""
