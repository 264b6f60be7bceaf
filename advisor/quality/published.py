"""What a published checkpoint keeps, by the schemes of its Linear layers: they decide, not the bits of the whole file.

Embeddings and output head stay in 16 bit in most files, so that bits a weight say less the smaller the model is.
"""

from __future__ import annotations

from collections.abc import Sequence

from advisor.formats.safetensors_levels import SafetensorsLevel
from advisor.foundation.message import fact
from advisor.foundation.ranges import Range
from advisor.quality import ModelFacts, Quality, estimate_quality
from advisor.quality.level_groups import quality_level_of
from advisor.quality.tasks import DIVERGENCE

Parts = Sequence[tuple[str, SafetensorsLevel | None, float]]  # name, level that loses alike, share of the weights


def estimate_published(facts: ModelFacts, parts: Parts, task: str) -> Quality:
    """The quality of Linear layers in one scheme, or in several: then what each loses alone counts by its weights.

    That mean is a simple one: layers do not lose alike, and publishers give the sensitive ones more bits. So the range
    reaches at least from all layers in the worst scheme to all in the best.
    """
    unknown = [name for name, level, _ in parts if level is None]
    if unknown:
        return Quality(None, "unknown", 0, None, (), (fact("scheme_not_measured", scheme=unknown[0]),))
    each = [(estimate_quality(facts, quality_level_of(level), task), share) for _, level, share in parts if level]
    if len(each) == 1:
        return each[0][0]
    words = tuple(fact("share_in_scheme", share=share, scheme=name) for name, _, share in parts)
    packed = [found for found, _ in each if found.n]
    return Quality(
        _mean([(found.kept, share) for found, share in each]),
        "estimated",
        sum(found.n for found in packed),
        None if task == DIVERGENCE else _mean([(found.kld, share) for found, share in each]),
        max((found.evidence for found in packed), key=len, default=()),
        (fact("quality_of_schemes", parts=words),),
        sources=max((found.sources for found in packed), default=0),
    )


def _mean(parts: Sequence[tuple[Range | None, float]]) -> Range | None:
    """The weighted mean, its range widened to the typical values of the single parts."""
    known = [(found, share) for found, share in parts if found is not None]
    if len(known) < len(parts):
        return None
    low, typical, high = (
        sum(getattr(found, end) * share for found, share in known) for end in ("low", "typical", "high")
    )
    typicals = [found.typical for found, _ in known]
    return Range(min(low, *typicals), typical, max(high, *typicals))
