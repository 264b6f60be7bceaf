"""What went wrong, as `application/problem+json` (RFC 9457) with the error object of the compact answer."""

from __future__ import annotations

import logging
import math
from typing import Any

from starlette.responses import JSONResponse, Response

from advisor.foundation.errors import AdvisorError, InputError
from advisor.foundation.quotas import OverQuota
from advisor.sources.background import StillWorking

_TITLES = {
    400: "The question cannot be answered",
    401: "Nobody is logged in",
    403: "This is not allowed",
    404: "There is no such address",
    405: "This address takes another method",
    413: "The text is too long",
    415: "The text is sent as another type",
    429: "Too many questions at once",
    500: "An error of the program itself",
    503: "The model is still being read",
}
_RETRY_S = {429: 2, 503: 5}


def problem(status: int, detail: str, did_you_mean: tuple[str, ...] = ()) -> Response:
    """One problem; `detail` is a sentence for people, `error` the same for programs."""
    kind = "internal" if status == 500 else "input" if status < 429 else "busy"
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": _TITLES[status],
        "status": status,
        "detail": detail,
        "error": {"kind": kind, "message": detail, "did_you_mean": list(did_you_mean)},
    }
    headers = {"Cache-Control": "no-store"}
    if status in _RETRY_S:
        headers["Retry-After"] = str(_RETRY_S[status])
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def problem_of(error: Exception) -> Response:
    """What an error means; one of our own is logged and tells nothing of this machine."""
    if isinstance(error, OverQuota):
        refused = problem(429, str(error))
        refused.headers["Retry-After"] = str(max(1, math.ceil(error.wait_s)))
        return refused
    if isinstance(error, StillWorking):
        return problem(503, str(error))
    if isinstance(error, InputError):
        return problem(400, str(error), error.suggestions)
    logging.getLogger(__name__).error("A question over HTTP failed", exc_info=error)
    if isinstance(error, AdvisorError):
        return problem(500, str(error))
    return problem(500, f"This is an error of the program itself ({type(error).__name__}): please report it.")
