"""The whole answer as JSON: the compact answer with every level, what it rests on, and its bills.

`sizes` is in `advisor.report.sizes`, the compact answer in `advisor.report.compact`. Besides its keys: `question`,
`frontend_defaults`, `recommendation`, one object per level in `levels`, and of the plan that the decision is about its
`bills` and the `evidence` for its quality, by task, and its speed. An estimate is an object of low, typical and high;
null where it is not known. `measured_here` holds what was measured on this server of this model and level and kept as
evidence, besides the data release.
"""

from __future__ import annotations

from typing import Any

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.choices import choices
from advisor.answer.flips import flips
from advisor.answer.reasons import reasons
from advisor.foundation.message import fact
from advisor.foundation.ranges import Range
from advisor.foundation.turns import still_wanted
from advisor.quality import SCORED_TASKS
from advisor.quality.tasks import DIVERGENCE
from advisor.report.compact import answer_document
from advisor.report.cost_document import cost_document
from advisor.report.sizes import FORMAT
from advisor.sizing.plan import DeviceMemory
from advisor.words import say, say_all


def full_document(answer: Answer, query: str, *, whole_plans: bool = False, with_flips: bool = False) -> dict[str, Any]:
    """The compact answer with everything else that was computed."""
    compact = answer_document(answer, query, whole_plans=whole_plans, with_flips=with_flips)
    more = plan_document(answer)
    levels = more.pop("plans")
    shown = answer.shown
    return {
        **more,
        **compact,
        "model": more["model"] | compact["model"],
        "machine": more["machine"] | compact["machine"],
        "levels": levels,
        "evidence": _evidence(shown),
        "bills": None if shown.costs is None else cost_document(shown.costs),
    }


def _evidence(shown: Candidate) -> dict[str, Any]:
    """The measurements that quality and speed of a plan rest on, the nearest first."""
    qualities = {task: shown.quality_at(task) for task in SCORED_TASKS}
    measured = shown.speed.measurements if shown.speed is not None else ()
    return {
        "quality": {
            task: {
                "basis": quality.basis,
                "n": quality.n,
                "note": " ".join(say_all((*quality.notes, *quality.remarks))),
                "rows": [row.model_dump(mode="json") for row in quality.evidence],
            }
            for task, quality in qualities.items()
        },
        "speed": [row.model_dump(mode="json") for row in measured],
    }


def plan_document(answer: Answer) -> dict[str, Any]:
    """Everything computed for a question."""
    model, machine = answer.model, answer.machine
    return {
        "scenario": {**answer.question.values(), "query": answer.question.to_query()},
        "model": {
            "id": answer.entry.id,
            "name": answer.entry.name,
            "architecture": model.architecture,
            "parameters": model.parameters,
            "active_parameters": model.active_parameters,
            "mtp_parameters": model.mtp_parameters,
            "layers": len(model.layers),
            "context_length": model.context_length,
            "license": answer.entry.license,
            "source": say(answer.entry.source),
            "sources": list(answer.entry.sources),
            "as_of": answer.entry.as_of,
        },
        "machine": {
            "id": machine.id,
            "name": machine.name,
            "devices": len(answer.hardware.installed),
            "devices_used": len(answer.memory.devices),
            "name_of_all": answer.machine_name,
            "backend": answer.hardware.backend,
            "host_bandwidth_bytes_per_s": answer.hardware.host_bandwidth,
            "host_bandwidth_assumed": answer.hardware.host_bandwidth_assumed,
            "capacity_bytes": machine.capacity_bytes,
            "capacity_basis": say(machine.capacity_basis),
            "source": machine.source or say(fact("your_input")),
            "as_of": machine.as_of,
        },
        "frontend_defaults": [
            {"key": each.key, "value": each.value, "sentence": say(each.said), "source": each.source}
            for each in answer.taken
        ],
        "plans": [_plan(candidate) for candidate in answer.candidates],
        "recommendation": {
            "level": None if answer.chosen is None else answer.chosen.level,
            "reasons": list(say_all(reasons(answer))),
            "alternatives": [
                {"level": other.option.candidate.level, "reason": say(other.gain), "model": other.found.entry.id}
                for other in choices(answer)
            ],
            "in_the_way": [
                {"requirement": unmet.requirement, "sentence": say(unmet.message), "gap": unmet.gap}
                for unmet in answer.decided.unmet
            ],
            "flips": [say(flip.sentence) for flip in flips(answer)],
        },
        "notes": list(say_all(answer.notes)),
    }


