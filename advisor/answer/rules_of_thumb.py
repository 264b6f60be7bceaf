"""The rules of thumb that articles repeat, next to what files and runs really take.

The rules: a 7B model takes 28 GB in FP32, 14 in FP16, 7 in INT8, 3.5 in INT4, 1.75 in INT2; Llama 3.1 70B takes
140 GB in FP16, 40 as Q4_K_M, 20 as Q2_K. GB is 1000^3 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import SizedLevel, size_level
from advisor.foundation.caches import kept_beside
from advisor.foundation.message import Message, fact
from advisor.foundation.units import GB
from advisor.models.lookup import find_model
from advisor.models.model import Model
from advisor.runtimes.llama_cpp.runtime import LLAMA_CPP
from advisor.sizing.memory import Device, Memory
from advisor.sizing.plan import rule_of_thumb_bytes
from advisor.sizing.request import Levels, PlanRequest
from advisor.sizing.settings import Settings

EXAMPLE_7B = "mistral-7b-instruct-v0.3"
EXAMPLE_70B = "llama-3.1-70b-instruct"
CONTEXT = 8192  # tokens of the run that is compared; less where a model was trained for less

# What the article says, in GB, and the level that is nearest to what it means.
_ARTICLE_7B = (
    ("FP32", 28, "F32"),
    ("FP16", 14, "F16"),
    ("INT8", 7, "Q8_0"),
    ("INT4", 3.5, "Q4_K_M"),
    ("INT4", 3.5, "Q4_0"),
    ("INT2", 1.75, "Q2_K"),
)
_ARTICLE_70B = (("FP16", 140, "F16"), ("Q4_K_M", 40, "Q4_K_M"), ("Q2_K", 20, "Q2_K"))
_BOUNDLESS = 1 << 60  # bytes: a device on which everything fits


@dataclass(frozen=True, slots=True)
class Comparison:
    """One rule next to the truth. `running_bytes`: weights, KV cache and buffers of one user at `context` tokens."""

    rule: str
    level: str
    rule_bytes: int
    file_bytes: int
    bits_per_weight: float
    running_bytes: int
    context: int
    reason: Message

    @property
    def error(self) -> float:
        """How far the rule is off the real file, as a fraction of it (negative: too low)."""
        return self.rule_bytes / self.file_bytes - 1


def article_7b() -> tuple[Comparison, ...]:
    """The article's figures for "a 7B model" against a real one."""
    return _against_article(EXAMPLE_7B, _ARTICLE_7B, 7)


def article_70b() -> tuple[Comparison, ...]:
    """The article's figures for Llama 3.1 70B."""
    return _against_article(EXAMPLE_70B, _ARTICLE_70B, 70)


@kept_beside
def applied_to(model: Model) -> tuple[Comparison, ...]:
    """Parameters x bits / 8 for a model, with its real number of parameters, against its files."""
    return tuple(
        _compare(model, rule, level, rule_of_thumb_bytes(model.parameters, LEVELS[level].nominal_bits), None)
        for rule, _, level in _ARTICLE_7B
    )


@lru_cache
def _against_article(
    model_id: str, figures: tuple[tuple[str, float, str], ...], said_billions: float
) -> tuple[Comparison, ...]:
    model = find_model(model_id).model
    return tuple(_compare(model, rule, level, int(said * GB), said_billions) for rule, said, level in figures)


def _compare(model: Model, rule: str, level: str, rule_bytes: int, said_billions: float | None) -> Comparison:
    settings = Settings(context=min(CONTEXT, model.context_length or CONTEXT))
    device = Memory((Device("device", _BOUNDLESS, 0),), None)
    plan = LLAMA_CPP.plan(PlanRequest(model, device, settings, stored=Levels(LEVELS[level].id)))[0]
    return Comparison(
        rule=rule,
        level=level,
        rule_bytes=rule_bytes,
        file_bytes=plan.sized.file_bytes,
        bits_per_weight=plan.sized.bits_per_weight,
        running_bytes=plan.needed_bytes + plan.host.needed_bytes,
        context=settings.context,
        reason=_reason(model, size_level(model, LEVELS[level]), rule_bytes, said_billions),
    )


def _reason(model: Model, sized: SizedLevel, rule_bytes: int, said_billions: float | None) -> Message:
    """Why the real file differs, in one or two sentences."""
    said_weights = model.parameters if said_billions is None else said_billions * 1e9
    bits = fact("rule_bits", bits=sized.bits_per_weight, rule=rule_bytes * 8 / said_weights)
    stored = _stored(sized)
    why = {
        "F32": fact("rule_f32"),
        "F16": fact("rule_f16"),
        "Q8_0": fact("rule_q8_0", bits=bits),
        "Q4_0": fact("rule_q4_0", bits=bits, stored=stored),
        "Q4_K_M": fact("rule_q4_k_m", bits=bits, stored=stored),
        "Q2_K": fact("rule_q2_k", bits=bits, stored=stored),
    }[sized.level.name]
    if said_billions is None:
        return why
    return fact("rule_parameters", parameters=model.parameters, said=said_billions, why=why)


def _stored(sized: SizedLevel) -> tuple[str, ...]:
    """The types of a file that are not plain numbers."""
    return tuple(sorted(kind for kind in sized.types if not kind.startswith(("F", "BF"))))
