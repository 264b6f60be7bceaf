"""Timings, run by hand: `python -m tests.benchmarks.engine`. The test suite never asserts on wall time."""
