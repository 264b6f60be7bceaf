"""LLM Fit Advisor: which quantization of which model fits on which machine, and at what cost."""

from advisor.foundation.version import VERSION

__version__ = VERSION
