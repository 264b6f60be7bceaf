"""The levels that may be recommended, best first, by the runtime that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.level_id import LevelId
from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS
from advisor.models.model import Model
from advisor.runtimes.registry import runtime_by
from advisor.sizing.runtime_id import RuntimeId

NO_VISIBLE_GAIN = "Q8_0"
NATIVE_LEVELS = ("MXFP4", "MXFP4-native")
_NATIVE = (LEVELS["MXFP4"].id, SAFETENSORS_LEVELS["MXFP4-native"].id)
_SMALL_MODEL = 4_000_000_000  # parameters; smaller models lose more to quantization and cost little to keep whole


@dataclass(frozen=True, slots=True)
class Subject:
    """What the sentences are about."""

    parameters: int
    machine_name: str
    licence: str = ""
    runtime: RuntimeId = RuntimeId.LLAMA_CPP  # whose levels are compared
    writes: bool = True  # False for encoders and rerankers


def looked_at(model: Model, subject: Subject) -> frozenset[str]:
    """The GGUF levels that a recommendation for `model` looks at: the ladder and what it is compared with."""
    offered = [level.id for level in LEVELS.values() if level.offered_for(model)]
    return frozenset((*(level.name for level in ladder(offered, subject)), NO_VISIBLE_GAIN))


def ladder(levels: Sequence[LevelId], subject: Subject) -> tuple[LevelId, ...]:
    """The levels among `levels` that may be recommended, best first; all of them where none is a usual one."""
    its = runtime_by(subject.runtime).ladder
    usual = its.usual
    if not subject.writes:
        # Nobody has measured what quantization costs vectors and scores, and these models are small: whole, then 8
        # bits.
        usual = (*its.reads, *usual)
    elif native := tuple(level for level in _NATIVE if level in levels):
        usual = (*native, *usual)
    elif subject.parameters < _SMALL_MODEL:
        usual = (*its.whole, *usual)
    known = tuple(level for level in usual if level in levels)
    return known or tuple(levels)
