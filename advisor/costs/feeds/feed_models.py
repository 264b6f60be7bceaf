"""Which model of the catalogue a host means: "databricks-meta-llama-3-1-8b-instruct" or "@cf/qwen/qwq-32b"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType

from advisor.costs.api_prices import family_of
from advisor.costs.price_rows import ApiOffer
from advisor.models.catalogue import catalogue

_VENDOR = re.compile(r"^(databricks-|(meta|mistral|nvidia|moonshotai|zai|qwen|deepseek)\.)?(meta-)?")
_VERSION = re.compile(r"(-v\d)?:\d+$")  # of Amazon Bedrock
_STORED = re.compile(r"-(fp8|nvfp4|bf16|fp16|awq)$")
_TUNED = re.compile(r"(-(instruct|it|chat|thinking))+$")
_POINT = re.compile(r"(?<=\d)p(?=\d)")  # Fireworks writes a point as a p


def families(rows: Iterable[ApiOffer]) -> Mapping[str, str]:
    """Under which family a name is filed, by its letters and digits: of the table's open models and the catalogue's."""
    found = {_letters(row.family): row.family for row in rows if row.open_weights == "yes"}
    for name, family in _of_catalogue().items():
        found.setdefault(name, family)
    return MappingProxyType(found)


def family_meant(name: str, known: Mapping[str, str]) -> str | None:
    """The family of the model that a host calls so; None where it is none, or one made from it.

    What a host adds to say how fast it serves, such as "-turbo" or ":free", makes another offer of it, which is left
    out: it is not what everybody else sells under the name.
    """
    bare = _VERSION.sub("", _VENDOR.sub("", name.rpartition("/")[2].lower()))
    if ":" in bare:
        return None
    bare = _STORED.sub("", _POINT.sub(".", bare))
    return known.get(_letters(bare)) or known.get(_letters(_TUNED.sub("", bare)))


@cache
def _of_catalogue() -> Mapping[str, str]:
    found = {}
    for model_id in catalogue():
        family = family_of(model_id) or _TUNED.sub("", model_id)
        found[_letters(model_id)] = found[_letters(_TUNED.sub("", model_id))] = family
    return MappingProxyType(found)


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
