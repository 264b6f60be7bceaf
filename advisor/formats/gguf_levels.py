"""The GGUF levels llama.cpp's quantizer offers, and what each starts from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from advisor.formats.ggml_types import BLOCKS, Type
from advisor.formats.level_id import GGUF, LevelId
from advisor.foundation.message import Message, fact
from advisor.models.model import Model

NATIVE_MIX = "MXFP4_MOE"  # what llama.cpp's authors made of models that were published in MXFP4

# Whose rules for types, caches and buffers the engine follows.
LLAMA_CPP_RULES = "llama.cpp commit 0c1e57098 of October 2026"


@dataclass(frozen=True, slots=True)
class Level:
    """One choice within the GGUF format.

    `base` is the type most tensors get. `nominal_bits` is what the rule of thumb "parameters x bits / 8"
    would use. `needs_imatrix` says the quantizer refuses it without an importance matrix for ordinary
    models. `note` warns about levels that are not general-purpose. `like` is the stock level that a publisher's own
    one is nearest to: by that its bytes are spread over the tensors, as no rule knows its mix.
    """

    name: str
    base: Type
    nominal_bits: float
    needs_imatrix: bool = False
    note: Message | None = None
    native_only: bool = False  # only for models published in this very type
    like: str = ""

    @property
    def stock(self) -> Level:
        """The level itself, of a publisher's own the stock level that it is like."""
        return LEVELS[self.like] if self.like else self

    @property
    def id(self) -> LevelId:
        return LevelId(GGUF, self.name)

    def offered_for(self, model: Model) -> bool:
        return not self.native_only or model.wiring.repository.native_mxfp4


_TRAINED_FOR = fact("level_trained_for")

LEVELS: dict[str, Level] = {
    level.name: level
    for level in (
        Level("F32", Type.F32, 32),
        Level("F16", Type.F16, 16),
        Level("BF16", Type.BF16, 16),
        Level("Q8_0", Type.Q8_0, 8),
        Level("Q6_K", Type.Q6_K, 6),
        Level("Q5_K_M", Type.Q5_K, 5),
        Level("Q5_K_S", Type.Q5_K, 5),
        Level("Q5_1", Type.Q5_1, 5),
        Level("Q5_0", Type.Q5_0, 5),
        Level("Q4_K_M", Type.Q4_K, 4),
        Level("Q4_K_S", Type.Q4_K, 4),
        Level("Q4_1", Type.Q4_1, 4),
        Level("Q4_0", Type.Q4_0, 4),
        Level("IQ4_NL", Type.IQ4_NL, 4),
        Level("IQ4_XS", Type.IQ4_XS, 4),
        Level("MXFP4", Type.MXFP4, 4, note=fact("level_as_published"), native_only=True),
        Level("MXFP4_MOE", Type.MXFP4, 4, note=fact("level_for_experts")),
        Level("Q3_K_L", Type.Q3_K, 3),
        Level("Q3_K_M", Type.Q3_K, 3),
        Level("Q3_K_S", Type.Q3_K, 3),
        Level("IQ3_M", Type.IQ3_S, 3),
        Level("IQ3_S", Type.IQ3_S, 3),
        Level("IQ3_XS", Type.IQ3_S, 3, needs_imatrix=True),
        Level("IQ3_XXS", Type.IQ3_XXS, 3, needs_imatrix=True),
        Level("Q2_K", Type.Q2_K, 2),
        Level("Q2_K_S", Type.Q2_K, 2, needs_imatrix=True),
        Level("IQ2_M", Type.IQ2_S, 2, needs_imatrix=True),
        Level("IQ2_S", Type.IQ2_XS, 2, needs_imatrix=True),
        Level("IQ2_XS", Type.IQ2_XS, 2, needs_imatrix=True),
        Level("IQ2_XXS", Type.IQ2_XXS, 2, needs_imatrix=True),
        Level("TQ2_0", Type.TQ2_0, 2, note=_TRAINED_FOR),
        Level("TQ1_0", Type.TQ1_0, 1.6, note=_TRAINED_FOR),
        Level("IQ1_M", Type.IQ1_M, 1, needs_imatrix=True),
        Level("IQ1_S", Type.IQ1_S, 1, needs_imatrix=True),
    )
}


def _own(name: str, like: str) -> Level:
    return replace(LEVELS[like], name=name, like=like, needs_imatrix=True)


# What publishers call mixes of their own: bytes are known of single files, and only these can be planned. "UD" are
# unsloth's, "_L" and "_XL" else those with the embeddings in 8 bits.
PUBLISHERS_LEVELS: dict[str, Level] = {
    level.name: level
    for level in (
        *(
            _own(f"UD-{name}", name)
            for name, level in LEVELS.items()
            if 1 <= level.nominal_bits <= 6 and not level.note
        ),
        *(_own(f"UD-Q{bits}_K_XL", like) for bits, like in ((2, "Q2_K"), (3, "Q3_K_M"), (4, "Q4_K_M"), (5, "Q5_K_M"))),
        *(_own(f"UD-Q{bits}_K_XL", like) for bits, like in ((6, "Q6_K"), (8, "Q8_0"))),
        *(
            _own(name, like)
            for name, like in (
                ("UD-TQ1_0", "IQ1_S"),
                ("UD-Q2_K_L", "Q2_K"),
                ("UD-Q4_K_L", "Q4_K_M"),
                ("UD-Q6_K_S", "Q6_K"),
                ("UD-Q6_K_M", "Q6_K"),
                ("UD-Q6_K_L", "Q6_K"),
                ("UD-Q8_K_L", "Q8_0"),
            )
        ),
        *(_own(name, like) for name, like in (("Q2_K_L", "Q2_K"), ("Q3_K_XL", "Q3_K_L"), ("Q4_K_L", "Q4_K_M"))),
        *(_own(name, like) for name, like in (("Q5_K_L", "Q5_K_M"), ("Q6_K_L", "Q6_K"))),
    )
}


def block_size(kind: Type) -> int:
    """Elements per block."""
    return BLOCKS[kind][0]


def row_bytes(kind: Type, elements: int) -> int:
    """Bytes of `elements` stored as `kind`; `elements` is a multiple of the block size."""
    block, size = BLOCKS[kind]
    return elements // block * size
