"""Models of the catalogue for words that somebody typed, the likeliest first."""

from __future__ import annotations

import re
from functools import cache

from advisor.foundation.typed_words import Findable, Finder, Found
from advisor.models.catalogue import Entry, catalogue
from advisor.models.names import FORMS, find_by_host_name, words_of

# What a file's name says of its quantization.
_LEVEL = re.compile(
    r"(?<![a-z0-9])(?:ud[-_])?(?:i?q\d|[fb]+p?16|w\d+a\d+)(?:[_-](?:[klms]|x+[sl]|\d|k_[sml]|xxs))*(?![a-z0-9])"
)
_PLAIN = re.compile(r"instruct|it|chat|pt|hf|en|text|think|thinking|reasoning")
_SIZE = re.compile(r"(\d+x|[ae])?\d+(\.\d+)?[bmtek]")
_NAMED_BY_SIZE = re.compile(r"-[bcdf-z](\d+b)(?=-)")  # Command R7B is not Command R in 7B
_SIZE_NAMES = frozenset(
    (
        *("nano", "tiny", "mini", "micro", "small", "medium", "large", "lite", "super", "ultra"),
        *("air", "flash", "lightning", "pro", "plus", "max", "next", "scout", "maverick"),
    )
)
# In the unit of one word that makes it another kind of model, such as "coder" or "distill".
_SIZE_NAME, _VERSION, _THINKS, _YEAR = 0.3, 0.1, 0.3, 1.0


def find_models(typed: str, limit: int = 8) -> tuple[Found, ...]:
    """At most `limit` models that the words may mean, the best match first, among equals the newest.

    The words may be a name in part, a size, a publisher, a file's or a repository's name.
    """
    found = _finder().find(_typed_words(typed), limit)
    meant = find_by_host_name(typed[:300])
    if meant is None or (found and found[0].id == meant.id):
        return found
    return (Found(meant.id), *(one for one in found if one.id != meant.id))[:limit]


def the_only_model(typed: str) -> Entry | None:
    """The model that has all of the typed words where no other has: "qwen coder 30b"; None where several or none do."""
    words = {word for word in _typed_words(typed) if word not in FORMS}
    named = any(word.isalpha() and not _PLAIN.fullmatch(word) for word in words)
    if "/" in typed or not named or max(len(words), *map(len, words)) < 3:
        return None
    having = [entry for entry in catalogue().values() if words <= _findable(entry).words.keys()]
    return having[0] if len(having) == 1 else None


def _typed_words(typed: str) -> tuple[str, ...]:
    return words_of(_LEVEL.sub(" ", typed[:300].lower().rstrip("/").rpartition("/")[2]))


def suggest(name: str, n: int = 3) -> tuple[str, ...]:
    """Ids of up to `n` models that a name nothing goes by may have meant: of its family, its version and its size."""
    return tuple(
        found.id
        for found in find_models(name, n)
        if not any(word[-1].isdigit() or word[0].isdigit() for word in found.missed)
    )


@cache
def _finder() -> Finder:
    return Finder((_findable(entry) for entry in catalogue().values()), FORMS)


def _findable(entry: Entry) -> Findable:
    about = (entry.publisher, entry.family, entry.variant)
    words = {word: 0.0 for text in about for word in words_of(text) if word.isalpha()}
    words |= dict.fromkeys(words_of(entry.hf_repo.rpartition("/")[2]), 0.0)
    words |= {word: _cost(word) for text in (entry.id, entry.name) for word in words_of(text)}
    if not any(_SIZE.fullmatch(word) for word in words):  # people say "671b" all the same
        words[f"{entry.model_parameters / 1e9:.0f}b"] = 0.0
    words |= dict.fromkeys(_NAMED_BY_SIZE.findall(entry.id), 1.0)
    year, month = (int(part) for part in entry.released.split("-")[:2])
    return Findable(entry.id, words, -_YEAR * (year + month / 12 - 2000))


def _cost(word: str) -> float:
    if word in ("think", "thinking"):
        return _THINKS
    if word in FORMS or _PLAIN.fullmatch(word) or _SIZE.fullmatch(word):
        return 0.0
    if word[-1].isdigit():  # a version or a date
        return _VERSION
    return _SIZE_NAME if word in _SIZE_NAMES else 1.0
