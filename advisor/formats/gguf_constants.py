"""The constants of the package gguf, of which all else (vocabularies, writers) takes ten times as long to load.

Its file of constants is loaded by itself, under its own name: whoever imports the package later gets the same objects.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

_NAME = "gguf.constants"


def _load_constants() -> None:
    package = find_spec("gguf")
    if _NAME in sys.modules or package is None or package.origin is None:
        return
    alone = spec_from_file_location(_NAME, Path(package.origin).with_name("constants.py"))
    if alone is None or alone.loader is None:
        return
    module = sys.modules[_NAME] = module_from_spec(alone)
    try:
        alone.loader.exec_module(module)
    except BaseException:
        del sys.modules[_NAME]
        raise


if TYPE_CHECKING:
    from gguf.constants import (
        GGUF_DEFAULT_ALIGNMENT,
        GGUF_MAGIC,
        GGUFValueType,
        LlamaFileType,
    )
else:
    _load_constants()
    _constants = sys.modules[_NAME] if _NAME in sys.modules else __import__(_NAME, fromlist=["*"])
    GGUF_DEFAULT_ALIGNMENT, GGUF_MAGIC = _constants.GGUF_DEFAULT_ALIGNMENT, _constants.GGUF_MAGIC
    GGUFValueType, LlamaFileType = _constants.GGUFValueType, _constants.LlamaFileType

__all__ = [
    "GGUF_DEFAULT_ALIGNMENT",
    "GGUF_MAGIC",
    "GGUFValueType",
    "LlamaFileType",
]
