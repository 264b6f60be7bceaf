"""What can go wrong with the Hub, each in one sentence. Server texts and URLs are left out: they may hold secrets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from huggingface_hub.errors import (
    DisabledRepoError,
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from advisor.foundation.errors import InputError
from advisor.foundation.message import sentence

_HOW_TO_LOG_IN = sentence(
    "set the environment variable HF_TOKEN to an access token of that account, or run 'hf auth "
    "login', where this program runs"
)


class HubError(InputError):
    """The Hub could not be read."""


class HubUnreachable(HubError):
    """The Hub gives no usable answer at the moment; what was read earlier may do."""


class HubForbidden(HubError):
    """The repository is there, but gated: its files need a token."""

    needs_token = True


@contextmanager
def hub_errors(repository: str, revision: str | None = None, path: str = "") -> Iterator[None]:
    """Turn whatever huggingface_hub raises into a HubError."""
    try:
        yield
    except InputError:
        raise
    except (
        httpx2.HTTPError,
        httpx2.InvalidURL,
        httpx2.StreamError,
        OSError,
        EntryNotFoundError,
        HFValidationError,
    ) as error:
        raise _explain(error, repository[:120], (revision or "main")[:80], path[-120:]) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise HubUnreachable(
            "The Hub's answer about {repository} makes no sense; try again later.", repository=repository[:120]
        ) from None


def _explain(error: Exception, repository: str, revision: str, path: str) -> HubError:
    status = error.response.status_code if isinstance(error, HfHubHTTPError) and error.response is not None else 0
    if isinstance(error, OfflineModeIsEnabled):
        return HubUnreachable(
            "The Hub is switched off here (HF_HUB_OFFLINE is set); use a catalogue model or a local file."
        )
    if isinstance(error, GatedRepoError):
        return HubForbidden(
            "{repository} is gated: accept its terms on its page on the Hub, then {how_to_log_in}.",
            repository=repository,
            how_to_log_in=_HOW_TO_LOG_IN,
        )
    if isinstance(error, DisabledRepoError):
        return HubError(
            "Access to {repository} has been disabled by the Hub; choose another repository.", repository=repository
        )
    if isinstance(error, RevisionNotFoundError):
        return HubError(
            "{repository} has no revision '{revision}'; leave it out for the main branch.",
            repository=repository,
            revision=revision,
        )
    if isinstance(error, EntryNotFoundError) or (status == 404 and path):
        return HubError(
            "{repository} has no file {path}; open its page to see what it holds.",
            repository=repository,
            path=path or "of that name",
        )
    if isinstance(error, RepositoryNotFoundError | HFValidationError) or status in (401, 404):
        return HubError(
            "There is no public model {repository} on the Hub: check the spelling; if it is private, {how_to_log_in}.",
            repository=repository,
            how_to_log_in=_HOW_TO_LOG_IN,
        )
    if status == 403:
        return HubForbidden(
            "The Hub does not let this program read {repository}: if you have access, {how_to_log_in}.",
            repository=repository,
            how_to_log_in=_HOW_TO_LOG_IN,
        )
    if status == 429:
        return HubUnreachable(
            "The Hub asks to wait: too many requests from here; try again in a few minutes, or {how_to_log_in}.",
            how_to_log_in=_HOW_TO_LOG_IN,
        )
    if status == 416:
        return HubError(
            "{path} of {repository} is empty or shorter than the Hub says.",
            path=path or "A file",
            repository=repository,
        )
    if status >= 400:
        return HubUnreachable(
            "The Hub answers with error {status} about {repository}; try again in a few minutes.",
            status=status,
            repository=repository,
        )
    if isinstance(error, httpx2.TimeoutException):
        return HubUnreachable("The Hub does not answer; try again, or use a catalogue model or a local file.")
    return HubUnreachable("The Hub cannot be reached; check the connection, or use a catalogue model or a local file.")
