"""Models from single files: a GGUF file on disk, uploaded or behind a link, and a config.json."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from advisor.formats.gguf_other_types import OtherType
from advisor.foundation.errors import InputError, one_line, printable
from advisor.foundation.message import Message, sentence
from advisor.models.blueprints import model_from_config
from advisor.models.model import Model
from advisor.sources.gguf_file import GgufHeader, join_splits
from advisor.sources.gguf_header import read_gguf_header
from advisor.sources.gguf_model import model_of
from advisor.sources.other_files import refuse_other_formats
from advisor.sources.raw_parts import piece_of
from advisor.sources.reading import read_from_bytes, read_from_path
from advisor.sources.remote import LinkedFile
from advisor.sources.resolved import ResolvedModel, today
from advisor.sources.stored_file import StoredFile, stored_file

MAX_CONFIG_BYTES = 4 << 20
_QUANTIZED = "quantization"
SPLIT_NAME = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$", re.IGNORECASE)


def from_config_text(text: str, name: str = "config.json") -> ResolvedModel:
    """A pasted or uploaded config.json."""
    if len(text) > MAX_CONFIG_BYTES:
        raise InputError(
            "{name} is larger than {max_config_bytes} MiB, which no config.json is.",
            name=name,
            max_config_bytes=MAX_CONFIG_BYTES >> 20,
        )
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError("{name} is not valid JSON.", name=name) from None
    model = model_from_config(raw)
    return ResolvedModel(
        id=text,
        name=name,
        model=model,
        source=sentence("Computed from {name}; nothing to compare it with.", name=name),
        as_of=today(),
        notes=_packed(model, raw) if _QUANTIZED in text else (),
    )


def _packed(model: Model, config: dict[str, Any]) -> tuple[Message, ...]:
    # Late: most configs are of 16-bit weights, and what packings there are is told by many tables.
    from advisor.sources.declared_size import declared_notes

    return declared_notes(model, config)


def from_gguf_bytes(content: bytes, name: str) -> ResolvedModel:
    """An uploaded GGUF file, or as much of its beginning as holds the header."""
    return from_header(read_gguf_header(read_from_bytes(content), name), name, name)


def is_local_file(text: str) -> bool:
    """Whether a text is the path of a file on this machine, whatever else it may be."""
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a name, or in a folder that may not be looked into
        return False


def from_path(text: str) -> ResolvedModel:
    """A config.json or a GGUF file (any part of a split one) on this machine; the first bytes tell which."""
    try:
        return _from_path(Path(text).expanduser())
    except (OSError, RuntimeError):  # of the disk, or a home folder that nobody has
        raise InputError("The file {words} cannot be read.", words=one_line(Path(text).name)) from None


def _from_path(path: Path) -> ResolvedModel:
    if not is_local_file(str(path)):
        raise InputError(
            "There is no file {path}; give a catalogue id, a Hub repository, or the path of a "
            "config.json or GGUF file.",
            path=one_line(path.name),
        )
    first, size = _first_piece(path)
    beginning = read_from_path(first)(0, 16)
    if beginning[:4] == b"GGUF":
        return from_header(_header_on_disk(path, first, size), str(path), path.name)
    refuse_other_formats(beginning, path.name)
    if path.suffix.lower() == ".gguf":
        raise InputError("{path}: this is not a GGUF file: it does not begin with 'GGUF'.", path=path.name)
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise InputError(
                "{path} is larger than {max_config_bytes} MiB, which no config.json is.",
                path=path.name,
                max_config_bytes=MAX_CONFIG_BYTES >> 20,
            )
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise InputError("{path} cannot be read as a text file.", path=path.name) from None
    return from_config_text(text, path.name)


def _header_on_disk(path: Path, first: Path, size: int) -> GgufHeader:
    parts = _parts_on_disk(path)
    if len(parts) == 1:
        header = read_gguf_header(read_from_path(first), path.name).in_file_of(size)
        return join_splits([header]) if header.split_count > 1 else header
    return join_splits(
        [read_gguf_header(read_from_path(part), part.name).in_file_of(part.stat().st_size) for part in parts]
    )


def _first_piece(path: Path) -> tuple[Path, int]:
    """Where the header of a file lies that may be cut into pieces, and how long all its pieces are that are here."""
    piece = piece_of(path.name)
    if piece is None:
        return path, path.stat().st_size
    beside = {found[1]: one for one in path.parent.iterdir() if (found := piece_of(one.name)) and found[0] == piece[0]}
    if 1 not in beside:
        raise InputError(
            "{path} is a piece of {piece}, and the first one is not beside it; give that one.",
            path=path.name,
            piece=piece[0],
        )
    return beside[1], sum(one.stat().st_size for one in beside.values())


def _parts_on_disk(path: Path) -> list[Path]:
    split = SPLIT_NAME.search(path.name)
    if split is None:
        return [path]
    stem = path.name[: split.start()]
    parts = [
        path.with_name(f"{stem}-{number:05}-of-{split[2]}.gguf") for number in range(1, min(int(split[2]), 999) + 1)
    ]
    missing = [part.name for part in parts if not is_local_file(str(part))]
    if missing:
        raise InputError(
            "{path} is one of {count} parts, and {missing} is not beside it; give all parts one folder.",
            path=path.name,
            count=len(parts),
            missing=missing[0],
        )
    return parts


def from_link(url: str, allow_local: bool = False) -> ResolvedModel:
    """A GGUF file on any host but the Hub."""
    if not url.lower().startswith(("https://", "http://")) or (url.lower().startswith("http://") and not allow_local):
        raise InputError("Only https links are followed; give one that begins with https://.")
    remote = LinkedFile(url, allow_local)
    if SPLIT_NAME.search(remote.name):
        raise InputError(
            "{remote} is one part of a split file; from other hosts than the Hub only whole files are read.",
            remote=remote.name,
        )
    header = read_gguf_header(remote.read, remote.name)
    return from_header(header.in_file_of(remote.size), url, remote.name)


def from_header(header: GgufHeader, reference: str, name: str) -> ResolvedModel:
    found = model_of(header)
    file = stored_file(header)
    notes = [
        sentence(
            "This is {file} itself, {file_bytes:gb} at its own types; levels without 'this file' are "
            "llama.cpp's stock mixes.",
            file=file.name,
            file_bytes=file.file_bytes,
        )
    ]
    notes += file_notes(header, file)
    if found.comparison is not None and not found.comparison.agrees:
        notes.append(found.note)
    return ResolvedModel(
        id=reference,
        name=printable(header.text("general.name")[:80]).strip() or printable(name),
        model=found.model,
        source=sentence("From the file's own header. {note}", note=found.note),
        license=printable(header.text("general.license")[:60]),
        as_of=today(),
        notes=tuple(notes),
        file=file,
    )


def file_notes(header: GgufHeader, file: StoredFile) -> list[Message]:
    """What keeps a runtime from loading the file as it is."""
    notes = []
    if header.missing_bytes:
        notes.append(
            sentence(
                "{file} is {missing_bytes:gb} shorter than its header promises: its download or copy broke "
                "off, or it is one piece of several. No runtime loads it so; the figures are those of the "
                "whole file.",
                file=file.name,
                missing_bytes=header.missing_bytes,
            )
        )
    if file.loaded_only_by:
        types = [kind for kind in header.bytes_by_type if kind in OtherType.__members__]
        notes.append(
            sentence(
                "{file} holds tensors of type {types}, which only {loaded_only_by} loads: what is said here "
                "about other runtimes is not about this file.",
                file=file.name,
                types=", ".join(types[:4]),
                loaded_only_by=file.loaded_only_by,
            )
        )
    return notes
