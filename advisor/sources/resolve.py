"""Any way of naming a model, one answer: catalogue id, Hub repository, GGUF link or file, config.json, or a size."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from advisor.errors import InputError
from advisor.models.blueprints import model_from_config
from advisor.models.catalogue import Entry, catalogue, find_model
from advisor.models.model import Model
from advisor.sources import hub
from advisor.sources.addresses import HubAddress, check_public, parse_address
from advisor.sources.compare import compare_with_checkpoint
from advisor.sources.free_size import looks_like_size, typical_model
from advisor.sources.gguf_header import GgufHeader, join_splits, read_gguf_header
from advisor.sources.gguf_model import model_of
from advisor.sources.hub_errors import HubForbidden, HubUnreachable
from advisor.sources.quantization import unpacked
from advisor.sources.reading import read_from_bytes, read_from_path
from advisor.sources.remote import LinkedFile
from advisor.sources.repository import Repository, RepositoryFile, group_gguf
from advisor.sources.stored_file import StoredFile, stored_file
from advisor.units import gb

MAX_CONFIG_BYTES = 4 << 20
_SPLIT = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$", re.IGNORECASE)
_QUANTIZED_NOTE = (
    "It is published quantized as {level}, {size} on disk exactly; "
    "the computed levels are those of the same model from 16-bit weights."
)


@dataclass(frozen=True)
class ResolvedModel:
    """A model and where it comes from.

    `model` is None where only a file's own sizes are known. `id` restores it in a link, with the commit that was
    read. `source` is the sentence that says what the figures rest on. `file` is the GGUF file that was asked for,
    `repository` what else its repository holds. `size_range` is how many times as large real models of a mere
    size are, at least and at most.
    """

    id: str
    name: str
    model: Model | None
    source: str
    publisher: str = ""
    license: str = ""
    confidence: Literal["verified", "recalled"] = "verified"
    recalled_fields: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    as_of: str = ""
    notes: tuple[str, ...] = ()
    entry: Entry | None = None
    repository: Repository | None = None
    file: StoredFile | None = None
    size_range: tuple[float, float] | None = None

    def must_have_model(self) -> Model:
        """The model; raises InputError where the file's architecture is not known."""
        if self.model is None:
            raise InputError(f"{self.name}: {self.source}")
        return self.model


def find_any_model(text: str, *, allow_local: bool = False, endpoint: str | None = None) -> ResolvedModel:
    """The model that `text` names; raises InputError in one sentence otherwise.

    `allow_local` lets it read files of this machine and of the local network: for the command line only, never
    for what comes from a link.
    """
    text = text.strip()
    if not text:
        raise InputError("Name a model: a catalogue id, a Hub repository, a link, or a size such as 70B.")
    if text in catalogue():
        return from_entry(find_model(text))
    if text.startswith("{"):
        return from_config_text(text)
    if looks_like_size(text):
        return from_size(text)
    if allow_local and "://" not in text and (Path(text).is_file() or _names_a_file(text)):
        return from_path(Path(text))
    address = parse_address(text)
    if isinstance(address, HubAddress):
        return from_hub(address, endpoint)
    if address is not None:
        return from_link(address, allow_local)
    if not allow_local and _names_a_file(text):
        raise InputError("Files are not read by path here: upload the file, or give a Hub repository or a link.")
    return from_entry(find_model(text))


def _names_a_file(text: str) -> bool:
    return (
        text.lower().endswith((".json", ".gguf", ".safetensors"))
        or text.startswith(("/", "./", "../", "~"))
        or "\\" in text
    )


def from_entry(entry: Entry) -> ResolvedModel:
    """A model of the bundled catalogue."""
    return ResolvedModel(
        id=entry.id,
        name=entry.name,
        model=entry.model,
        source=f"From the catalogue, as of {entry.as_of}.",
        publisher=entry.publisher,
        license=entry.license,
        confidence=entry.confidence,
        recalled_fields=tuple(entry.recalled_fields),
        sources=tuple(entry.sources),
        as_of=entry.as_of,
        entry=entry,
    )


def from_size(text: str) -> ResolvedModel:
    """A typical model of a size."""
    found = typical_model(text)
    return ResolvedModel(
        id=text.strip(),
        name=found.name,
        model=found.model,
        source=found.sentence,
        as_of=_today(),
        notes=(found.sentence,),
        size_range=(found.low, found.high),
    )


