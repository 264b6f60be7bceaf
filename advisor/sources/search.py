"""Searching the Hub for language models, by words or by what is popular."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import httpx2
from huggingface_hub import constants
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

from advisor.foundation.errors import InputError, one_line
from advisor.foundation.message import Message, sentence
from advisor.sources.background import Background
from advisor.sources.hub_errors import HubUnreachable

Order = Literal["downloads", "trending"]
MOST_HITS = 8
MAX_WORDS = 100
_TIMEOUT_S = 4.0
_PATIENCE_S = 5.0
_ASKED_FOR = 40  # before what is no language model is left out
_SORT: dict[Order, str] = {"downloads": "downloads", "trending": "trendingScore"}
_FIELDS = ("downloads", "gated", "pipeline_tag", "tags", "library_name")
# What can be sized here; repositories that do not say are mostly quantized copies of such models.
_TEXT = {"text-generation", "image-text-to-text", "any-to-any", "audio-text-to-text", "video-text-to-text", ""}
_OFFLINE = sentence("the catalogue works without it.")


@dataclass(frozen=True, slots=True)
class Hit:
    """A repository that was found; `downloads` in the last 30 days."""

    repository: str
    downloads: int
    gated: bool
    gguf: bool


@dataclass(frozen=True, slots=True)
class Search:
    """`words` empty: whatever is popular."""

    words: str
    order: Order = "downloads"


def search_hub(search: Search, endpoint: str | None = None) -> tuple[Hit, ...]:
    """At most MOST_HITS language models; raises InputError in one sentence, HubUnreachable where the Hub is not there.

    HfApi.list_models would wait without end for a silent server and try a refused connection for half a minute.
    """
    question: dict[str, Any] = {"sort": _SORT[search.order], "limit": _ASKED_FOR, "expand": list(_FIELDS)}
    if search.words:
        question["search"] = search.words[:MAX_WORDS]
    else:
        question["pipeline_tag"] = "text-generation"
    try:
        response = get_session().get(
            f"{endpoint or constants.ENDPOINT}/api/models",
            params=question,
            headers=build_hf_headers(),
            timeout=_TIMEOUT_S,
        )
        hf_raise_for_status(response)
        hits = [_hit(item) for item in response.json() if (item.get("pipeline_tag") or "") in _TEXT]
    except OfflineModeIsEnabled:
        raise HubUnreachable(
            "The Hub is switched off here (HF_HUB_OFFLINE is set); {offline}", offline=_OFFLINE
        ) from None
    except HfHubHTTPError as error:
        raise _refused(error.response.status_code) from None
    except httpx2.TimeoutException:
        raise HubUnreachable("The Hub does not answer; {offline}", offline=_OFFLINE) from None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError):
        raise HubUnreachable("Offline: the Hub cannot be reached; {offline}", offline=_OFFLINE) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise HubUnreachable("The Hub's answer makes no sense; {offline}", offline=_OFFLINE) from None
    return tuple(hits[:MOST_HITS])


def _refused(status: int) -> InputError:
    if status in (401, 403):
        return InputError("The Hub does not accept the token of this server: renew HF_TOKEN there, or remove it.")
    if status == 429:
        return HubUnreachable("The Hub asks to wait: too many requests from here; try again in a few minutes.")
    return HubUnreachable("The Hub answers with error {status}; {offline}", status=status, offline=_OFFLINE)


def _hit(item: dict[str, Any]) -> Hit:
    repository = str(item["id"])
    tags = item.get("tags") or []
    gguf = "gguf" in tags or item.get("library_name") == "gguf" or "gguf" in repository.lower()
    return Hit(repository[:200], int(item.get("downloads") or 0), bool(item.get("gated")), gguf)


def _late(search: Search) -> Message:
    return sentence(
        "The Hub is slow to answer for '{words}'; {offline}", words=one_line(search.words), offline=_OFFLINE
    )


HUB_SEARCH: Background[Search, tuple[Hit, ...]] = Background(search_hub, _late, patience_s=_PATIENCE_S)
