"""What every block that mixes tokens answers for itself, so that no runtime has to ask it what class it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from advisor.models.indexer import Indexer
from advisor.models.tensors import Part


@dataclass(frozen=True, slots=True)
class Pool:
    """Keys of older tokens, `ratio` of them pooled into one. `width`: elements of a pooled key.

    Tokens not yet pooled are kept as values and scores, in overlapping pools those of two pools, each twice as wide.
    """

    width: int
    ratio: int
    overlap: int

    @property
    def waiting(self) -> int:
        """Elements per sequence of the tokens not yet pooled."""
        return 2 * (self.overlap * self.width) * (self.overlap * self.ratio)


@dataclass(frozen=True, slots=True)
class Past:
    """What a block keeps of the past, in elements; runtimes know in how many bytes, and how they round.

    `keys` and `values` are per token: of the last `window` tokens, or of all (0). `chunked`: the window starts with
    each chunk. `latent`: values are part of the keys. `indexer` keeps a key of its own for every token, `pools` keep
    older tokens pooled. `convolution` (inputs of the last tokens) and `state` are per sequence.
    """

    keys: int = 0
    values: int = 0
    window: int = 0
    chunked: bool = False
    latent: bool = False
    indexer: Indexer | None = None
    pools: tuple[Pool, ...] = ()
    convolution: int = 0
    state: int = 0

    @property
    def only_tokens(self) -> bool:
        """Nothing but keys and values."""
        return bool(self.keys) and not (self.indexer or self.pools or self.convolution or self.state)


@dataclass(frozen=True, slots=True)
class CachedHeads:
    """How many heads' keys and values are cached, and the elements of each; zeros where no heads are cached."""

    count: int = 0
    key_size: int = 0
    value_size: int = 0


@dataclass(frozen=True, slots=True)
class Mixing:
    """The answers of a block that keeps nothing and compares nothing; each kind of block gives its own.

    `recurrent`: carries a state from token to token instead of looking at each. `module` is what repositories call the
    part of the network whose matrices share GGUF names with attention's, empty where they share none.
    """

    recurrent: ClassVar[bool] = False
    module: ClassVar[str] = ""

    def parts(self, width: int) -> Iterator[Part]:
        """Its tensors as llama.cpp stores them; `width` is the size of the residual stream."""
        raise NotImplementedError(type(self).__name__)

    def kept(self, width: int, gpus: int = 1) -> Past:
        """What it keeps of the past, on each of `gpus` GPUs that share its heads."""
        return Past()

    @property
    def cached_heads(self) -> CachedHeads:
        return CachedHeads()

    @property
    def split_heads(self) -> int:
        """Heads that tensor parallelism divides over GPUs, 0 without any."""
        return 0

    @property
    def rotary_size(self) -> int:
        """Elements of a head that sines and cosines of the position are kept for."""
        return 0

    @property
    def products_per_cell(self) -> int:
        """Multiplications that one token spends on one earlier token it attends to."""
        return 0

    @property
    def products_unpacked(self) -> int:
        """The same where a prompt's keys and values are unpacked before, as vLLM reads one."""
        return self.products_per_cell
