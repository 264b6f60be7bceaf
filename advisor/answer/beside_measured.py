"""A measurement of one's own beside what the engine predicts for the same conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from advisor.answer.answer import Answer, answer
from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import size_level
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, sentence
from advisor.foundation.ranges import Range
from advisor.foundation.units import GIB
from advisor.machines.catalogue import machine, machines
from advisor.models.catalogue import catalogue
from advisor.question.question import Question
from advisor.sizing.runtime_id import RuntimeId
from advisor.sources.pastes.measured import MeasuredRate, PastedRun
from advisor.speed.backends import default_backend
from advisor.speed.measurements import Measurement

Unit = Literal["tokens/s", "bytes", "tokens", "requests"]
_OFF = 0.02
_OTHER_SIZE = 0.06  # of a file: publishers' mixes and importance matrices stay within
_MOST_RATES = 12  # each is a question of its own
_NOWHERE = "https://example.org"


@dataclass(frozen=True, slots=True)
class Beside:
    """One figure: `predicted` is None where the engine has none for these conditions. `query` asks for it again."""

    what: str
    unit: Unit
    measured: float
    predicted: Range | None
    query: str | None = None

    @property
    def inside(self) -> bool | None:
        """Whether it lies in the predicted range; a size, which is predicted as one figure, within 2 %."""
        if self.predicted is None:
            return None
        off = 0.0 if self.unit == "tokens/s" else _OFF * self.predicted.typical
        return self.predicted.low - off <= self.measured <= self.predicted.high + off


def conditions_of(run: PastedRun, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The question that the run answers: what the text tells, and for the rest what is asked."""
    told: dict[str, Any] = {"model": run.model_id, "level": run.level, "backend": run.backend}
    if run.machine is not None and run.machine != asked.get("machine"):
        told["machine"] = run.machine
        # What was said of another machine is no longer true.
        asked = {key: value for key, value in asked.items() if key not in _OF_A_MACHINE}
        if not machine(run.machine).unified:
            told["gpus"] = max(1, len(run.devices))
    values = {**asked, **run.conditions, **{key: value for key, value in told.items() if value is not None}}
    if run.tool in ("ollama log", "llama.cpp log", "llama-bench"):
        values.setdefault("users", 1)
    return values


_OF_A_MACHINE = frozenset(
    (
        *("gpus", "memory_gib", "bandwidth_gb_s", "other_machine", "other_gpus", "use_gpus", "host_memory_gib"),
        *("overhead_mib", "used_mib", "host_used_mib", "tensor_split", "split", "host_bandwidth_gb_s"),
        *("ram_type", "ram_channels", "ram_sockets", "wired_limit_mb", "backend", "runtime"),
    )
)


def beside(run: PastedRun, asked: Mapping[str, Any]) -> tuple[Beside, ...]:
    """Every figure of the run with its prediction; `asked` are the question's keys for what the text does not tell.

    Raises InputError where none of it is a question.
    """
    values = conditions_of(run, asked)
    refused: list[InputError] = []
    found = [_rate(rate, values, refused) for rate in run.rates[:_MOST_RATES]]
    if run.memory_bytes or run.kv_tokens is not None or run.max_concurrency is not None:
        found += _memory(run, values, refused)
    if refused and all(row.query is None for row in found):
        raise refused[0]
    return tuple(found)


def unpredicted(run: PastedRun) -> tuple[Beside, ...]:
    """Every figure of the run alone."""
    rows = [Beside(rate.test, "tokens/s", rate.tokens_per_s, None) for rate in run.rates]
    rows += [Beside(part, "bytes", size, None) for part, size in run.memory_bytes.items()]
    if run.kv_tokens is not None:
        rows.append(Beside("kv_tokens", "tokens", run.kv_tokens, None))
    if run.max_concurrency is not None:
        rows.append(Beside("max_concurrency", "requests", run.max_concurrency, None))
    return tuple(rows)


def _rate(rate: MeasuredRate, values: Mapping[str, Any], refused: list[InputError]) -> Beside:
    length = rate.depth + rate.tokens
    asked = {**values, "context": max(length, int(values.get("context", 0))), "users": rate.users}
    if rate.kind == "prefill":
        asked |= {"prompt_tokens": length, "cached_tokens": rate.depth}
    else:
        asked |= {"prompt_tokens": max(1, rate.depth), "context_used": rate.depth}
    reply = _answered(asked, refused)
    speed = None if reply is None else reply.shown.speed
    predicted = None
    if speed is not None:
        kinds = {"decode": speed.decode_tokens_per_s, "prefill": speed.prefill_tokens_per_s}
        predicted = kinds.get(rate.kind, speed.total_decode_tokens_per_s)
    return Beside(
        rate.test, "tokens/s", rate.tokens_per_s, predicted, None if reply is None else reply.question.to_query()
    )


