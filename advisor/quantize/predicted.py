"""Predicted against measured, figure by figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from advisor.foundation.ranges import Range
from advisor.foundation.units import MIB
from advisor.quantize.measure import Measured

Agreement = Literal["exact", "within the range", "outside the range", "differs", "no prediction"]
# How far a measurement may be from a point prediction that is no promise of exactness.
_MARGIN = 0.1
# Bytes that the growth of a process cannot tell apart: tokenizer, graph and pieces of the heap differ by as much.
_NOISE = MIB


@dataclass(frozen=True, slots=True)
class Predicted:
    """What the advisor said before the run; None where it said nothing. Bytes, tokens per second, nats per token.

    `tensor_bytes` and `file_bytes` promise exactness. `perplexity_increase` is a fraction of the reference's.
    """

    tensor_bytes: int | None = None
    file_bytes: int | None = None
    memory_bytes: int | None = None
    kl_divergence: Range | None = None
    perplexity_increase: Range | None = None
    same_top: Range | None = None
    prefill_per_s: Range | None = None
    decode_per_s: Range | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `difference` is measured over predicted minus one, None where that makes no sense."""

    figure: str
    unit: str
    predicted: Range | None
    measured: float
    difference: float | None
    agreement: Agreement


def compare(predicted: Predicted, measured: Measured, reference_perplexity: float) -> tuple[Row, ...]:
    """Every figure of the measurement beside its prediction."""
    quality, speed, memory = measured.quality, measured.speed, measured.memory
    held = () if memory is None else (_estimate("Memory", "bytes", _around(predicted.memory_bytes), memory.model),)
    return (
        _exact("Tensor data", predicted.tensor_bytes, measured.tensor_bytes),
        _exact("File", predicted.file_bytes, measured.file_bytes),
        *held,
        _estimate("KL divergence", "nats/token", predicted.kl_divergence, quality.kl_divergence),
        _estimate(
            "Perplexity increase", "", predicted.perplexity_increase, quality.perplexity / reference_perplexity - 1
        ),
        _estimate("Same first choice", "", predicted.same_top, quality.same_top),
        _estimate("Prompt", "tokens/s", predicted.prefill_per_s, speed.prefill_per_s.typical),
        _estimate("Generation", "tokens/s", predicted.decode_per_s, speed.decode_per_s.typical),
    )


def _around(value: int | None) -> Range | None:
    if value is None:
        return None
    margin = max(_MARGIN * value, _NOISE)
    return Range(max(0.0, value - margin), value, value + margin)


def _exact(figure: str, predicted: int | None, measured: int) -> Row:
    if predicted is None:
        return Row(figure, "bytes", None, measured, None, "no prediction")
    promised = Range(predicted, predicted, predicted)
    agreement: Agreement = "exact" if predicted == measured else "differs"
    return Row(figure, "bytes", promised, measured, measured / predicted - 1, agreement)


def _estimate(figure: str, unit: str, predicted: Range | None, measured: float) -> Row:
    if predicted is None:
        return Row(figure, unit, None, measured, None, "no prediction")
    # Of what may as well be nothing, a share says nothing.
    difference = measured / predicted.typical - 1 if predicted.low > 0 else None
    inside = predicted.low <= measured <= predicted.high
    return Row(figure, unit, predicted, measured, difference, "within the range" if inside else "outside the range")
