"""What no machine helps: where a model cannot be run as asked."""

from __future__ import annotations

from advisor.answer.extending import MOST_TIMES, most_context
from advisor.formats.gguf_levels import Level
from advisor.formats.levels import find_level
from advisor.foundation.errors import InputError
from advisor.models.model import Model
from advisor.question.configuration import Workload


def check_limits(level: str | None, work: Workload, model: Model, name: str) -> None:
    """Raise InputError in one sentence where the model cannot be run as asked."""
    limit, most = model.context_length, most_context(model)
    if limit is not None and most is not None and work.context > most:
        if most > limit:
            raise InputError(
                "context={context:,} is more than {times} times what {name} was trained for: at most {most:,} tokens, "
                "and up to {limit:,} without stretching its positions.",
                context=work.context,
                times=MOST_TIMES,
                name=name,
                most=most,
                limit=limit,
            )
        raise InputError(
            "context={context:,} is beyond what {name} was trained for: at most {limit:,} tokens.",
            context=work.context,
            name=name,
            limit=limit,
        )
    if work.context_used is not None and work.context_used > work.context:
        raise InputError(
            "context_used={context_used:,} is more than the context of {context:,} tokens.",
            context_used=work.context_used,
            context=work.context,
        )
    stored = None if level is None else find_level(level)
    if isinstance(stored, Level) and not stored.offered_for(model):
        raise InputError(
            "Level {level} is only for models published in it; {name} is not.", level=str(level), name=name
        )
