"""What the Hub lists: repositories by what is popular, those quantized from another, and one's own card."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from huggingface_hub import constants
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

from advisor.foundation.errors import InputError
from advisor.sources.addresses import HubAddress
from advisor.sources.hub import MAX_CONFIG_BYTES
from advisor.sources.hub_errors import HubUnreachable, hub_errors
from advisor.sources.remote import TIMEOUT_S, HubFile
from advisor.sources.search import Order

_SORT: dict[Order, str] = {"downloads": "downloads", "trending": "trendingScore"}
_TEXT = ("text-generation", "image-text-to-text", "feature-extraction", "text-ranking", "any-to-any")
_MOST_BYTES = 16 << 20  # of an answer of the Hub's, which has no files in it


@dataclass(frozen=True)
class Card:
    """What the Hub says of a repository beside its files. `parameters` are the elements of its safetensors, None where
    they were not counted; `created` is a day.
    """

    repository: str
    revision: str
    license: str
    created: str
    pipeline: str
    tags: tuple[str, ...]
    parameters: int | None
    files: tuple[str, ...]


def popular(order: Order, limit: int, endpoint: str | None = None) -> Iterator[str]:
    """Repositories of models that write, read or rank text, with safetensors and not quantized from another.

    Raises InputError in one sentence where the Hub does not list them.
    """
    seen: set[str] = set()
    for pipeline in _TEXT:
        asked = {"sort": _SORT[order], "limit": limit, "pipeline_tag": pipeline, "expand": ["tags", "downloads"]}
        for item in _listed(asked, endpoint):
            name, tags = str(item.get("id", "")), item.get("tags") or []
            copied = any(str(tag).startswith("base_model:quantized:") for tag in tags)
            if name and name not in seen and "safetensors" in tags and not copied:
                seen.add(name)
                yield name


def gguf_of(repository: str, most: int, endpoint: str | None = None) -> tuple[str, ...]:
    """The most downloaded repositories with GGUF files that say they were made from this one."""
    asked = {"sort": "downloads", "limit": most, "filter": [f"base_model:quantized:{repository}", "gguf"]}
    return tuple(str(item["id"]) for item in _listed(asked, endpoint) if "/" in str(item.get("id", "")))[:most]


def _listed(asked: dict[str, Any], endpoint: str | None) -> list[dict[str, Any]]:
    with hub_errors("the list of models"):
        found = _get("/api/models", asked, endpoint)
    if not isinstance(found, list):
        raise HubUnreachable("The Hub's list of models makes no sense.")
    return [item for item in found if isinstance(item, dict)]


def card_of(repository: str, endpoint: str | None = None) -> Card:
    """What the Hub says of a repository; raises InputError in one sentence."""
    with hub_errors(repository):
        found = _get(f"/api/models/{repository}", {}, endpoint)
    if not isinstance(found, dict):
        raise HubUnreachable("What the Hub says of {repository} makes no sense.", repository=repository)
    card, counted = found.get("cardData") or {}, found.get("safetensors") or {}
    licence = card.get("license_name") or card.get("license") or ""
    files = [str(one.get("rfilename", "")) for one in found.get("siblings") or [] if isinstance(one, dict)]
    total = counted.get("total") if isinstance(counted, dict) else None
    return Card(
        repository=str(found.get("id") or repository),
        revision=str(found.get("sha") or "main"),
        license=licence if isinstance(licence, str) else ", ".join(map(str, licence)),
        created=str(found.get("createdAt") or "")[:10],
        pipeline=str(found.get("pipeline_tag") or ""),
        tags=tuple(map(str, found.get("tags") or ())),
        parameters=total if isinstance(total, int) and not isinstance(total, bool) and total > 0 else None,
        files=tuple(files),
    )


def config_text(card: Card, endpoint: str | None = None) -> str:
    """Its config.json at the commit that was listed; raises InputError where it has none, or none that can be read."""
    if "config.json" not in card.files:
        raise InputError("{repository} has no config.json.", repository=card.repository)
    remote = HubFile(HubAddress(card.repository, card.revision, "config.json"), endpoint or constants.ENDPOINT)
    return remote.read(0, MAX_CONFIG_BYTES).decode("utf-8", "replace")


def _get(path: str, asked: dict[str, Any], endpoint: str | None) -> Any:
    """An answer of the Hub's in JSON, no longer than it may be; hub_errors words what else goes wrong."""
    url, held = f"{endpoint or constants.ENDPOINT}{path}", bytearray()
    with get_session().stream("GET", url, params=asked, headers=build_hf_headers(), timeout=TIMEOUT_S) as response:
        hf_raise_for_status(response)
        for piece in response.iter_bytes():
            held += piece
            if len(held) > _MOST_BYTES:
                raise HubUnreachable("The Hub's answer is longer than any list of models.")
    return json.loads(held)
