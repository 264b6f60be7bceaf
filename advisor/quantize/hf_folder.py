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
        raise InputError("The folder {path} cannot be read.", path=path.name) from None
    if len(files) > _MAX_FILES:
        raise InputError(
            "The folder {path} holds more than {max_files:,} files; no model does.",
            path=path.name,
            max_files=_MAX_FILES,
        )
    _refuse_programs(path, files)
    config = _json(path / "config.json")
    if "quantization_config" in config:
        raise InputError(
            "{path} is already quantized ('quantization_config' in its config.json); give the original.", path=path.name
        )
    model = model_from_config(config)
    tensors: dict[str, Placed] = {}
    for file in files:
        if file.suffix.lower() == ".safetensors":
            _add_tensors(file, tensors)
    if not tensors:
        raise InputError("{path} holds no safetensors weights.", path=path.name)
    return ModelFolder(path, config, model, tensors)


def _refuse_programs(path: Path, files: list[Path]) -> None:
    for file in files:
        ending = file.suffix.lower()
        if ending in _PROGRAMS:
            raise InputError(
                "{path} brings a program along ({file}); such folders are refused.",
                path=path.name,
                file=one_line(file.name),
            )
        if ending in _PICKLES:
            raise InputError(
                "{path} holds weights in a format that can run programs ({file}); give a folder with safetensors only.",
                path=path.name,
                file=one_line(file.name),
            )
        if ending == ".json" and file.stat().st_size <= _MAX_JSON_BYTES and b'"auto_map"' in file.read_bytes():
            raise InputError(
                "{file} in {path} names a program to load ('auto_map'); such folders are refused.",
                file=one_line(file.name),
                path=path.name,
            )


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise InputError(
                "{path} is larger than {max_json_bytes} MiB.", path=path.name, max_json_bytes=_MAX_JSON_BYTES >> 20
            )
        found = json.loads(path.read_text("utf-8"))
    except OSError:
        raise InputError("{parent} holds no readable {path}.", parent=path.parent.name, path=path.name) from None
    except (ValueError, RecursionError):
        raise InputError("{path} in {parent} is not valid JSON.", path=path.name, parent=path.parent.name) from None
    if not isinstance(found, dict):
        raise InputError("{path} in {parent} must hold one JSON object.", path=path.name, parent=path.parent.name)
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
            raise InputError(
                "'{tensor}' is in {file} and in another file of its folder.", tensor=tensor.name[:80], file=file.name
            )
        tensors[tensor.name] = Placed(tensor, file, 0)
    header = json.loads(read(8, 8 + length))
    for name, entry in header.items():
        if name != "__metadata__":
            first, last = entry["data_offsets"]
            tensors[name] = Placed(tensors[name].tensor, file, 8 + length + first)
            end = max(end, 8 + length + last)
    if file.stat().st_size < end:
        raise InputError(
            "{file} is cut off: {st_size:,} of {end:,} bytes; download it again.",
            file=file.name,
            st_size=file.stat().st_size,
            end=end,
        )
