"""LLM Fit Advisor: which quantization of which model fits on which machine, and at what cost."""

__version__ = "0.1.0"
