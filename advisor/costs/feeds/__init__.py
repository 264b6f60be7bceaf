"""Public feeds that refresh the price tables."""
