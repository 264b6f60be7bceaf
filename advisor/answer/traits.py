"""What speaks for or against a way to run a level, known before it is planned."""

from __future__ import annotations

from advisor.answer.policy import GOOD_BITS
from advisor.answer.setups import Setup
from advisor.answer.utility import Traits
from advisor.formats.level_id import LevelId
from advisor.formats.levels import find_level
from advisor.formats.safetensors_levels import SafetensorsLevel, Scheme
from advisor.runtimes.support import supports

# MLX packs as well, and serves few.
_WEIGHTS_ONLY = frozenset({Scheme.GPTQ, Scheme.AWQ, Scheme.PACKED, Scheme.NF4})
_FAST_CODEBOOKS = frozenset({"cuda", "rocm"})


def traits_of(setup: Setup, level_id: LevelId | None, native: bool) -> Traits:
    """Of a level in a setup; None: of a file as it is. `native`: the model was published in it."""
    level = None if level_id is None else find_level(str(level_id))
    engine = setup.runtime.engine
    name = "" if level_id is None else level_id.name
    bits = GOOD_BITS if level is None else level.nominal_bits
    return Traits(
        engine=engine,
        common=native or level_id in setup.runtime.ladder.common,
        bits=max(GOOD_BITS, bits) if native else bits,
        codebook=name.startswith("IQ"),
        codebook_slow=setup.hardware.backend not in _FAST_CODEBOOKS or not setup.hardware.cards,
        idle_cards=not setup.all_cards,
        one_desk=setup.hardware.machine.unified,
        unpacked=isinstance(level, SafetensorsLevel) and not native and _is_unpacked(setup, level),
    )


def _is_unpacked(setup: Setup, level: SafetensorsLevel) -> bool:
    """Whether a server turns its few bits into 16 to compute, by the level's nature or for want of such arithmetic."""
    chip = setup.request.chip
    if level.nominal_bits >= 8 or chip is None:
        return False
    return level.scheme in _WEIGHTS_ONLY or bool(supports(setup.runtime.engine, level, chip).notes)
