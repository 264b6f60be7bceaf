"""Cases about quality and methods: the blind test, what GPTQ and AWQ gain, and how a GGUF file spends its bits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

from advisor.answer.case import Case, Outcome, Worked, ask
from advisor.answer.cases_of_advice import BOARD_MODELS
from advisor.answer.policy import VISIBLE_POINTS
from advisor.answer.rules_of_thumb import EXAMPLE_70B
from advisor.formats.ggml_types import Type
from advisor.formats.gguf_levels import LEVELS, Level, row_bytes
from advisor.formats.gguf_sizes import grouped_tensors, size_level
from advisor.foundation.message import Message, Span, fact
from advisor.models.lookup import find_model
from advisor.models.model import Model
from advisor.quality import estimate_quality
from advisor.quality.claims import claims
from advisor.quality.methods import Method, gains, same_next_token

_BLIND_LEVEL = "Q4_K_M"
_BLIND_MODELS = ("llama-3.2-1b-instruct", *BOARD_MODELS)
_EASY, _HARD = "chat", ("math", "code")
_ARTICLE_LEAST = 95.0  # percent that 4 bits keep in the article
_MOST = 2 / 3  # of pairs, from which a method is better and not just lucky
_BLOCK = 256  # weights: a multiple of every type's block


def blind(case: Case, today: date) -> Worked:
    """Whether anybody would notice 4 bits: in published scores, in what each of some models loses, token by token."""
    claim = next(one for one in claims() if one.id == "int4")
    losses = {model: _losses(model) for model in _BLIND_MODELS}
    easy = [model for model, (loss, _) in losses.items() if loss > VISIBLE_POINTS]
    hard = [model for model, (_, loss) in losses.items() if loss > VISIBLE_POINTS]
    worst = max(losses, key=lambda model: losses[model][1])
    facts = [
        fact(
            "case_scores",
            scores=claim.n,
            median=claim.numbers["median"],
            range=Span(claim.numbers["p10"], claim.numbers["p90"]),
        ),
        fact(
            "case_seen",
            level=_BLIND_LEVEL,
            models=len(losses),
            points=VISIBLE_POINTS,
            easy=len(easy),
            hard=len(hard),
            worst=find_model(worst).name,
            loss=losses[worst][1],
        ),
    ]
    if tokens := same_next_token(_BLIND_LEVEL):
        facts.append(
            fact("case_next_token", level=_BLIND_LEVEL, figures=len(tokens), range=Span(tokens[0], tokens[-1]))
        )
    outcome: Outcome = "holds with a condition"
    condition: Message | None = fact("case_if_unseen", unseen=len(losses) - len(hard), models=len(losses))
    if claim.numbers["median"] < _ARTICLE_LEAST or len(easy) == len(losses):
        outcome, condition = "does not hold", None
    elif not hard:
        outcome, condition = "holds", None
    return Worked(case, outcome, tuple(facts), (ask(case.query, today),), condition)


def _losses(model: str) -> tuple[float, float]:
    """Points lost over all tasks together, and at the hardest."""

    def loss(task: str) -> float:
        kept = estimate_quality(model, _BLIND_LEVEL, task).kept
        return 0.0 if kept is None else 100 - kept.typical

    return loss(_EASY), max(loss(task) for task in _HARD)


# ------------------------------------------------------------------------------------------------ GPTQ, AWQ


def calibrated(case: Case, method: Method, today: date) -> Worked:
    """How a method works, and what it gains over plain rounding: it holds where it wins most pairs at all bits."""
    found = gains(method)
    asked = ask(case.query, today)
    facts = (
        _how(method),
        *(
            fact(
                "case_gain",
                bits=gain.bits,
                points=gain.points,
                share=100 * gain.share_better,
                pairs=gain.n,
                networks=gain.networks,
            )
            for gain in found
        ),
        fact("case_file", model=asked.model, level=asked.level, file=asked.file_bytes),
    )
    clear = tuple(gain.bits for gain in found if gain.points > 0 and gain.share_better >= _MOST)
    if not clear:
        return Worked(case, "does not hold", facts, (asked,))
    if len(clear) == len(found):
        return Worked(case, "holds", facts, (asked,))
    condition = fact("case_if_bits", bits=clear, most=100 * _MOST)
    return Worked(case, "holds with a condition", facts, (asked,), condition)


def _how(method: Literal["gptq", "awq"]) -> Message:
    return fact("gptq_how") if method == "gptq" else fact("awq_how")


# ------------------------------------------------------------------------------------------------ GGUF


@dataclass(frozen=True, slots=True)
class Spent:
    """Bits a weight of every large tensor of each layer: `rows` are tensors by name, in each a figure a layer."""

    level: str
    rows: tuple[tuple[str, tuple[float, ...]], ...]


def spent(model_id: str = EXAMPLE_70B, level: str = _BLIND_LEVEL) -> Spent:
    """How a level spends its bits in a model."""
    found: dict[str, list[float]] = {}
    for name, layer, bits in _bits(find_model(model_id).model, LEVELS[level]):
        if layer is not None:
            found.setdefault(name, []).append(bits)
    return Spent(level, tuple((name, tuple(bits)) for name, bits in found.items()))


def _bits(model: Model, level: Level) -> Iterator[tuple[str, int | None, float]]:
    """Name without its block, block, and bits a weight of the tensors that a level quantizes."""
    grouped = grouped_tensors(model)
    types = grouped.types(level, imatrix=False)
    for tensor, number in grouped.members:
        if types[number] not in (Type.F32, Type.F16, Type.BF16):
            name = tensor.name.removesuffix(".weight").rpartition(".")[2]
            yield name, tensor.layer, row_bytes(types[number], _BLOCK) * 8 / _BLOCK


def one_file(case: Case, today: date) -> Worked:
    """That GGUF has many levels, and that a level gives some tensors more bits than others."""
    asked = ask(case.query, today)
    model = find_model(EXAMPLE_70B)
    level = LEVELS[asked.level]
    bits = Counter(bits for _, _, bits in _bits(model.model, level))
    usual, tensors = bits.most_common(1)[0]
    more = sum(count for each, count in bits.items() if each > usual)
    facts = (
        fact("gguf_how"),
        fact(
            "case_mixture",
            levels=sum(one.offered_for(model.model) for one in LEVELS.values()),
            level=level.name,
            model=model.name,
            tensors=tensors,
            usual=usual,
            more=more,
            most=max(bits),
            bits=size_level(model.model, level).bits_per_weight,
        ),
    )
    return Worked(case, "holds" if more else "does not hold", facts, (asked,))
