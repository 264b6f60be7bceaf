"""Which model of the catalogue a name means, however it is spelt: "GPT-OSS 120B", `llama3.3:70b`, `deepseek-r1:32b`.

A rule over words, not a table of answers: every word of the name must be one of the model's, and what the model's has
beyond that must be of the kind that names leave out (instruct, a date, a first version, the only size there is).
What no rule can know (which size a bare name of Ollama's stands for) is in `data/ollama_names.csv`, with its source.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from advisor.foundation.csv_rows import Filled, read_rows
from advisor.foundation.places import data_folder
from advisor.models.catalogue import Entry, catalogue
from advisor.models.host_names import spellings, with_point

OLLAMA_FILE = data_folder() / "ollama_names.csv"
_WORD = re.compile(
    r"\d+x\d+(?:\.\d+)?b?(?![a-z0-9])"  # 8x7b
    r"|[ae]?\d+(?:\.\d+)?[bmt](?![a-z0-9])"  # 70b, a3b, e4b
    r"|v\d+(?:\.\d+)*(?![a-z0-9])"  # v0.3
    r"|\d+[ke](?![a-z0-9])"  # 4k of context, 16e: sixteen experts
    r"|\d+(?:\.\d+)*|[a-z]+"
)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([bmt])|\d+x\d+(?:\.\d+)?b")
_UNITS = {"m": 1e6, "b": 1e9, "t": 1e12}
_SAME_SIZE = 0.06
# What a name says of the form it is published in, not of the model.
FORMS = frozenset(
    (
        *("gguf", "hf", "latest", "awq", "gptq", "bnb", "bit", "mlx", "fp", "bf", "nvfp", "mxfp", "exl", "imatrix"),
        *("dynamic", "quantized", "unsloth", "text", "base", "it", "pt", "instruct", "chat"),
    )
)
# What quantizers end the name of a repository with, part by part: "-bnb-4bit", ".w4a16", "-FP8-dynamic", "-i1-GGUF".
_NAME_PART = re.compile(r"([-.])")
_FORM_PART = re.compile(
    r"(gguf|awq|gptq|mlx|hf|bnb|unsloth|dwq|auto_?round|quantized|qat|dynamic|block|imatrix|i1|ud|exl[23]|\d+bit|g\d+"
    r"|(nv|mx)?fp[48]|bf16|[bf]p?16|u?int[48]|w\d+a\d+|i?q\d\w*)",
    re.IGNORECASE,
)
_TUNED = frozenset(["instruct", "it", "chat", "pt", "hf", "bf", "fp"])
_THINKS = frozenset(["thinking", "think", "reasoning"])
_SIZE_WORDS = frozenset(["nano", "tiny", "mini", "micro", "small", "medium", "large", "lite"])
_PLUS = re.compile(r"(?<=[a-z])\+")
_PUBLISHER = re.compile(r"^(c4ai|nvidia|meta|google|mistralai|openai)[ \-/](?=[a-z])")
_DETAIL = re.compile(r"a\d+(\.\d+)?b|\d+[ke]")
_DATE = re.compile(r"\d{4}|0\d")
_FIRST_VERSION = re.compile(r"v[01](\.\d+)*|v01")


class OllamaName(BaseModel):
    """A name in Ollama's library that a rule cannot know; `means` is another name of the same model."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    name: Filled
    means: Filled
    source: Filled
    read: date


@dataclass(frozen=True)
class _Known:
    """A model of the catalogue by its spellings: as sets of words."""

    entry: Entry
    spellings: tuple[frozenset[str], ...]

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset().union(*self.spellings)

    def has_size(self, sizes: Iterable[str]) -> bool:
        return all(size in self.words or _near(size, self.entry.model.parameters) for size in sizes)


def words_of(name: str) -> tuple[str, ...]:
    """A name's words, lower case, with letters and numbers apart: "Llama3.3-70B" is llama, 3.3, 70b."""
    return tuple(_WORD.findall(_PUBLISHER.sub("", _PLUS.sub("-plus", name.lower().replace("_", "-")))))


