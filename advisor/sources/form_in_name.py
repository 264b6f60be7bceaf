"""The level that a repository's name tells, for where its files cannot be read: "Qwen3-32B-AWQ", "...-quantized.w4a16".

Names say the method and seldom more; the rest is what most repositories of such a name hold
(`tests/truth/published_checkpoints.csv`). Where a publisher's own file is known, that is meant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.level_id import GGUF, LevelId
from advisor.formats.levels import written
from advisor.models.catalogue import Entry
from advisor.models.names import split_form
from advisor.sources.gguf_model import level_of_name

_WORD = re.compile(r"[a-z0-9]+")
_FOUR_BITS, _EIGHT_BITS = frozenset({"4bit", "int4", "w4a16"}), frozenset({"8bit", "int8"})
_PER_TENSOR = frozenset({"nvidia", "redhatai", "neuralmagic"})  # in whose "-FP8" a tensor has one scale
_BY_WORD: Mapping[str, str] = {
    **dict.fromkeys(("nvfp4", "fp4"), "NVFP4"),
    "mxfp8": "MXFP8",
    "w8a8": "W8A8-INT8",
    "w8a16": "W8A16-channel",
    "w4a16": "W4A16-g128",
}
_MLX = re.compile(r"(?:^|-)([2-68])bit")


def level_in_name(repository: str, entry: Entry | None) -> str | None:
    """The level of the files in `owner/name`, or in a bare name, that hold `entry`; None where nothing tells it."""
    if entry is None or repository.lower() == entry.hf_repo.lower():
        return None
    owner, _, name = repository.lower().rpartition("/")
    form = split_form(name)[1]
    words, publisher = frozenset(_WORD.findall(form)), entry.hf_repo.partition("/")[0].lower()
    for file in entry.own_files:
        alike = owner in ("", publisher) and file.format in words
        if alike or file.repo.lower() == repository.lower():
            return written(LevelId(file.format, file.level))
    if GGUF.lower() not in words and (level := _level(owner, form, words, owner == publisher)) is not None:
        return level
    return named if (named := level_of_name(form)) in LEVELS else None


def _level(owner: str, form: str, words: frozenset[str], its_publishers: bool) -> str | None:
    if "mlx" in words or owner == "mlx-community":
        return f"MLX-{bits[1]}bit-g64" if (bits := _MLX.search(form)) else None
    if found := next((_BY_WORD[word] for word in sorted(words) if word in _BY_WORD), None):
        return found
    if "bnb" in words:
        return "INT8-bnb" if words & _EIGHT_BITS else "NF4"
    if "fp8" in words:
        if "dynamic" in words or "block" in words:
            return "FP8-dynamic" if "dynamic" in words else "FP8-block128"
        return "FP8-static" if owner in _PER_TENSOR else "FP8-block128" if its_publishers else "FP8-dynamic"
    if "awq" in words:  # by llm-compressor, whose users add the bits, 32 inputs share a scale
        return "W4A16-g32" if words & _FOUR_BITS else "AWQ-W4A16-g128"
    if "gptq" in words:
        return f"GPTQ-W{8 if words & _EIGHT_BITS else 4}A16-g128"
    return None
