"""A model folder as published on the Hub, checked before anything in it is used.

Such folders can carry programs: Python files that loaders run, and pickles, which are programs too. Only safetensors
weights and JSON are accepted, and nothing from the folder is ever executed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from advisor.foundation.errors import InputError, one_line
from advisor.models.blueprints import model_from_config
from advisor.models.model import Model
from advisor.sources.reading import read_from_path
from advisor.sources.safetensors_header import CheckpointTensor, read_safetensors_header

_PROGRAMS = (".py", ".pyc", ".so", ".dll", ".sh")
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".h5", ".msgpack")
_MAX_JSON_BYTES = 64 << 20
_MAX_FILES = 10_000


@dataclass(frozen=True, slots=True)
class Placed:
    """A checkpoint's tensor and where its bytes lie."""

    tensor: CheckpointTensor
    file: Path
    offset: int


@dataclass(frozen=True)
class ModelFolder:
    """A folder that passed the checks."""

    path: Path
    config: Mapping[str, Any]
    model: Model
    tensors: Mapping[str, Placed]

    @cached_property
    def weight_bytes(self) -> int:
        return sum(placed.tensor.bytes for placed in self.tensors.values())

    def raw(self, name: str) -> npt.NDArray[np.uint8]:
        """A tensor's bytes, not read before they are used."""
        placed = self.tensors[name]
        return np.memmap(placed.file, np.uint8, "r", placed.offset, (placed.tensor.bytes,))


def open_folder(path: Path) -> ModelFolder:
    """Check a folder and read the headers in it; raises InputError in one sentence."""
    try:
        files = sorted(file for file in path.iterdir() if not file.is_dir())
    except OSError:
        raise InputError(f"The folder {path.name} cannot be read.") from None
    if len(files) > _MAX_FILES:
        raise InputError(f"The folder {path.name} holds more than {_MAX_FILES:,} files; no model does.")
    _refuse_programs(path, files)
    config = _json(path / "config.json")
    if "quantization_config" in config:
        raise InputError(
            f"{path.name} is already quantized ('quantization_config' in its config.json); give the original."
        )
    model = model_from_config(config)
    tensors: dict[str, Placed] = {}
    for file in files:
        if file.suffix.lower() == ".safetensors":
            _add_tensors(file, tensors)
    if not tensors:
        raise InputError(f"{path.name} holds no safetensors weights.")
    return ModelFolder(path, config, model, tensors)


def _refuse_programs(path: Path, files: list[Path]) -> None:
    for file in files:
        ending = file.suffix.lower()
        if ending in _PROGRAMS:
            raise InputError(f"{path.name} brings a program along ({one_line(file.name)}); such folders are refused.")
        if ending in _PICKLES:
            raise InputError(
                f"{path.name} holds weights in a format that can run programs ({one_line(file.name)}); "
                "give a folder with safetensors only."
            )
        if ending == ".json" and file.stat().st_size <= _MAX_JSON_BYTES and b'"auto_map"' in file.read_bytes():
            raise InputError(
                f"{one_line(file.name)} in {path.name} names a program to load ('auto_map'); such folders are refused."
            )


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise InputError(f"{path.name} is larger than {_MAX_JSON_BYTES >> 20} MiB.")
        found = json.loads(path.read_text("utf-8"))
    except OSError:
        raise InputError(f"{path.parent.name} holds no readable {path.name}.") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path.name} in {path.parent.name} is not valid JSON.") from None
    if not isinstance(found, dict):
        raise InputError(f"{path.name} in {path.parent.name} must hold one JSON object.")
    return found


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """A JSON object that may be missing."""
    return _json(folder / name) if (folder / name).is_file() else {}


def _add_tensors(file: Path, tensors: dict[str, Placed]) -> None:
    read = read_from_path(file)
    length = int.from_bytes(read(0, 8), "little")
    end = 8 + length
    for tensor in read_safetensors_header(read, file.name):
        if tensor.name in tensors:
            raise InputError(f"'{tensor.name[:80]}' is in {file.name} and in another file of its folder.")
        tensors[tensor.name] = Placed(tensor, file, 0)
    header = json.loads(read(8, 8 + length))
    for name, entry in header.items():
        if name != "__metadata__":
            first, last = entry["data_offsets"]
            tensors[name] = Placed(tensors[name].tensor, file, 8 + length + first)
            end = max(end, 8 + length + last)
    if file.stat().st_size < end:
        raise InputError(f"{file.name} is cut off: {file.stat().st_size:,} of {end:,} bytes; download it again.")
