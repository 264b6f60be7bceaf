"""Any way of naming a model, one answer: catalogue id, Hub repository, GGUF link or file, config.json, or a size."""

from __future__ import annotations

from threading import Lock

from cachetools import TTLCache

from advisor.foundation.errors import InputError, one_line
from advisor.foundation.message import Message, sentence
from advisor.models.catalogue import catalogue
from advisor.models.lookup import find_model
from advisor.sources.background import Background
from advisor.sources.resolved import ResolvedModel, from_entry

__all__ = ["READING", "ResolvedModel", "check_model", "find_any_model", "find_in_time"]

_PATIENCE_S = 8.0
_REMEMBERED_S = 600
_MOST_REMEMBERED = 64
_lately: TTLCache[str, ResolvedModel] = TTLCache(_MOST_REMEMBERED, _REMEMBERED_S)
_lock = Lock()


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
    with _lock:
        known = _lately.get(text)
    if known is not None and endpoint is None and not allow_local:
        return known
    # The Hub's library takes a third of a second to load, and most questions are about the catalogue.
    from advisor.sources.elsewhere import find_elsewhere

    return find_elsewhere(text, allow_local=allow_local, endpoint=endpoint)


def check_model(text: str) -> str:
    """`text` in the form that links hold, without asking anybody; raises InputError for what can never be a model."""
    text = text.strip()
    if not text or text in catalogue():
        return text or find_any_model(text).id
    from advisor.sources.elsewhere import canonical

    return canonical(text)


def find_in_time(text: str) -> ResolvedModel:
    """As find_any_model, for a page: whatever takes longer than 8 seconds goes on while the page says so.

    Raises StillWorking then. What was found is remembered for ten minutes, so that it is read once for all that a
    page asks about it, even where nothing may be kept on disk.
    """
    text = text.strip()
    return find_any_model(text) if not text or text in catalogue() else READING.get(text)


def _read(text: str) -> ResolvedModel:
    from advisor.sources.elsewhere import find_elsewhere

    found = find_elsewhere(text)
    with _lock:
        _lately.update(dict.fromkeys((text, found.id) if found.entry is None else (text,), found))
    return found


def _late(text: str) -> Message:
    return sentence(
        "Reading {words} takes long; it goes on in the background and is shown when it is done.",
        words=one_line(text, 80),
    )


READING: Background[str, ResolvedModel] = Background(_read, _late, patience_s=_PATIENCE_S)
