"""Models from outside the catalogue: a Hub repository, a GGUF link or file, an upload, a config, or a mere size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from advisor.errors import InputError
from advisor.models.catalogue import Entry, catalogue, find_model
from advisor.sources.addresses import HubAddress, check_link, hub_file_link, parse_address
from advisor.sources.files import from_config_text, from_link, from_path
from advisor.sources.free_size import looks_like_size, typical_model
from advisor.sources.from_hub import from_hub_file, from_repository
from advisor.sources.hub_errors import HubForbidden, HubUnreachable
from advisor.sources.resolved import ResolvedModel, from_entry, today
from advisor.sources.uploads import find_upload, is_upload


def find_elsewhere(text: str, *, allow_local: bool = False, endpoint: str | None = None) -> ResolvedModel:
    """The model that `text` names, as `advisor.sources.resolve.find_any_model` describes it."""
    if text.startswith("{"):
        return from_config_text(text)
    if looks_like_size(text):
        return from_size(text)
    if is_upload(text):
        return find_upload(text)
    if allow_local and "://" not in text and (Path(text).is_file() or _names_a_file(text)):
        return from_path(Path(text))
    address = parse_address(text)
    if isinstance(address, HubAddress):
        return from_hub(address, endpoint)
    if address is not None:
        return from_link(address, allow_local)
    return from_entry(_must_be_known(text, allow_local))


def canonical(text: str) -> str:
    """`text` as a link should hold it, short and without what else a pasted address carries, such as a password.

    Raises InputError for what can never be the name of a model. Nothing is asked for, and no local file is read.
    """
    if text.startswith("{") or looks_like_size(text) or is_upload(text):
        return text
    address = parse_address(text)
    if isinstance(address, HubAddress):
        if address.path.lower().endswith(".gguf"):
            return hub_file_link(address)
        return str(address) if "/" in address.repository else f"https://huggingface.co/{address.repository}"
    if address is None:
        return _must_be_known(text, allow_local=False).id
    check_link(address)
    return address


def _must_be_known(text: str, allow_local: bool) -> Entry:
    if not allow_local and _names_a_file(text):
        raise InputError("Files are not read by path here: upload the file, or give a Hub repository or a link.")
    return find_model(text)


def _names_a_file(text: str) -> bool:
    return (
        text.lower().endswith((".json", ".gguf", ".safetensors"))
        or text.startswith(("/", "./", "../", "~"))
        or "\\" in text
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
