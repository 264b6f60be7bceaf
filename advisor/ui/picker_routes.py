"""What the browser asks while somebody types into a picker, and the script that asks it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from advisor.foundation.errors import InputError, one_line
from advisor.ui.picking import MODEL_KEYS, MOST_TYPED, Asked, Choice, Offer, offer_for, offer_hub, offer_without_hub

_SCRIPT = Path(__file__).with_name("pickers.js")
_POLL_S = 0.05
_LONGEST_CONFIG = 1 << 20


async def find(request: Request) -> Response:
    """Choices for `words` as the value of `key` in the question of `link`; of the Hub's models with `hub`."""
    asked = request.query_params
    key, words, link = asked.get("key", ""), asked.get("words", "")[:MOST_TYPED], asked.get("link", "")
    try:
        if "hub" in asked and key in MODEL_KEYS:
            return _answer(await _search(words, Asked(link, key), again="again" in asked))
        return _answer(await run_in_threadpool(offer_for, key, words, link))
    except InputError as error:
        return _answer(Offer(said=str(error)), 400)


async def add_config(request: Request) -> Response:
    """Keep a pasted config.json and offer it as the value of `key`.

    It must come as JSON: a form of another site can send no such thing.
    """
    asked = request.query_params
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        return _answer(Offer(said="A config.json is sent as application/json."), 415)
    body = bytearray()
    with suppress(ClientDisconnect):
        async for part in request.stream():
            body += part
            if len(body) > _LONGEST_CONFIG:
                return _answer(Offer(said="That is larger than 1 MiB, which no config.json is."), 413)
    try:
        return _answer(await run_in_threadpool(_kept, bytes(body), asked.get("key", ""), asked.get("link", "")))
    except InputError as error:
        return _answer(Offer(said=str(error)), 400)


async def script(_: Request) -> Response:
    """The pickers' script."""
    return Response(_script(), media_type="text/javascript", headers={"Cache-Control": "no-cache"})


ROUTES = (
    Route("/find", find, methods=["GET"]),
    Route("/find", add_config, methods=["POST"]),
    Route("/pickers.js", script),
)


@cache
def _script() -> bytes:
    return _SCRIPT.read_bytes()


def _kept(body: bytes, key: str, link: str) -> Offer:
    from advisor.sources.uploads import keep_config

    if key not in MODEL_KEYS:
        raise InputError(f"'{one_line(key)}' takes no config.json.")
    value = keep_config(body.decode("utf-8", "replace"))
    return Offer((Choice("Your config.json", "pasted here", value, Asked(link, key).with_value(value)),), 0)


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
