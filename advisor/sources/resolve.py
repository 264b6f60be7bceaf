"""Any way of naming a model, one answer: catalogue id, Hub repository, GGUF link or file, config.json, or a size."""

from __future__ import annotations

from advisor.errors import InputError
from advisor.models.catalogue import catalogue, find_model
from advisor.sources.resolved import ResolvedModel, from_entry

__all__ = ["ResolvedModel", "find_any_model"]


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
    # The Hub's library takes a third of a second to load, and most questions are about the catalogue.
    from advisor.sources.elsewhere import find_elsewhere

    return find_elsewhere(text, allow_local=allow_local, endpoint=endpoint)
