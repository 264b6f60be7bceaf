"""Any way of naming a model, one answer: catalogue id, Hub repository, GGUF link or file, config.json, or a size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from advisor.errors import InputError
from advisor.models.catalogue import Entry, catalogue, find_model
from advisor.sources.addresses import HubAddress, parse_address
from advisor.sources.files import from_config_text, from_gguf_bytes, from_link, from_path
from advisor.sources.free_size import looks_like_size, typical_model
from advisor.sources.from_hub import from_hub_file, from_repository
from advisor.sources.hub_errors import HubForbidden, HubUnreachable
from advisor.sources.resolved import ResolvedModel, today

__all__ = ["ResolvedModel", "find_any_model", "from_config_text", "from_gguf_bytes"]


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
        as_of=today(),
        notes=(found.sentence,),
        size_range=(found.low, found.high),
    )


def from_hub(address: HubAddress, endpoint: str | None = None) -> ResolvedModel:
    """A repository on the Hub, or one GGUF file in it; where it cannot be read, the catalogue may know it."""
    if address.path.lower().endswith(".gguf"):
        return from_hub_file(address, endpoint)
    try:
        return from_repository(address, endpoint)
    except (HubForbidden, HubUnreachable) as error:
        repository = address.repository.lower()
        known = next((entry for entry in catalogue().values() if entry.hf_repo.lower() == repository), None)
        if known is None or address.revision:
            raise
        note = f"The catalogue's figures are shown for {address.repository}, because it could not be read: {error}"
        return replace(from_entry(known), notes=(note,))