def find_by_name(name: str) -> Entry | None:
    """The one model of the catalogue that a name means; None where it means none, or several sizes."""
    words = words_of(name)
    if not any(word.isalpha() and word not in FORMS for word in words) or name.lower().endswith("-latest"):
        return None  # what a publisher's "-latest" is changes
    if any(word.isdigit() and words.count(word) > 1 for word in words):  # Llama 3_3 is no Llama 3
        pointed = with_point(name)
        return find_by_name(pointed) if pointed != name else None
    sizes = _sizes(words)
    asked = {word for word in words if word not in sizes}
    must = asked - FORMS
    found: list[tuple[int, Entry]] = []
    for known in _known():
        if must <= known.words and known.has_size(sizes):
            costs = [cost for spelling in known.spellings if (cost := _cost(asked, spelling, bool(sizes))) is not None]
            if costs:
                found.append((min(costs), known.entry))
    if not found:
        return None
    least = min(cost for cost, _ in found)
    best = [entry for cost, entry in found if cost == least]
    if least and not sizes and len({round(entry.model.parameters, -8) for _, entry in found}) > 1:
        return None
    return max(best, key=lambda entry: entry.released)


def find_by_repository(repository: str) -> Entry | None:
    """The model of the catalogue that a repository of the Hub holds, or was made from by quantizing; its own first."""
    if (own := _repositories().get(repository.lower())) is not None:
        return own
    return find_by_name(split_form(repository.rpartition("/")[2])[0])


def split_form(name: str) -> tuple[str, str]:
    """A repository's name without what quantizers end it with, and that: "Qwen3-32B" and "AWQ"."""
    parts = _NAME_PART.split(name)
    count = len(parts)
    while count > 1 and _FORM_PART.fullmatch(parts[count - 1]):
        count -= 2
    return "".join(parts[:count]), "".join(parts[count + 1 :])


def find_by_host_name(name: str) -> Entry | None:
    """The model that a host's name means, such as `meta.llama3-3-70b-instruct-v1:0`; None where it means none."""
    return next((found for text in spellings(name) if (found := find_by_repository(text)) is not None), None)


def find_by_ollama_name(name: str) -> Entry | None:
    """The model that a name of Ollama's library stands for, with or without its tag; None where it is not known."""
    for _ in range(3):
        meant = _ollama_names().get(name.lower().removesuffix(":latest"))
        if meant is None:
            break
        name = meant
    return find_by_name(name)


def _cost(asked: set[str], spelling: frozenset[str], sized: bool) -> int | None:
    """How much a spelling has that the name leaves out; None where it is another model's."""
    if not {word for word in asked if word not in FORMS} <= spelling:
        return None
    if "base" in asked and spelling & _THINKS:
        return None
    left_out = {word for word in spelling - asked if not _SIZE.fullmatch(word)}
    cost = 0 if sized else len([word for word in spelling - asked if _SIZE.fullmatch(word)])
    if sized and "distill" in left_out:  # Ollama files a model's distillations under the model's own name
        left_out -= {"distill", "qwen", "llama"}
        cost += 5
    for word in left_out:
        if word in _TUNED or _DETAIL.fullmatch(word):
            cost += 1
        elif _DATE.fullmatch(word) or _FIRST_VERSION.fullmatch(word) or (sized and word in _SIZE_WORDS):
            cost += 2
        elif word in _THINKS:
            cost += 3
        else:
            return None
    return cost


def _sizes(words: Iterable[str]) -> list[str]:
    return [word for word in words if _SIZE.fullmatch(word)]


def _near(size: str, parameters: int) -> bool:
    found = _SIZE.fullmatch(size)
    if found is None or not found[1]:
        return False
    return abs(parameters / (float(found[1]) * _UNITS[found[2]]) - 1) <= _SAME_SIZE


@cache
def _known() -> tuple[_Known, ...]:
    return tuple(
        _Known(
            entry,
            tuple(frozenset(words_of(text)) for text in (entry.id, entry.name, entry.hf_repo.rpartition("/")[2])),
        )
        for entry in catalogue().values()
    )


@cache
def _repositories() -> Mapping[str, Entry]:
    return {entry.hf_repo.lower(): entry for entry in catalogue().values()}


@cache
def _ollama_names() -> Mapping[str, str]:
    return read_ollama_names(OLLAMA_FILE)


def read_ollama_names(path: Path) -> Mapping[str, str]:
    """Whole names by the bare ones; raises DataError for a broken row."""
    return {row.name: row.means for row in read_rows(path, OllamaName, key=("name",))}