def from_config_text(text: str, name: str = "Your config.json") -> ResolvedModel:
    """A pasted or uploaded config.json."""
    if len(text) > MAX_CONFIG_BYTES:
        raise InputError(f"{name} is larger than {MAX_CONFIG_BYTES >> 20} MiB, which no config.json is.")
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(f"{name} is not valid JSON.") from None
    model = model_from_config(raw)
    return ResolvedModel(
        id=text, name=name, model=model, source=f"Computed from {name}; nothing to compare it with.", as_of=_today()
    )


def from_gguf_bytes(content: bytes, name: str) -> ResolvedModel:
    """An uploaded GGUF file, or as much of its beginning as holds the header."""
    return _from_header(read_gguf_header(read_from_bytes(content), name), name, name)


def from_path(path: Path) -> ResolvedModel:
    """A config.json or a GGUF file (any part of a split one) on this machine."""
    path = path.expanduser()
    if not path.is_file():
        raise InputError(
            f"There is no file {path.name}; give a catalogue id, a Hub repository, or the path of a "
            "config.json or GGUF file."
        )
    if path.suffix.lower() == ".gguf":
        headers = [read_gguf_header(read_from_path(part), part.name) for part in _parts_on_disk(path)]
        header = join_splits(headers) if headers[0].split_count > 1 else headers[0]
        return _from_header(header, str(path), path.name)
    if path.suffix.lower() == ".safetensors":
        raise InputError(
            f"{path.name} holds weights without the model's shape; give the config.json that lies beside it."
        )
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise InputError(f"{path.name} is larger than {MAX_CONFIG_BYTES >> 20} MiB, which no config.json is.")
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path.name} cannot be read as a text file.") from None
    return from_config_text(text, path.name)


def _parts_on_disk(path: Path) -> list[Path]:
    split = _SPLIT.search(path.name)
    if split is None:
        return [path]
    stem = path.name[: split.start()]
    parts = [
        path.with_name(f"{stem}-{number:05}-of-{split[2]}.gguf") for number in range(1, min(int(split[2]), 999) + 1)
    ]
    missing = [part.name for part in parts if not part.is_file()]
    if missing:
        raise InputError(
            f"{path.name} is one of {len(parts)} parts, and {missing[0]} is not beside it; give all parts one folder."
        )
    return parts


def from_link(url: str, allow_local: bool = False) -> ResolvedModel:
    """A GGUF file on any host but the Hub."""
    if not url.lower().startswith(("https://", "http://")) or (url.lower().startswith("http://") and not allow_local):
        raise InputError("Only https links are followed; give one that begins with https://.")
    if not allow_local:
        check_public(url)
    remote = LinkedFile(url, allow_local)
    if _SPLIT.search(remote.name):
        raise InputError(
            f"{remote.name} is one part of a split file; from other hosts than the Hub only whole files are read."
        )
    return _from_header(read_gguf_header(remote.read, remote.name), url, remote.name)


def from_hub(address: HubAddress, endpoint: str | None = None) -> ResolvedModel:
    """A repository on the Hub, or one GGUF file in it."""
    if address.path.lower().endswith(".gguf"):
        return _from_hub_file(address, endpoint)
    known = next((entry for entry in catalogue().values() if entry.hf_repo.lower() == address.repository.lower()), None)
    try:
        repository = hub.read_repository(address, endpoint)
    except (HubForbidden, HubUnreachable) as error:
        if known is None or address.revision:
            raise
        found = from_entry(known)
        note = f"The catalogue's figures are shown for {address.repository}, because it could not be read: {error}"
        return ResolvedModel(**{**vars(found), "notes": (note,)})
    if repository.config is None and repository.models:
        return _from_gguf_repository(repository, endpoint)
    return _from_config_of(repository)


