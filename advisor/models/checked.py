"""On which architectures the engine has been compared with llama.cpp, and by how many rows: only they are "checked".

`data/checked_architectures.csv` counts the rows of `tests/truth/`; `python -m tests.support.checked` writes it, and
a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, NonNegativeInt

from advisor.foundation.csv_rows import Filled, read_rows
from advisor.foundation.places import data_folder
from advisor.models.model import Model

CHECKED_FILE = data_folder() / "checked_architectures.csv"


class Checked(BaseModel):
    """Rows that llama.cpp printed about models of one architecture, which the engine's figures are held to.

    `sizes`: tensor bytes of whole files. `memory`: weights, cache and compute buffer of a device. `placed`: the same
    for splits by share, offload and KV cache on the host. `tensor_split`: weights and cache with `-sm tensor`.
    """

    model_config = ConfigDict(defer_build=True, frozen=True)

    architecture: Filled
    models: NonNegativeInt
    sizes: NonNegativeInt
    memory: NonNegativeInt
    placed: NonNegativeInt
    tensor_split: NonNegativeInt
    as_of: Filled
    source: Filled


@cache
def checked_architectures() -> Mapping[str, Checked]:
    """By llama.cpp's name; raises DataError for a broken row."""
    return read_checked(CHECKED_FILE)


def read_checked(path: Path) -> Mapping[str, Checked]:
    """A table of that form; raises DataError for a broken row."""
    return MappingProxyType({row.architecture: row for row in read_rows(path, Checked, ("architecture",))})


def checked(model: Model) -> Checked | None:
    """What models of this architecture were compared by; None where nothing was, as for those llama.cpp cannot run."""
    return None if model.runtime_note else checked_architectures().get(model.architecture)
