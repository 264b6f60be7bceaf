"""What the browser asks while somebody types into a picker (`pickers.js`)."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from advisor.foundation.errors import InputError, one_line
from advisor.sources.resolve import find_any_model
from advisor.ui.asking import model_name
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

_POLL_S = 0.05
_LARGEST_FILE = 20 << 20
_FEW = asyncio.Semaphore(4)  # files held in memory at once


async def find(request: Request) -> Response:
    """Choices for `words` as the value of `key` in the question of `link`; of the Hub's models with `hub`.

    `opened`: nothing was typed, `words` is what a picker shows.
    """
    asked = request.query_params
    key, words, link = asked.get("key", ""), asked.get("words", "")[:MOST_TYPED], asked.get("link", "")
    try:
        if "hub" in asked and key in MODEL_KEYS:
            return _answer(await _search(words, Asked(link, key), again="again" in asked))
        offer = offer_opened if "opened" in asked else offer_for
        return _answer(await run_in_threadpool(offer, key, words, link))
    except InputError as error:
        return _answer(Offer(said=str(error)), 400)


async def add_file(request: Request) -> Response:
    """Keep a config.json or the beginning of a GGUF file, and offer it as the value of `key`.

    It must come as application/octet-stream, which no form of another site can send.
    """
    asked = request.query_params
    key, link, name = asked.get("key", ""), asked.get("link", ""), asked.get("name", "")[:200]
    if request.headers.get("content-type") != "application/octet-stream":
        return _answer(Offer(said="A file is sent as application/octet-stream."), 415)
    if key not in MODEL_KEYS:
        return _answer(Offer(said=f"'{one_line(key)}' takes no file."), 400)
    body = bytearray()
    async with _FEW:
        try:
            async for part in request.stream():
                body += part
                if len(body) > _LARGEST_FILE:
                    return _answer(Offer(said=f"At most {_LARGEST_FILE >> 20} MiB of a file are taken."), 413)
            return _answer(await run_in_threadpool(_kept, bytes(body), name, key, link))
        except ClientDisconnect:
            return Response(status_code=400)
        except InputError as error:
            return _answer(Offer(said=str(error)), 400)


ROUTES = (
    Route("/find", find, methods=["GET"]),
    Route("/find", add_file, methods=["POST"]),
)


def _kept(body: bytes, name: str, key: str, link: str) -> Offer:
    from advisor.sources.uploads import keep_file

    value = keep_file(body, name)
    find_any_model(value)  # what no model can be made of is said now
    return Offer(
        (Choice(model_name(value), "of which the header is kept", value, Asked(link, key).with_value(value)),), 0
    )


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


def _answer(offer: Offer, status: int = 200) -> Response:
    found: dict[str, Any] = asdict(offer)
    return JSONResponse(found, status, headers={"Cache-Control": "no-store"})
