"""What speaks for or against a way to run a level, known before it is planned."""

from __future__ import annotations

from advisor.answer.policy import GOOD_BITS
from advisor.answer.setups import Setup
from advisor.answer.utility import Traits
from advisor.formats.level_id import LevelId
from advisor.formats.levels import find_level
from advisor.formats.safetensors_levels import SafetensorsLevel, Scheme
from advisor.runtimes.vllm.kernels import multiplies_nvfp4
from advisor.sizing.runtime_id import RuntimeId

_WEIGHT_ONLY = frozenset({Scheme.GPTQ, Scheme.AWQ, Scheme.PACKED, Scheme.MXFP4})
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
        weight_only=engine in (RuntimeId.VLLM, RuntimeId.SGLANG)
        and isinstance(level, SafetensorsLevel)
        and level.bits == 4
        and (level.scheme in _WEIGHT_ONLY or (level.scheme is Scheme.NVFP4 and not _multiplies_nvfp4(setup))),
        idle_cards=not setup.all_cards,
    )


def _multiplies_nvfp4(setup: Setup) -> bool:
    """Whether the cards calculate with NVFP4: elsewhere it is one more 4-bit file whose weights are unpacked."""
    return setup.request.chip is not None and multiplies_nvfp4(setup.request.chip)
