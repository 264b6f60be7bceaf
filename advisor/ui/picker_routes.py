"""What the browser asks while somebody types into a picker (`pickers.js`)."""

from __future__ import annotations

import asyncio
import math
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from advisor.foundation.errors import InputError, one_line
from advisor.foundation.quotas import QUOTAS, OverQuota, uploads_worth
from advisor.foundation.units import MIB
from advisor.sources.resolve import find_any_model
from advisor.ui.address import folder
from advisor.ui.asking import model_name
from advisor.ui.limits import passed_over
from advisor.ui.picking import (
    MODEL_KEYS,
    MOST_TYPED,
    Asked,
    Choice,
    Offer,
    offer_for,
    offer_hub,
    offer_opened,
    offer_without_hub,
)
from advisor.ui.visitor import visitor_of

_POLL_S = 0.05
_LARGEST_FILE = 20 * MIB
_LONGEST_QUESTION = MIB // 16
_FEW = asyncio.Semaphore(4)  # files held in memory at once


class _Asked(BaseModel):
    """`words` as the value of `key` in the question of `link`. `opened`: nothing was typed, they are what is shown.

    `hub` asks the Hub for models by them, `again` even where it was just asked; `column`: of the question compared with
    it in that place.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    words: str = ""
    link: str = ""
    opened: bool = False
    hub: bool = False
    again: bool = False
    column: int | None = None

    @property
    def question(self) -> Asked:
        return Asked(self.link, self.key, self.column)


async def find(request: Request) -> Response:
    """Choices for typed words. They come in the body: addresses are written into logs, and people paste secrets."""
    try:
        asked = _Asked.model_validate_json(await _body(request, _LONGEST_QUESTION))
        if asked.hub and asked.key in MODEL_KEYS:
            return _answer(await _search(asked.words[:MOST_TYPED], asked.question, asked.again))
        offer = offer_opened if asked.opened else offer_for
        return _answer(await run_in_threadpool(offer, asked.words, asked.question))
    except ClientDisconnect:
        return Response(status_code=400)
    except ValidationError:
        return _answer(Offer(said="That is no question of a picker."), 400)
    except InputError as error:
        return _answer(Offer(said=str(error)), 400)


async def add_file(request: Request) -> Response:
    """Keep a config.json or the beginning of a GGUF file, and offer it as the value of `key`.

    It must come as application/octet-stream, which no form of another site can send.
    """
    asked = request.query_params
    key, column, name = asked.get("key", ""), asked.get("column", ""), asked.get("name", "")[:200]
    question = Asked(asked.get("link", ""), key, int(column) if column.isdecimal() else None)
    if request.headers.get("content-type") != "application/octet-stream":
        return _answer(Offer(said="A file is sent as application/octet-stream."), 415)
    if key not in MODEL_KEYS:
        return _answer(Offer(said=f"'{one_line(key)}' takes no file."), 400)
    try:
        worth = uploads_worth(request.headers.get("content-length"))
        await run_in_threadpool(QUOTAS.take, "uploads", visitor_of(request), worth)  # may ask the database
    except OverQuota as error:
        await passed_over(request.receive)
        return _answer(Offer(said=str(error)), 429, error.wait_s)
    async with _FEW:
        try:
            return _answer(await run_in_threadpool(_kept, await _body(request, _LARGEST_FILE), name, question))
        except ClientDisconnect:
            return Response(status_code=400)
        except InputError as error:
            return _answer(Offer(said=str(error)), 400)


ROUTES = tuple(
    Route(f"{above}{path}", answer, methods=["POST"])
    for above in dict.fromkeys(("", folder()))  # Streamlit's own folder holds its pages only
    for path, answer in (("/find", find), ("/find/file", add_file))
)


async def _body(request: Request, most: int) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise InputError("That is larger than {most:gib}, more than is taken here.", most=most)
    return bytes(body)


def _kept(body: bytes, name: str, asked: Asked) -> Offer:
    from advisor.sources.uploads import keep_file

    value = keep_file(body, name)
    find_any_model(value)  # what no model can be made of is said now
    return Offer((Choice(model_name(value), "of which the header is kept", value, asked.with_value(value)),), 0)


async def _search(words: str, asked: Asked, again: bool) -> Offer:
    """Ask the Hub without holding a thread while it does not answer."""
    from advisor.sources.search import HUB_SEARCH, Search

    search = Search(words)
    if not words:
        search = Search("", "trending")
    if again:
        HUB_SEARCH.forget(search)
    try:
        HUB_SEARCH.start(search)
        for _ in range(int(HUB_SEARCH.patience_s / _POLL_S)):
            if HUB_SEARCH.settled(search):
                break
            await asyncio.sleep(_POLL_S)
        return offer_hub(words, await run_in_threadpool(HUB_SEARCH.get, search), asked)
    except InputError as error:
        return offer_without_hub(words, str(error), asked)


def _answer(offer: Offer, status: int = 200, wait_s: float = 0.0) -> Response:
    found: dict[str, Any] = asdict(offer)
    later = {"Retry-After": str(math.ceil(wait_s))} if wait_s else {}
    return JSONResponse(found, status, headers={"Cache-Control": "no-store", **later})