def _plan(candidate: Candidate) -> dict[str, Any]:
    still_wanted()
    plan = candidate.plan
    return {
        "level": plan.level,
        "format": getattr(plan.sized, "format", FORMAT),
        "runtime": plan.runtime,
        "rules": plan.rules,
        "verdict": plan.verdict,
        "file_bytes": plan.sized.file_bytes,
        "bits_per_weight": round(plan.sized.bits_per_weight, 4),
        "devices": [_device(device) for device in plan.devices],
        "host": _device(plan.host),
        "placement": {
            "gpu_layers": plan.settings.gpu_layers,
            "cpu_moe_layers": plan.settings.cpu_moe_layers,
            "kv_on_host": plan.settings.kv_on_host,
            "split": plan.settings.split,
            "tensor_split": plan.settings.tensor_split,
        },
        "max_context": plan.max_context,
        "kv_tokens": plan.kv_tokens,
        "max_concurrency": plan.max_concurrency,
        "served_share": plan.served_share,
        "missing_bytes": plan.missing_bytes,
        "ways_out": [{"kind": way.kind, "value": way.value, "sentence": say(way.message)} for way in plan.ways_out],
        "rule_of_thumb_bytes": plan.rule_of_thumb_bytes,
        "speed": _speed(candidate),
        "quality": _quality(candidate),
        "kld": _range(candidate.quality_at(DIVERGENCE).kld),
        "measured_here": [row.model_dump(mode="json") for row in candidate.measured_here],
        "cost": None if candidate.costs is None else cost_document(candidate.costs),
        "notes": list(say_all(plan.notes)),
    }


def _speed(candidate: Candidate) -> dict[str, Any] | None:
    speed = candidate.speed
    if speed is None:
        return None
    return {
        "inputs_per_s": _range(speed.inputs_per_s),
        "decode_tokens_per_s": _range(speed.decode_tokens_per_s),
        "total_decode_tokens_per_s": _range(speed.total_decode_tokens_per_s),
        "prefill_tokens_per_s": _range(speed.prefill_tokens_per_s),
        "time_to_first_token_s": _range(speed.time_to_first_token_s),
        "basis": speed.basis,
        "n": speed.n,
        "sources": speed.sources,
        "backend": speed.backend,
        "drafting_gain": None if speed.gain is None else _range(speed.gain.times),
    }


def _quality(candidate: Candidate) -> dict[str, Any]:
    """By task: percent of the 16-bit score kept."""
    found = {task: candidate.quality_at(task) for task in SCORED_TASKS}
    return {
        task: {
            "low": quality.low,
            "typical": quality.typical,
            "high": quality.high,
            "basis": quality.basis,
            "n": quality.n,
            "sources": quality.sources,
        }
        for task, quality in found.items()
    }


def _range(estimate: Range | None) -> dict[str, float] | None:
    if estimate is None:
        return None
    return {"low": estimate.low, "typical": estimate.typical, "high": estimate.high}


def _device(device: DeviceMemory) -> dict[str, Any]:
    return {
        "name": device.name,
        "capacity_bytes": device.capacity_bytes,
        "weights_bytes": device.weights_bytes,
        "kv_cache_bytes": device.kv_cache_bytes,
        "compute_bytes": device.compute_bytes,
        "overhead_bytes": device.overhead_bytes,
        "draft_bytes": device.beside.draft,
        "projector_bytes": device.beside.projector,
        "adapter_bytes": device.beside.adapters,
        "mtp_bytes": device.beside.mtp,
        **({"used_bytes": device.used_bytes} if device.used_bytes else {}),
    }
