"""The feed-forward blocks: dense and mixture of experts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from advisor.foundation.errors import InputError
from advisor.models.tensors import Part, Role, bias, matrix, norm


@dataclass(frozen=True, slots=True)
class Dense:
    """Up and down projection, usually with a gate.

    gate: "separate", "fused" (gate and up in one matrix, as Phi-3 stores them) or "none".
    """

    inner: int
    gate: str = "separate"
    bias: bool = False

    def parts(self, width: int) -> Iterator[Part]:
        up = self.inner * (2 if self.gate == "fused" else 1)
        if self.gate == "separate":
            yield from self._projection("ffn_gate", width, self.inner)
        yield from self._projection("ffn_up", width, up)
        yield from self._projection("ffn_down", self.inner, width)

    def _projection(self, name: str, columns: int, rows: int) -> Iterator[Part]:
        yield matrix(name, columns, rows, Role.FFN)
        if self.bias:
            yield bias(name, rows, Role.FFN)


@dataclass(frozen=True, slots=True)
class MixtureOfExperts:
    """Routed experts as fused three-dimensional tensors, optionally with experts that always run.

    `shared_inner` is the total inner size of the shared experts, 0 without. `latent` is the reduced
    width routed experts work in (Nemotron 3, Kimi K3), 0 without.
    """

    experts: int
    used: int
    inner: int
    gate: bool = True
    fused_gate_up: bool = False
    bias: bool = False  # biases on router and experts (gpt-oss)
    selection_bias: bool = False  # load-balancing bias of the router
    hashed_router: int = 0  # rows of a token-to-expert table that replaces the bias (DeepSeek V4)
    shared_inner: int = 0
    shared_gate: bool = False  # a scalar gate on the shared expert (Qwen)
    latent: int = 0
    latent_names: tuple[str, str] = ("ffn_latent_down", "ffn_latent_up")
    latent_norm: bool = False
    expert_scale: bool = False  # Gemma 4: per-expert output scale and router input scale
    dense: Dense | None = None  # a dense block that runs beside the experts (Gemma 4)

    def __post_init__(self) -> None:
        if not 1 <= self.used <= self.experts:
            raise InputError(
                "config.json: a token cannot use {used} of {experts} experts; it must be from 1 to all.",
                used=self.used,
                experts=self.experts,
            )

    def share_read(self, tokens: int) -> float:
        """The part of the routed experts that so many tokens read: each picks its own, and some are picked twice."""
        return 1 - (1 - self.used / self.experts) ** tokens

    def parts(self, width: int) -> Iterator[Part]:
        yield from self._router(width)
        yield from self._routed(self.latent or width)
        if self.latent:
            down, up = self.latent_names
            yield matrix(down, width, self.latent, Role.FFN)
            yield matrix(up, self.latent, width, Role.FFN)
            if self.latent_norm:
                yield from norm("ffn_routed_norm", self.latent)
        if self.shared_inner:
            if self.shared_gate:
                yield Part("ffn_gate_inp_shexp.weight", (width,), Role.ROUTER)
            if self.gate:
                yield matrix("ffn_gate_shexp", width, self.shared_inner, Role.FFN)
            yield matrix("ffn_up_shexp", width, self.shared_inner, Role.FFN)
            yield matrix("ffn_down_shexp", self.shared_inner, width, Role.FFN)
        if self.dense is not None:
            yield from self.dense.parts(width)

    def _router(self, width: int) -> Iterator[Part]:
        yield matrix("ffn_gate_inp", width, self.experts, Role.ROUTER)
        if self.bias:
            yield bias("ffn_gate_inp", self.experts, Role.ROUTER)
        if self.hashed_router:
            yield Part("ffn_gate_tid2eid.weight", (self.used, self.hashed_router), Role.ROUTER)
        if self.selection_bias:
            yield bias("exp_probs_b", self.experts, Role.ROUTER)
        if self.expert_scale:
            yield Part("ffn_gate_inp.scale", (width,), Role.ROUTER)

    def _routed(self, width: int) -> Iterator[Part]:
        if self.fused_gate_up:
            names = [("ffn_gate_up_exps", width, 2 * self.inner)]
        else:
            names = [("ffn_gate_exps", width, self.inner)] if self.gate else []
            names.append(("ffn_up_exps", width, self.inner))
        names.append(("ffn_down_exps", self.inner, width))
        for name, columns, rows in names:
            yield Part(f"{name}.weight", (columns, rows, self.experts), Role.EXPERTS)
            if self.bias:
                yield Part(f"{name}.bias", (rows, self.experts), Role.EXPERTS)
        if self.expert_scale:
            yield Part("ffn_down_exps.scale", (self.experts,), Role.EXPERTS)


FeedForward = Dense | MixtureOfExperts
