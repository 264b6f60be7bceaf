"""The blocks that carry a state of fixed size from token to token, whatever the length of the context."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from advisor.models.mixing import Mixing, Past
from advisor.models.tensors import Part, Role, bias, matrix, norm

RECURRENT = Role.RECURRENT


@dataclass(frozen=True, slots=True)
class Mamba2(Mixing):
    """State-space layer: convolution state and one state matrix per head, constant in context length."""

    recurrent: ClassVar[bool] = True

    inner: int
    state: int
    groups: int
    heads: int
    kernel: int
    convolution_bias: bool = True
    norm: bool = True

    @property
    def convolution_width(self) -> int:
        return self.inner + 2 * self.groups * self.state

    @property
    def state_elements(self) -> int:
        return self.state * self.inner

    def kept(self, width: int, gpus: int = 1) -> Past:
        """Groups that do not divide over the GPUs are repeated."""
        groups = self.groups if self.groups % gpus == 0 else gpus
        convolved = (self.inner + 2 * groups * self.state) // gpus
        return Past(convolution=(self.kernel - 1) * convolved, state=self.state_elements // gpus)

    @property
    def split_heads(self) -> int:
        return self.heads

    def parts(self, width: int) -> Iterator[Part]:
        yield matrix("ssm_in", width, self.inner + self.convolution_width + self.heads, RECURRENT)
        yield Part("ssm_conv1d.weight", (self.kernel, self.convolution_width), RECURRENT)
        if self.convolution_bias:
            yield bias("ssm_conv1d", self.convolution_width, RECURRENT)
        yield bias("ssm_dt", self.heads, RECURRENT)
        yield Part("ssm_a", (1, self.heads), RECURRENT)
        yield Part("ssm_d", (1, self.heads), RECURRENT)
        if self.norm:
            yield Part("ssm_norm.weight", (self.inner // self.groups, self.groups), Role.NORM)
        yield matrix("ssm_out", self.inner, width, RECURRENT)


@dataclass(frozen=True, slots=True)
class GatedDeltaNet(Mixing):
    """Linear attention of Qwen3-Next and Qwen3.5: a state matrix per value head."""

    recurrent: ClassVar[bool] = True
    module: ClassVar[str] = "linear_attn"

    key_heads: int
    value_heads: int
    key_size: int
    value_size: int
    kernel: int
    joint_beta_alpha: bool = False  # Qwen3-Next stores both gates as one matrix

    @property
    def convolution_width(self) -> int:
        return 2 * self.key_heads * self.key_size + self.value_heads * self.value_size

    @property
    def state_elements(self) -> int:
        return self.key_size * self.value_heads * self.value_size

    def kept(self, width: int, gpus: int = 1) -> Past:
        convolved = self.convolution_width // gpus
        return Past(convolution=(self.kernel - 1) * convolved, state=self.state_elements // gpus)

    @property
    def split_heads(self) -> int:
        return self.value_heads

    def parts(self, width: int) -> Iterator[Part]:
        value = self.value_heads * self.value_size
        yield matrix("attn_qkv", width, self.convolution_width, RECURRENT)
        yield matrix("attn_gate", width, value, RECURRENT)
        yield Part("ssm_conv1d.weight", (self.kernel, self.convolution_width), RECURRENT)
        yield bias("ssm_dt", self.value_heads, RECURRENT)
        yield Part("ssm_a", (self.value_heads,), RECURRENT)
        if self.joint_beta_alpha:
            yield matrix("ssm_ba", width, 2 * self.value_heads, RECURRENT)
        else:
            yield matrix("ssm_beta", width, self.value_heads, RECURRENT)
            yield matrix("ssm_alpha", width, self.value_heads, RECURRENT)
        yield from norm("ssm_norm", self.value_size)
        yield matrix("ssm_out", value, width, RECURRENT)


@dataclass(frozen=True, slots=True)
class KimiDelta(Mixing):
    """Kimi delta attention (KDA): delta net with a decay per channel and three convolutions."""

    recurrent: ClassVar[bool] = True

    heads: int
    head_size: int
    kernel: int
    full_gate: bool = False
    decay_as_matrix: bool = False  # Kimi Linear stores the decay as one row, later models as a vector

    @property
    def inner(self) -> int:
        return self.heads * self.head_size

    @property
    def convolution_width(self) -> int:
        return 3 * self.inner

    @property
    def state_elements(self) -> int:
        return self.head_size * self.inner

    def kept(self, width: int, gpus: int = 1) -> Past:
        convolved = self.convolution_width // gpus
        return Past(convolution=(self.kernel - 1) * convolved, state=self.state_elements // gpus)

    @property
    def split_heads(self) -> int:
        return self.heads

    def parts(self, width: int) -> Iterator[Part]:
        for name in ("ssm_conv1d_q", "ssm_conv1d_k", "ssm_conv1d_v"):
            yield Part(f"{name}.weight", (self.kernel, 1, self.inner), RECURRENT)
        for name in ("attn_q", "attn_k", "attn_v"):
            yield matrix(name, width, self.inner, RECURRENT)
        yield matrix("ssm_f_a", width, self.head_size, RECURRENT)
        yield matrix("ssm_f_b", self.head_size, self.inner, RECURRENT)
        yield matrix("ssm_beta", width, self.heads, RECURRENT)
        yield Part("ssm_a", (1, self.heads) if self.decay_as_matrix else (self.heads,), RECURRENT)
        yield bias("ssm_dt", self.inner, RECURRENT)
        if self.full_gate:
            yield matrix("ssm_g", width, self.inner, RECURRENT)
        else:
            yield matrix("ssm_g_a", width, self.head_size, RECURRENT)
            yield matrix("ssm_g_b", self.head_size, self.inner, RECURRENT)
        yield from norm("ssm_norm", self.head_size)
        yield matrix("attn_output", self.inner, width, RECURRENT)


@dataclass(frozen=True, slots=True)
class ShortConvolution(Mixing):
    """LFM2's gated short convolution: keeps the last few tokens only."""

    recurrent: ClassVar[bool] = True

    kernel: int

    def kept(self, width: int, gpus: int = 1) -> Past:
        return Past(convolution=(self.kernel - 1) * (width // gpus))

    def parts(self, width: int) -> Iterator[Part]:
        yield Part("shortconv.conv.weight", (self.kernel, width), RECURRENT)
        yield matrix("shortconv.in_proj", width, 3 * width, RECURRENT)
        yield matrix("shortconv.out_proj", width, width, RECURRENT)


@dataclass(frozen=True, slots=True)
class NgramLookup(Mixing):
    """Qwen4's n-gram embeddings: a hashed table is looked up, mixed into every stream, and convolved.

    The table itself belongs to the model, not to the layer.
    """

    streams: int
    kernel: int
    ngram: int

    def kept(self, width: int, gpus: int = 1) -> Past:
        """The convolution reaches back over whole n-grams in every stream; every GPU keeps it all."""
        return Past(convolution=(self.kernel - 1) * self.ngram * self.streams * width)

    def parts(self, width: int) -> Iterator[Part]:
        wide = self.streams * width
        yield matrix("ple_key", width, wide, RECURRENT)
        yield matrix("ple_value", width, width, RECURRENT)
        for name in ("ple_norm_key", "ple_norm_query", "ple_norm_conv"):
            yield Part(f"{name}.weight", (wide,), Role.NORM)
        yield matrix("ple_conv1d", self.kernel, wide, RECURRENT)


Recurrent = Mamba2 | GatedDeltaNet | KimiDelta | ShortConvolution