def _memory(run: PastedRun, values: Mapping[str, Any], refused: list[InputError]) -> list[Beside]:
    reply = _answered(values, refused)
    if reply is None:
        return list(unpredicted(replace(run, rates=())))
    plan, query = reply.shown.plan, reply.question.to_query()
    # vLLM logs what one GPU holds, and of its cache all that it took, of which a plan needs a part.
    is_server = run.tool == "vllm log"
    places = plan.devices[:1] if is_server else (*plan.devices, plan.host)
    held = {
        "weights": sum(place.weights_bytes for place in places),
        "kv_cache": None if is_server else sum(place.kv_cache_bytes for place in places),
        "compute": sum(place.compute_bytes - place.passing_bytes for place in plan.devices),
    }
    rows = [Beside(part, "bytes", size, _exactly(held[part]), query) for part, size in run.memory_bytes.items()]
    if run.kv_tokens is not None:
        rows.append(Beside("kv_tokens", "tokens", run.kv_tokens, _exactly(plan.kv_tokens), query))
    if run.max_concurrency is not None:
        rows.append(Beside("max_concurrency", "requests", run.max_concurrency, _exactly(plan.max_concurrency), query))
    return rows


def other_size(run: PastedRun, model: str) -> Message | None:
    """What speaks against the file having been of that model, where the text does not name one."""
    if run.model_id is not None or run.file_gib is None or run.level is None or model not in catalogue():
        return None
    size = size_level(catalogue()[model].model, LEVELS[run.level], imatrix=False).file_bytes / GIB
    if abs(run.file_gib / size - 1) <= _OTHER_SIZE:
        return None
    return sentence(
        "The measured file has {measured:.2f} GiB, {model} has {size:.2f} GiB at {level}: ask about the model that was "
        "measured.",
        measured=run.file_gib,
        model=catalogue()[model].name,
        size=size,
        level=run.level,
    )


def _exactly(value: float | None) -> Range | None:
    return None if not value else Range(value, value, value)


def _answered(values: Mapping[str, Any], refused: list[InputError]) -> Answer | None:
    """What the engine says; None where it refuses the conditions, which the measured run had all the same."""
    try:
        return answer(Question.from_values(values))
    except InputError as error:
        refused.append(error)
        return None


def evidence_rows(run: PastedRun, asked: Mapping[str, Any], source: str, today: date) -> tuple[dict[str, Any], ...]:
    """The run's rates as rows of data/speed_measurements.csv; `source` is where the output can be read by anybody.

    Raises InputError where the machine or the model is not of the catalogue, or the address is none.
    """
    values = conditions_of(run, asked)
    question = Question.from_values(values)
    chosen, model = question.machine.name, question.model.name
    if chosen not in machines() or model not in catalogue():
        raise InputError("A row of evidence needs a machine and a model of the catalogue.")
    if (why := other_size(run, model)) is not None:
        raise InputError.saying(why)
    where, entry = machine(chosen), catalogue()[model]
    runtime = RuntimeId(run.conditions.get("runtime", RuntimeId.LLAMA_CPP))
    rows = []
    for rate in run.rates:
        row = {
            "kind": rate.kind,
            "machine": chosen,
            "model_id": model,
            "level": run.level or values.get("level") or "",
            "device": run.devices[0] if run.devices else where.name,
            "devices": max(1, len(run.devices), int(values.get("gpus", 1))),
            "split": "",
            "bandwidth_gb_s": round(where.bandwidth_bytes_per_s / 1e9, 1) if where.bandwidth_bytes_per_s else "",
            "backend": run.backend or default_backend(where, runtime),
            "runtime": runtime.value,
            "model": run.model or entry.name,
            "parameters_b": round(entry.model.parameters / 1e9, 3),
            "active_parameters_b": round((entry.model.active_parameters or entry.model.parameters) / 1e9, 3),
            "quant": run.quant or "",
            "file_gib": run.file_gib or "",
            "test": rate.test,
            "prompt_tokens": rate.tokens if rate.kind == "prefill" else rate.depth or "",
            "depth": rate.depth,
            "users": rate.users,
            "micro_batch": run.conditions.get("ubatch", ""),
            "gpu_layers": run.conditions.get("gpu_layers", ""),
            "cpu_moe_layers": run.conditions.get("cpu_moe_layers", ""),
            "host_gb_s": "",
            "output_tokens": rate.output_tokens or "",
            "tokens_per_s": rate.tokens_per_s,
            "version": run.version,
            "date": run.date or today.isoformat(),
            "left_out": "",
            "source": "",
            "notes": "",
        }
        blank = {key: (None if value == "" and key in _NUMBERS else value) for key, value in row.items()}
        Measurement.model_validate({**blank, "source": _NOWHERE})
        rows.append(row)
    return with_source(rows, source)


def with_source(rows: Sequence[Mapping[str, Any]], source: str) -> tuple[dict[str, Any], ...]:
    """Rows with the address where the output can be read, "" where there is none yet; InputError where it is none."""
    if source and not source.startswith("https://"):
        raise InputError("The source must be an address that begins with https://, where others can read the output.")
    return tuple({**row, "source": source} for row in rows)


_NUMBERS = frozenset(
    (
        *("bandwidth_gb_s", "parameters_b", "active_parameters_b", "file_gib", "prompt_tokens", "users"),
        *("micro_batch", "gpu_layers", "cpu_moe_layers", "host_gb_s", "output_tokens"),
    )
)
