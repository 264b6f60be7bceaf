"""What can be quantized here, and what a run of it will need. Knows no Streamlit."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import size_level
from advisor.foundation.errors import InputError
from advisor.models.catalogue import catalogue
from advisor.models.model import Model
from advisor.quantize.allowed import QuantizeSettings
from advisor.quantize.compress import RECIPES
from advisor.quantize.gguf_source import open_gguf_source
from advisor.quantize.hf_folder import open_folder
from advisor.quantize.measure import reference_bytes
from advisor.quantize.run_request import RunRequest, check_request, local_folder
from advisor.quantize.steps import SPARE_BYTES

MADE_LEVELS = tuple(level.name for level in LEVELS.values() if not level.native_only)
_MOST_LISTED = 200


def compressed_levels(method: str) -> tuple[str, ...]:
    """What llmcompressor makes by one of its modifiers."""
    return tuple(name for name, recipes in RECIPES.items() if any(recipe.modifier == method for recipe in recipes))


def needs_matrix(level: str) -> bool:
    return level in LEVELS and LEVELS[level].needs_imatrix


@dataclass(frozen=True, slots=True)
class Need:
    """Disk that a run takes at most and what is free, in bytes; None where the model is not known before it is read.

    `without_matrix` are the chosen levels that cannot be made without an importance matrix.
    """

    bytes: int | None
    free: int
    without_matrix: tuple[str, ...]


def request_of(**fields: object) -> RunRequest:
    """A request from what a form holds; raises InputError."""
    try:
        return RunRequest.model_validate(fields)
    except ValidationError as error:
        if any("levels" in found["loc"] for found in error.errors()):
            raise InputError("Choose at least one level.") from None
        raise InputError("This cannot be run: {errors}.", errors=error.errors()[0]["msg"]) from None


def allowed_sources(folders: Sequence[Path]) -> dict[str, str]:
    """Model folders and GGUF files at the top of the allowed folders: what each is called, by its path."""
    found: dict[str, str] = {}
    for folder in folders:
        try:
            inside = sorted(folder.iterdir())[: 10 * _MOST_LISTED]
        except OSError:
            continue
        for path in (folder, *inside):
            if path.suffix == ".gguf" or (path / "config.json").is_file():
                found[str(path)] = folder.name if path == folder else f"{folder.name}/{path.name}"
    return dict(list(found.items())[:_MOST_LISTED])


def model_of(request: RunRequest, settings: QuantizeSettings) -> Model | None:
    """The model to be quantized; None where it is not on this machine. Raises InputError where it cannot be used."""
    if request.source == "hub":
        entries = (entry for entry in catalogue().values() if entry.hf_repo == request.location)
        return next((entry.model for entry in entries), None)
    path = local_folder(request, settings)
    changed = path.stat().st_mtime_ns
    return _gguf_model(path, changed) if request.source == "gguf" else _folder_model(path, changed)


@lru_cache(maxsize=16)
def _folder_model(path: Path, _changed: int) -> Model:
    return open_folder(path).model


@lru_cache(maxsize=16)
def _gguf_model(path: Path, _changed: int) -> Model:
    return open_gguf_source(path).model


def need_of(request: RunRequest, settings: QuantizeSettings) -> Need:
    """Check a request and say what it will take; raises InputError for what can be seen to be impossible."""
    check_request(request, settings)
    lacking = () if request.matrix else tuple(name for name in request.levels if needs_matrix(name))
    model = model_of(request, settings)
    if model is None:
        return Need(None, _free(settings.output), lacking)
    gguf, original = request.method == "gguf", size_level(model, LEVELS["F16"]).file_bytes
    sizes = [original] * len(request.levels)  # at most, where llmcompressor makes them
    if gguf:
        sizes = [size_level(model, level, bool(request.matrix)).file_bytes for level in request.chosen_levels]
    total = sum(sizes) if request.keep_files else max(sizes)
    if request.source == "hub":
        total += original  # the download
    if gguf and request.source != "gguf":
        total += original  # the conversion
    if gguf and request.measure and model.causal:
        total += reference_bytes(model.context_length, model.vocabulary, request.chunks)
    return Need(total + SPARE_BYTES, _free(settings.output), lacking)


def _free(folder: Path) -> int:
    there = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    return shutil.disk_usage(there).free
