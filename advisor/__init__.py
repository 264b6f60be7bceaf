"""Which quantization of which open-weight model runs on which machine, how well, and at what cost.

    from advisor import ask
    found = ask("model=qwen3-32b&machine=rtx-4090")
    print(found.status, found.sentence, found.plan.level, found.plan.tokens_per_s)

The engine is loaded at the first question, not with this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from advisor.foundation.version import VERSION

if TYPE_CHECKING:
    from advisor.report.from_python import Asked as Asked
    from advisor.report.from_python import ask as ask

__all__ = ["Asked", "ask"]
__version__ = VERSION


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from advisor.report import from_python

    return getattr(from_python, name)