def _from_config_of(repository: Repository) -> ResolvedModel:
    if repository.config is None:
        raise InputError(
            f"{repository.id} has no config.json and no GGUF files, so the model's shape is not known; "
            "choose another repository."
        )
    model = model_from_config(repository.config)
    what = f"the repository's own tensors (commit {repository.revision[:8]})"
    source = f"From the config.json of {repository.id} (commit {repository.revision[:8]})."
    notes = list(repository.notices)
    if repository.text_tensors:
        compared = compare_with_checkpoint(model, unpacked(repository.text_tensors, repository.quantization))
        source = f"{source} {compared.sentence(what)}"
        if not compared.agrees:
            notes.append(compared.sentence(what))
    elif not repository.tensors:
        notes.append("There are no safetensors files to compare with: sizes follow from config.json alone.")
    notes += _parts(repository)
    return _of_repository(repository, model, source, notes)


def _from_gguf_repository(repository: Repository, endpoint: str | None) -> ResolvedModel:
    """GGUF files only: the smallest complete one tells the model's shape."""
    chosen = next((file for file in reversed(repository.models) if file.complete), None)
    if chosen is None:
        raise InputError(f"No GGUF file of {repository.id} is complete; choose another repository.")
    header = hub.read_gguf(repository.id, repository.revision, chosen, endpoint)
    found = model_of(header)
    if found.model is None:
        raise InputError(f"{repository.id}: {found.note}")
    source = f"From the header of {chosen.name} in {repository.id} (commit {repository.revision[:8]}). {found.note}"
    return _of_repository(repository, found.model, source, [*repository.notices, *_parts(repository)])


def _of_repository(repository: Repository, model: Model, source: str, notes: list[str]) -> ResolvedModel:
    owner, _, name = repository.id.rpartition("/")
    return ResolvedModel(
        id=f"{repository.id}@{repository.revision}",
        name=name,
        model=model,
        source=source,
        publisher=owner,
        license=repository.license or "not stated",
        sources=(f"https://huggingface.co/{repository.id}/tree/{repository.revision}",),
        as_of=repository.read_on,
        notes=tuple(notes),
        repository=repository,
    )


def _parts(repository: Repository) -> list[str]:
    """What the repository holds beside the text model's 16-bit weights."""
    notes = []
    sizes = repository.bytes_by_part
    for part, what in (("vision", "vision part"), ("audio", "audio part")):
        if sizes.get(part):
            notes.append(
                f"Its {what} takes {gb(sizes[part])} as published; it is a file of its own (mmproj) and not counted."
            )
    if repository.quantization is not None:
        notes.append(_QUANTIZED_NOTE.format(level=repository.quantization.level, size=gb(repository.weight_bytes)))
    projectors = [file for file in repository.gguf if file.projector]
    if projectors:
        notes.append(
            f"{len(projectors)} projector file(s) for images or sound lie beside the model and are not counted."
        )
    if repository.models:
        notes.append(
            f"It holds {len(repository.models)} GGUF file(s); their real sizes differ from the computed ones "
            "where the publisher uses a mix of its own."
        )
    return notes


def _from_hub_file(address: HubAddress, endpoint: str | None) -> ResolvedModel:
    """One GGUF file by its link: its header is enough, the rest of the repository is not read."""
    split = _SPLIT.search(address.path)
    paths = [address.path]
    if split is not None:
        stem = address.path[: split.start()]
        paths = [f"{stem}-{number:05}-of-{split[2]}.gguf" for number in range(1, min(int(split[2]), 999) + 1)]
    file = group_gguf(RepositoryFile(path, None) for path in paths)[0]
    header = hub.read_gguf(address.repository, address.revision or "main", file, endpoint)
    link = f"https://huggingface.co/{address.repository}/blob/{address.revision or 'main'}/{address.path}"
    found = _from_header(header, link, address.path.rpartition("/")[2])
    owner = address.repository.partition("/")[0]
    return ResolvedModel(
        **{**vars(found), "publisher": owner, "sources": (link,), "license": found.license or "see its page"}
    )


def _from_header(header: GgufHeader, reference: str, name: str) -> ResolvedModel:
    found = model_of(header)
    file = stored_file(header)
    notes = [
        f"This is {file.name} itself, {gb(file.file_bytes)} at its own types; "
        "levels without 'this file' are llama.cpp's stock mixes."
    ]
    if found.comparison is not None and not found.comparison.agrees:
        notes.append(found.note)
    return ResolvedModel(
        id=reference,
        name=header.text("general.name")[:80] or name,
        model=found.model,
        source=f"From the file's own header. {found.note}",
        license=header.text("general.license")[:60],
        as_of=_today(),
        notes=tuple(notes),
        file=file,
    )


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
