"""Questions over every model and every key of a link, and what a right answer to any of them looks like.

A question sets a place (a machine with what belongs to it) and a few other keys. Every model meets every place and
every key, and every architecture every value of every key: models of one architecture share the values out, as they are
computed alike. Which values meet each other is drawn by a seed.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path

from advisor.answer.answer import Answer, answer
from advisor.answer.assess import asked_of
from advisor.answer.candidate import Candidate
from advisor.answer.choices import choices
from advisor.answer.launching import launch_of
from advisor.answer.reasons import reasons
from advisor.answer.run_it import ways_to_run
from advisor.answer.verdict import verdict
from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import SizedLevel, size_level
from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS
from advisor.foundation.errors import InputError
from advisor.foundation.message import NOTHING
from advisor.foundation.ranges import Range
from advisor.models.catalogue import Entry, catalogue
from advisor.quality import SCORED_TASKS
from advisor.quality.tasks import DEMANDS
from advisor.question.configuration import BACKENDS, RUNTIMES
from advisor.question.question import Question
from advisor.question.requirements import GOALS
from advisor.report.as_json import plan_document
from advisor.report.as_text import plan_table
from advisor.report.cost_document import cost_document
from advisor.report.exports import plans_csv
from advisor.report.from_answer import report_of
from advisor.runtimes.commands import commands
from advisor.runtimes.llama_cpp.weights import level_weights
from advisor.runtimes.registry import runtime_by
from advisor.sizing.plan import DeviceMemory, Plan
from advisor.sizing.settings import CACHE_TYPES
from advisor.words import say_all

TODAY = date(2026, 11, 30)
Values = Mapping[str, str]
_SHARERS = 3  # at most so many models of one architecture share the values out
_TOGETHER = 3  # keys of a question besides its place
_SHARE_OF_RUNTIMES = 0.4  # of questions name a runtime that is not `auto`
_USUAL_CONTEXT = 8192
_WIDER = 0.001
_OF_PLACES = frozenset({"memory_gib", "bandwidth_gb_s", "other_machine", "other_gpus"})

# What runs there, besides what `runtime=auto` takes.
_CARDS, _ANY, _MAC = ("ollama", "lm-studio", "vllm", "sglang"), ("ollama", "lm-studio"), ("ollama", "lm-studio", "mlx")
PLACES: Mapping[str, tuple[str, ...]] = {
    "machine=rtx-4090": _CARDS,
    "machine=rtx-4090&host_memory_gib=64": _CARDS,
    "machine=rtx-3090&other_machine=rtx-3060-12gb": _ANY,
    "machine=rtx-3090&gpus=2&other_machine=tesla-p40&other_gpus=2&host_memory_gib=256": _ANY,
    "machine=h100-sxm5-80gb&gpus=8": _CARDS,
    "machine=a100-sxm4-80gb&gpus=2": _CARDS,
    "machine=tesla-p40": _ANY,
    "machine=rtx-3050-laptop-4gb&host_memory_gib=16": _CARDS,
    "machine=custom&memory_gib=24": _CARDS,
    "machine=custom&memory_gib=0.5&bandwidth_gb_s=100": _CARDS,
    "machine=custom&memory_gib=300&bandwidth_gb_s=3000&gpus=4": _CARDS,
    "machine=cpu-dual-ddr5-6000&memory_gib=64": _ANY,
    "machine=epyc-genoa-12ch-ddr5-4800&memory_gib=768": _ANY,
    "machine=apple-m4-max-40c-128gb": _MAC,
    "machine=ryzen-ai-max-395-128gb": _ANY,
    "machine=dgx-spark-128gb": _CARDS,
    "machine=mi50-32gb": _CARDS,
    "machine=mi300x&gpus=2": _CARDS,
    "machine=rx-7900-xtx": _CARDS,
    "machine=arc-b580": _ANY,
}
# Nothing runs on these as they are asked for, whatever else is said.
REFUSED_PLACES = (
    "machine=cpu-dual-ddr5-6000",
    "machine=custom",
    "machine=rtx-4090&memory_gib=24",
    "machine=apple-m4-max-40c-128gb&gpus=2",
    "machine=rtx-4090&other_machine=rx-7900-xtx",
    "machine=rtx-4090&other_machine=dgx-spark-128gb",
    "machine=rtx-4090&gpus=20&use_gpus=20",
    "machine=tesla-p40&runtime=vllm",
    "machine=arc-b580&runtime=vllm",
    "machine=apple-m4-max-40c-128gb&runtime=vllm",
    "machine=cpu-dual-ddr5-6000&memory_gib=64&runtime=vllm",
    "machine=rtx-3090&other_machine=tesla-p40&runtime=vllm",
    "machine=rtx-4090&runtime=mlx",
    "machine=no-such-machine",
)

_FIXED: dict[str, Sequence[str]] = {
    "gpus": ("1", "3", "64", "0"),
    "use_gpus": ("1", "2", "64", "0"),
    "users": ("4", "16", "32", "256", "300"),
    "prompt_tokens": ("1", "100000"),
    "runtime": RUNTIMES,
    "backend": BACKENDS,
    "level": (*LEVELS, *SAFETENSORS_LEVELS),
    "kv_type_k": tuple(CACHE_TYPES),
    "kv_type_v": tuple(CACHE_TYPES),
    "ubatch": ("1", "64", "2048"),
    "llama_cpp": ("2026-08", "2026-09"),
    "flash_attention": ("off",),
    "kv_offload": ("off",),
    "mmap": ("off",),
    "split": ("row", "tensor"),
    "tensor_split": ("1", "3,1", "0,1", "1,0,0,2"),
    "gpu_memory_utilization": ("0.05", "0.5", "1"),
    "kv_fp8": ("on",),
    "rope_scaling": ("none", "linear", "yarn"),
    "max_num_batched_tokens": ("1", "512", "64000"),
    "max_num_seqs": ("1", "200", "1024"),
    "enforce_eager": ("on",),
    "pipeline_parallel": ("2", "3"),
    "data_parallel": ("2", "4"),
    "expert_parallel": ("on",),
    "mem_fraction_static": ("0.1", "0.7", "0.95"),
    "imatrix": ("on",),
    "publisher": ("bartowski", "unsloth", "nobody"),
    "mtp": ("on",),
    "draft_accepted_percent": ("0", "70", "100"),
    "projector": ("Q8_0", "BF16", "F32"),
    "projector_offload": ("off",),
    "lora_rank": ("8", "100"),
    "loras": ("3",),
    "used_mib": ("0", "1500", "4000,0", "1000000"),
    "host_used_mib": ("0", "8000"),
    "overhead_mib": ("0", "4096", "1000000"),
    "margin_percent": ("0", "50"),
    "host_bandwidth_gb_s": ("50",),
    "ram_type": ("ddr5-6000", "DDR4 3200", "fast"),
    "ram_channels": ("1", "12", "0"),
    "ram_sockets": ("2",),
    "cached_tokens": ("0", "1000", "200000"),
    "task": SCORED_TASKS,
    "min_quality": ("0", "99", "100", *(demand.id for demand in DEMANDS)),
    "min_tokens_per_s": ("0.1", "20", "5000"),
    "max_first_token_s": ("0.001", "2", "1000"),
    "max_cost_per_month": ("0.5", "300", "100000"),
    "commercial": ("on",),
    "goal": GOALS,
    "own_hardware": ("on",),
    "requests_per_day": ("1", "1000000"),
    "tokens_in": ("0", "30000"),
    "tokens_out": ("0", "4000"),
    "cached_percent": ("100",),
    "batch_percent": ("40", "100"),
    "buyer": ("small-company", "data-centre"),
    "power_limit_w": ("10", "245"),
    "operation_hours": ("20",),
    "spare_machines": ("0", "2"),
    "downtime_percent": ("5",),
    "api_decline_percent": ("0", "50"),
    "currency": ("EUR", "CHF"),
    "years": ("1", "5"),
    "country": ("CH", "WORLD", "XX"),
    "region": ("ch", "eu", "us"),
    "market": ("new", "used"),
    "customer": ("household",),
    "term": ("spot", "1-year"),
    "rent_gpu": ("any",),
    "vat_percent": ("8.1",),
    "device_price": ("0", "1999.95"),
    "host_price": ("900",),
    "electricity_price": ("0", "0.4"),
    "device_load_w": ("0", "450"),
    "hours_per_month": ("1", "160"),
    "instance_price": ("2.5",),
    "utilisation_percent": ("0", "100"),
    "api_input_price": ("0.5",),
}
# Keys that mean something only in company.
_COMPANY: dict[str, Values] = {
    "api_input_price": {"api_output_price": "1.5", "api_cached_price": "0.1"},
    "draft_accepted_percent": {},
}


def keys_of(entry: Entry) -> dict[str, Sequence[str]]:
    """The values of every key that matter to this model."""
    layers, limit = len(entry.model.layers), entry.model.context_length or 8192
    some = tuple(str(number) for number in sorted({0, 1, layers // 2, layers, layers + 1, layers + 2, 4096}))
    return _FIXED | {
        "context": ("1", "300", str(limit // 2 + 1), str(limit), str(limit + 1), str(8 * limit + 1)),
        "context_used": ("0", "8192", str(limit + 1)),
        "gpu_layers": ("all", *some),
        "cpu_moe_layers": some,
        "draft": (*_drafts(entry), "gemma-3-1b-it"),
        "vision": ("off",) if entry.model.tower is None else ("off", "on", "video"),
    }


def _drafts(entry: Entry) -> tuple[str, ...]:
    """The smallest model that could draft for this one, and one that uses its layers differently."""
    able = [
        other
        for other in _by_size()
        if other.model.causal
        and abs(other.model.vocabulary - entry.model.vocabulary) < 128
        and other.model.parameters < entry.model.parameters
    ]
    return tuple(other.id for other in able[:2])


@cache
def _by_size() -> tuple[Entry, ...]:
    return tuple(sorted(catalogue().values(), key=lambda entry: entry.model.parameters))


def its_share(entry: Entry) -> dict[str, Sequence[str]]:
    """The values of every key that fall to this model: all of them, or one in two or three where others are like it."""
    alike = [other.id for other in catalogue().values() if other.model.architecture == entry.model.architecture]
    of, mine = min(_SHARERS, len(alike)), sorted(alike).index(entry.id)
    keys = keys_of(entry)
    return {key: values[mine % of :: of] or values[mine % len(values) :][:1] for key, values in keys.items()}


def questions(model_id: str, draw: random.Random) -> Iterator[dict[str, str]]:
    """Questions in which this model meets every place, and every value that falls to it, at least once."""
    entry = catalogue()[model_id]
    keys = list(its_share(entry).items())
    draw.shuffle(keys)
    # Dealt out key by key, so that no question is given two values of one.
    pairs = [(key, value) for key, values in keys for value in draw.sample(values, len(values))]
    # More than there are levels: some questions must leave the level open.
    count = max(-(-len(pairs) // _TOGETHER), len(PLACES) + max(len(values) for _, values in keys))
    places = [place for _ in range(0, count, len(PLACES)) for place in draw.sample(list(PLACES), len(PLACES))]
    for number, place in enumerate(places[:count]):
        chosen = _at(entry, place)
        if draw.random() < _SHARE_OF_RUNTIMES:
            chosen["runtime"] = draw.choice(PLACES[place])
        for key, value in pairs[number::count]:
            chosen |= {key: value, **_COMPANY.get(key, {})}
        yield chosen


def _at(entry: Entry, place: str) -> dict[str, str]:
    """The question of a place; the usual context is more than some models know."""
    chosen = {"model": entry.id, **values_of(place)}
    limit = entry.model.context_length
    return chosen if limit is None or limit >= _USUAL_CONTEXT else {**chosen, "context": str(limit)}


def alone(question: Values) -> Iterator[dict[str, str]]:
    """A refused question key by key, each where it is likely to be answered: what refuses one key hides the others."""
    entry = catalogue()[question["model"]]
    usual = _at(entry, "machine=h100-sxm5-80gb&gpus=2&host_memory_gib=256")
    company = {key for others in _COMPANY.values() for key in others}
    for key, value in question.items():
        if key in usual or key in company or key in _OF_PLACES:
            continue
        mac = value == "mlx" or value.startswith("MLX")
        place = _at(entry, "machine=apple-m4-max-40c-128gb") if mac else usual
        yield {**place, key: value, **_COMPANY.get(key, {})}


def values_of(query: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in query.split("&"))


def query_of(question: Values) -> str:
    return "&".join(f"{key}={value}" for key, value in question.items())


def asked(question: Values, allow_local: bool = False) -> Answer | str:
    """The answer, or the sentence with which the question is refused; everything else is an error."""
    try:
        return answer(Question.from_values(question), allow_local=allow_local, today=TODAY)
    except InputError as refusal:
        return str(refusal)


def check(question: Values, allow_local: bool = False) -> Answer | None:
    """Ask, and raise AssertionError (or whatever the engine raises) where the answer is not as it must be."""
    found = asked(question, allow_local)
    if isinstance(found, str):
        check_refusal(found)
        return None
    check_answer(found)
    return found


def check_refusal(sentence: str) -> None:
    assert sentence.isprintable(), sentence
    assert sentence == sentence.strip(), sentence
    assert sentence.endswith((".", "?")), sentence
    assert not re.search(r"[.!?] +[A-Z]", sentence), f"more than one sentence: {sentence}"
    _check_words(sentence)


def _check_words(text: str) -> None:
    assert not re.search(r"\b(nan|inf|None|Traceback)\b", text), text


def check_answer(found: Answer) -> None:
    assert found.candidates, "no level, and no reason"
    assert reasons(found)
    gains = (choice.gain for choice in choices(found))
    for text in say_all((verdict(found), *reasons(found), *found.notes, *gains)):
        _check_words(text)
    levels = [candidate.level for candidate in found.candidates]
    assert len(set(levels)) == len(levels), levels
    assert found.shown in found.candidates
    assert (found.chosen is None) == (
        found.status in ("does not fit", "not as asked") or found.shown.verdict == "tight"
    )
    if found.chosen is not None:
        assert found.chosen.plan.fits
        assert not found.chosen.unmet(asked_of(found.question.requirements, found.shown.writes), found.entry.license)
    if found.question.model.level is not None:
        assert levels == [found.question.model.level]
    _check_reach(found.shown.plan)
    for candidate in found.candidates:
        check_plan(candidate.plan)
        _check_candidate(candidate)
    if found.shown.costs is not None:
        json.dumps(cost_document(found.shown.costs), allow_nan=False)


def _check_reach(plan: Plan) -> None:
    """Of one plan, as the longest context is searched for; outputs look at those of all levels."""
    assert plan.max_context >= 0
    assert not plan.fits or plan.max_context >= min(plan.settings.context, 256) or not plan.max_context


def check_plan(plan: Plan) -> None:
    """Raise AssertionError where a plan contradicts itself."""
    assert plan.verdict in ("fits", "fits with offload", "tight", "does not fit")
    assert (plan.missing_bytes == 0) or not plan.fits, (plan.level, plan.verdict, plan.missing_bytes)
    assert plan.missing_bytes > 0 or plan.verdict != "does not fit", plan.level
    assert plan.sized.file_bytes >= plan.sized.tensor_bytes > 0
    for holder in (*plan.devices, plan.host):
        _check_holder(holder)
    held = sum(holder.weights_bytes for holder in (*plan.devices, plan.host))
    if isinstance(plan.sized, SizedLevel):
        left_out = plan.request.model.trunk is not None and not plan.settings.mtp  # layers that only draft
        assert held >= plan.sized.tensor_bytes or left_out, (plan.level, held, plan.sized.tensor_bytes)
        _check_once(plan, plan.sized)
    _check_stack(plan)
    for number in (plan.kv_tokens, plan.max_concurrency, plan.seconds_per_token, plan.rule_of_thumb_error):
        assert number is None or math.isfinite(number)
    assert plan.kv_tokens is None or plan.kv_tokens >= 0
    assert plan.max_concurrency is None or plan.max_concurrency >= 0
    if plan.draft is not None:
        for drafting, holder in zip(plan.draft.devices, plan.devices, strict=True):
            assert holder.beside.draft == drafting.needed_bytes
            _check_holder(drafting)


def _check_once(plan: Plan, sized: SizedLevel) -> None:
    """No weight is counted twice, but for what llama.cpp loads twice: a tied output head, and small tables a device."""
    holders = (*plan.devices, plan.host)
    split = sum(holder.weights_bytes - holder.mirrored_bytes for holder in holders)
    held = split + max(holder.mirrored_bytes for holder in holders)
    if sized.level.name in LEVELS:
        weights = level_weights(plan.request.model, sized.level, sized.imatrix)
        larger = sized.tensor_bytes / max(1, size_level(plan.request.model, sized.level, sized.imatrix).tensor_bytes)
        twice = max(1.0, larger) * (weights.tied + weights.everywhere * len(plan.devices))
        # The converter's 16-bit files keep small matrices in 32 bit, which the quantizer's do not.
        wider = _WIDER * sized.tensor_bytes if sized.level.name in ("F16", "BF16") else 0
        # A publisher's file is this one in its proportion: each layer's bytes outside and in experts are rounded up.
        rounded = 2 * len(plan.placement.layers) + len(holders) + 2
        assert held <= sized.tensor_bytes + twice + wider + rounded, (plan.level, held, sized.tensor_bytes, twice)


def _check_stack(plan: Plan) -> None:
    """No part that is asked for is left out of the sum, and none is in it twice."""
    request, holders = plan.request, (*plan.devices, plan.host)
    for part, asked in (
        ("draft", request.draft is not None),
        ("projector", request.vision is not None and request.model.tower is not None),
        ("adapters", request.adapters is not None),
        ("mtp", request.model.trunk is not None and request.settings.mtp),
    ):
        taken = sum(getattr(holder.beside, part) for holder in holders)
        assert (taken > 0) == asked or plan.runtime == "mlx", (plan.level, part, taken)
    for holder in holders:
        beside = holder.beside
        main = holder.weights_bytes + holder.kv_cache_bytes + holder.compute_bytes + holder.overhead_bytes
        others = beside.draft + beside.projector + beside.adapters + beside.mtp
        assert holder.needed_bytes == main + others, (plan.level, holder)
    lines = runtime_by(plan.runtime).memory_lines(plan, NOTHING, NOTHING)
    told = [(line.place, line.component) for line in lines]
    assert len(set(told)) == len(told), (plan.level, told)
    for holder in holders if lines else ():
        listed = sum(line.bytes for line in lines if line.place == holder.name)
        assert listed == holder.needed_bytes, (plan.level, holder.name, listed, holder.needed_bytes)


def _check_holder(holder: DeviceMemory) -> None:
    for name in ("weights", "kv_cache", "compute", "overhead", "passing", "mirrored", "other"):
        size = getattr(holder, f"{name}_bytes")
        assert isinstance(size, int), (holder.name, name, size)
        assert size >= 0, (holder.name, name, size)
    assert holder.passing_bytes <= holder.compute_bytes
    assert holder.mirrored_bytes <= holder.weights_bytes
    _check_range(holder.needed_range)


def _check_candidate(candidate: Candidate) -> None:
    speed = candidate.speed
    if speed is not None:
        for estimate in (speed.decode_tokens_per_s, speed.total_decode_tokens_per_s):
            assert estimate is not None or not candidate.writes
            if estimate is not None:
                _check_range(estimate, above=0)
        for maybe in (speed.prefill_tokens_per_s, speed.time_to_first_token_s):
            if maybe is not None:
                _check_range(maybe)
    if candidate.kept is not None:
        _check_range(candidate.kept)


def _check_range(estimate: Range, above: float = -1) -> None:
    assert all(math.isfinite(value) and value > above for value in (estimate.low, estimate.typical, estimate.high)), (
        estimate
    )
    assert estimate.low <= estimate.typical <= estimate.high


def check_outputs(found: Answer) -> None:
    """What pages, files and scripts are given: as JSON, CSV, report and commands."""
    assert len(plan_table(found).splitlines()) > len(found.candidates)
    for plan in found.plans:
        _check_reach(plan)
    document = json.dumps(plan_document(found), allow_nan=False)
    assert json.loads(document)["plans"]
    assert len(plans_csv(found).splitlines()) > 1
    report = report_of(found, link="http://localhost/?model=x")
    _check_words(str(report.verdict))
    for candidate in (found.shown, found.candidates[-1]):
        told = commands(launch_of(found, candidate))
        assert told
        for command in told:
            assert command.text
            _check_words(command.text)
    for way in ways_to_run(found, found.shown):
        assert way.runs or say_all(way.said)


def write_config(entry: Entry, folder: Path) -> str:
    """The publisher's config as a file on this machine; its path."""
    path = folder / f"{entry.id}.json"
    path.write_text(json.dumps(entry.config))
    return str(path)


def checked(question: Values, allow_local: bool = False, outputs: bool = False) -> tuple[Answer | None, str]:
    """Check one question; the answer where there is one, and what is wrong with it ("" where nothing is)."""
    try:
        found = check(question, allow_local)
        if found is not None and outputs:
            check_outputs(found)
    except Exception as error:
        # Whatever is raised is what the sweep is for.
        return None, f"{query_of(question)}\n    {type(error).__name__}: {error}"
    return found, ""
