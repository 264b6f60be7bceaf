"""A finished run as evidence: its measurements with the conditions they were made under."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from advisor.foundation.errors import InputError
from advisor.quantize.runs import Run
from advisor.sources.local_measurements import LocalMeasurement, LocalSpeed, repository_key, same_tensors


def may_be(run: Run) -> tuple[str, ...]:
    """Catalogue ids that a run's model may be: () where its name or its tensors leave no doubt.

    A folder or file says what its tensors are, not what was trained into them.
    """
    if run.request.source in ("hub", "tinylm"):
        return ()
    known = {(result.get("model", ""), result.get("parameters", 0)) for result in run.result.values()}
    return tuple(model_id for key, parameters in sorted(known) for model_id in same_tensors(key, parameters))


def measurements_of(run: Run, model_id: str = "") -> tuple[LocalMeasurement, ...]:
    """What a finished run measured, level by level; raises InputError where there is nothing to keep.

    `model_id` is the catalogue's model that a folder or file holds, one of `may_be`; "" where it is none of them.
    """
    measured = [result for result in run.result.values() if "quality" in result]
    if run.state != "done" or not measured:
        raise InputError("Only finished runs that measured perplexity can be kept as evidence.")
    if model_id and model_id not in may_be(run):
        raise InputError("This model has other tensors than the one that was measured.")
    try:
        return tuple(_measurement(run, result, model_id) for result in measured)
    except (KeyError, TypeError, ValueError, ValidationError):
        raise InputError("An older version made this run without noting all conditions: start it again.") from None


def _measurement(run: Run, result: Mapping[str, Any], model_id: str) -> LocalMeasurement:
    quality = result["quality"]
    key = repository_key(run.request.location) if run.request.source == "hub" else model_id or result["model"]
    modifier = result.get("modifier")
    return LocalMeasurement(
        run=run.id,
        measured_on=run.changed_at.date().isoformat(),
        model=key,
        name=run.request.name,
        level=result["level"],
        made_by=f"llmcompressor, {modifier}" if modifier else run.request.program,
        imatrix=bool(result.get("imatrix")),
        engine=result["engine"],
        text=result.get("text", ""),
        context=result.get("context", 0),
        file_bytes=result["file_bytes"],
        reference_perplexity=result["reference_perplexity"],
        **{name: value for name, value in quality.items() if name != "perplexity_error"},
        speed=_speed(result) if "speed" in result else None,
    )


def _speed(result: Mapping[str, Any]) -> LocalSpeed:
    speed = result["speed"]
    return LocalSpeed(
        prefill=speed["prefill_per_s"],
        decode=speed["decode_per_s"],
        prompt_tokens=speed["prompt_tokens"],
        cpu=result["cpu"],
        machine=result["machine"],
        threads=speed["threads"],
        busy=speed["busy"],
    )
