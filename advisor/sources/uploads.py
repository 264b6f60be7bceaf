"""What people upload or paste: a GGUF file's header or a config.json, kept for a while under an id of its content.

Of a GGUF file only the header is kept. The id stands in links, so it must not be guessable: 80 bits of a hash.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import time
import zlib
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from advisor.foundation.errors import InputError, printable
from advisor.sources.cache import cache_folder, replace_file
from advisor.sources.files import MAX_CONFIG_BYTES, from_config_text, from_header
from advisor.sources.gguf_file import GgufHeader
from advisor.sources.gguf_header import read_gguf_header
from advisor.sources.other_files import refuse_other_formats
from advisor.sources.reading import CutOff, read_from_bytes
from advisor.sources.resolved import ResolvedModel

KEPT_DAYS = 30  # since it was last opened
_ID = re.compile(r"upload-[0-9a-f]{20}")
_FOLDER = "uploads"
_MOST_FILES = 200
_MOST_BYTES = 100 << 20  # all of them together, packed
_MOST_KEPT_BYTES = 16 << 20  # one of them, unpacked
_MOST_IN_MEMORY = 20
_in_memory: OrderedDict[str, bytes] = OrderedDict()  # where nothing may be kept on disk


@dataclass(frozen=True)
class Upload:
    """Either the text of a config.json or the header of a GGUF file."""

    name: str
    config: str | None = None
    header: GgufHeader | None = None

    def model(self) -> ResolvedModel:
        """The model in it; its `id` is still the name."""
        if self.header is not None:
            return from_header(self.header, self.name, self.name)
        return from_config_text(self.config or "", self.name)


_UPLOAD = TypeAdapter(Upload)


def is_upload(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def keep_file(content: bytes, name: str) -> str:
    """Keep an uploaded GGUF file (or its beginning) or config.json; returns its id, raises InputError."""
    name = printable(name.replace("\\", "/").rpartition("/")[2][-100:]).strip() or "Your file"
    if content[:4] == b"GGUF" or name.lower().endswith(".gguf"):
        return _keep(Upload(name, header=_header(content, name)))
    refuse_other_formats(content[:16], name)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("{name} is neither a GGUF file nor a config.json; upload one of these.", name=name) from None
    return keep_config(text, name)


def keep_config(text: str, name: str = "Your config.json") -> str:
    """Keep the text of a config.json; returns its id, raises InputError."""
    if len(text) > MAX_CONFIG_BYTES:
        raise InputError(
            "{name} is larger than {max_config_bytes} MiB, which no config.json is.",
            name=name,
            max_config_bytes=MAX_CONFIG_BYTES >> 20,
        )
    return _keep(Upload(name, config=text.strip()))


def find_upload(upload_id: str) -> ResolvedModel:
    """The model of an upload; raises InputError where it is not kept any more."""
    found = _load(upload_id)
    return replace(found.model(), id=upload_id)


def name_of_upload(upload_id: str) -> str:
    """The name its file had, or the id where it is not kept any more."""
    try:
        return _load(upload_id).name
    except InputError:
        return upload_id


def _header(content: bytes, name: str) -> GgufHeader:
    try:
        header = read_gguf_header(read_from_bytes(content), name)
    except CutOff:
        raise InputError(
            "{name} ends within its header, after {count:,} bytes; upload more of its beginning, or give "
            "its link or its config.json.",
            name=name,
            count=len(content),
        ) from None
    if header.split_count > 1:
        raise InputError(
            "{name} is one of {split_count} parts; give the link of a part, or the config.json of the model.",
            name=name,
            split_count=header.split_count,
        )
    return header


def _keep(upload: Upload) -> str:
    upload.model()  # what is no model is not kept
    content = _UPLOAD.dump_json(upload)
    if len(content) > _MOST_KEPT_BYTES:
        raise InputError("The header of {upload} is larger than that of any real model.", upload=upload.name)
    upload_id = f"upload-{hashlib.sha256(content).hexdigest()[:20]}"
    packed = gzip.compress(content, compresslevel=5)
    try:
        path = _path(upload_id)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, packed)
            _tidy(path.parent)
            return upload_id
    except OSError:
        pass
    _in_memory[upload_id] = packed
    while len(_in_memory) > _MOST_IN_MEMORY:
        _in_memory.popitem(last=False)
    return upload_id


def _load(upload_id: str) -> Upload:
    path = _path(upload_id) if is_upload(upload_id) else None
    try:
        if upload_id in _in_memory:
            packed = _in_memory[upload_id]
        elif path is not None and path.stat().st_mtime > _oldest():
            packed = path.read_bytes()
            path.touch()
        else:
            raise FileNotFoundError
        return _UPLOAD.validate_json(gzip.decompress(packed))
    except (OSError, EOFError, zlib.error, ValueError):
        raise InputError(
            "This link is about a file that was uploaded here and is not kept any more; upload it again."
        ) from None


def _path(upload_id: str) -> Path | None:
    folder = cache_folder()
    return None if folder is None else folder / _FOLDER / f"{upload_id}.json.gz"


def _oldest() -> float:
    return time.time() - KEPT_DAYS * 86_400


def _tidy(folder: Path) -> None:
    """Remove what is too old, and the least used of what is too much."""
    total = 0
    kept = sorted(((path.stat(), path) for path in folder.glob("upload-*")), key=lambda one: -one[0].st_mtime)
    for number, (status, path) in enumerate(kept):
        total += status.st_size
        if number >= _MOST_FILES or total > _MOST_BYTES or status.st_mtime < _oldest():
            path.unlink(missing_ok=True)
