"""The dashboard in several processes behind a proxy: one process computes on one core."""
