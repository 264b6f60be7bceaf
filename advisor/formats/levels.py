"""Levels by what people and links call them: a name, or where two formats share it, "GGUF:Q4_K_M"."""

from __future__ import annotations

from advisor.formats.gguf_levels import LEVELS, PUBLISHERS_LEVELS, Level
from advisor.formats.level_id import GGUF, LevelId
from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS, SafetensorsLevel, find_safetensors_level
from advisor.foundation.errors import InputError, choose_one_of, nearest, one_line, resembling


def find_level(text: str) -> Level | SafetensorsLevel:
    """The level of this name, alone or behind its format; a name that two formats share is GGUF's, as in links from
    before they did. Raises InputError for what names none.
    """
    family, _, name = text.rpartition(":")
    found: Level | SafetensorsLevel | None = LEVELS.get(name) or PUBLISHERS_LEVELS.get(name)
    if found is not None and family.lower() in ("", GGUF.lower()):
        return found
    try:
        found = find_safetensors_level(name)
    except InputError:
        found = None
    if found is None or family.lower() not in ("", found.format):
        known = PUBLISHERS_LEVELS if name.upper().startswith("UD-") else (*LEVELS, *SAFETENSORS_LEVELS)
        hint = nearest(text, known) or choose_one_of(LEVELS)
        raise InputError("Unknown level '{words}'; {hint}", resembling(text, known), words=one_line(text), hint=hint)
    return found


def means(text: str, level: LevelId) -> bool:
    """Whether links and records that say `text` mean this level."""
    return text == str(level) or (text == level.name and (level.format == GGUF or level.name not in LEVELS))


def written(level: LevelId) -> str:
    """The shortest text that means this level."""
    return level.name if means(level.name, level) else str(level)
