"""Random questions over every key of a link, and what an input page makes of a link."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from advisor.costs.price_tables import electricity_prices
from advisor.formats.gguf_levels import LEVELS
from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS
from advisor.machines.capacity import CPU_KIND
from advisor.machines.catalogue import machine, machines
from advisor.models.catalogue import catalogue
from advisor.models.tower import PROJECTOR_TYPES
from advisor.quality.tasks import DEMANDS, SCORED_TASKS
from advisor.question.configuration import BACKENDS, CUSTOM_MACHINE, ROPE_SCALINGS, RUNTIMES, VISIONS
from advisor.question.question import Question
from advisor.question.requirements import GOALS
from advisor.sizing.settings import CACHE_TYPES
from advisor.ui.link import needs_memory
from advisor.ui.parts.placement_inputs import takes_several


def amounts(most: float = 1e6, least: float = 0.01) -> st.SearchStrategy[float]:
    return st.floats(least, most) | st.integers(1, int(most)).map(float)


def from_nothing(most: float) -> st.SearchStrategy[float]:
    """Nothing, or what is not next to nothing, which is refused."""
    return st.just(0.0) | st.floats(1e-6, most)


MAYBE_PRICE = st.none() | amounts()
MAYBE_PERCENT = st.none() | from_nothing(100)
MAYBE_WATTS = st.none() | from_nothing(10_000)
TOKENS = st.integers(1, 100_000)
LOAD = st.fixed_dictionaries(
    {},
    optional={
        "requests_per_day": st.floats(1, 1e6),
        "tokens_in": TOKENS,
        "tokens_out": TOKENS,
        "peak_factor": st.floats(1, 1000),
        "hours_per_month": st.floats(0.1, 730),
        "cached_percent": from_nothing(100),
        "batch_percent": from_nothing(100),
        "buyer": st.sampled_from(["hobby", "small-company", "data-centre"]),
        "power_limit_w": st.none() | st.floats(10, 1000),
        "operation_hours": st.none() | from_nothing(1000),
        "spare_machines": st.none() | st.integers(0, 5),
        "downtime_percent": st.none() | from_nothing(50),
        "api_decline_percent": st.none() | from_nothing(99),
        "currency": st.sampled_from(["USD", "EUR", "CHF"]),
        "years": st.integers(1, 5),
        "country": st.sampled_from(sorted({country for country, _ in electricity_prices()})),
        "market": st.sampled_from(["any", "new", "used"]),
        "customer": st.sampled_from(["business", "household"]),
        "region": st.sampled_from(["ch", "eu", "us", "any"]),
        "term": st.sampled_from(["on-demand", "spot", "1-year"]),
        "rent_gpu": st.sampled_from(["same", "any"]),
        "vat_percent": from_nothing(100),
        "device_price": MAYBE_PRICE,
        "host_price": MAYBE_PRICE,
        "resale_percent": MAYBE_PERCENT,
        "cost_of_capital_percent": MAYBE_PERCENT,
        "electricity_price": st.none() | amounts(100),
        "pue": st.none() | st.floats(1, 5),
        "co2_g_per_kwh": st.none() | from_nothing(5000),
        "utilisation_percent": MAYBE_PERCENT,
        "device_load_w": MAYBE_WATTS,
        "device_idle_w": MAYBE_WATTS,
        "host_load_w": MAYBE_WATTS,
        "host_idle_w": MAYBE_WATTS,
        "colocation_per_month": MAYBE_PRICE,
        "admin_hours": st.none() | from_nothing(1000),
        "support_per_year": MAYBE_PRICE,
        "instance_price": MAYBE_PRICE,
        "storage_gb": from_nothing(1e6),
        "egress_gb": from_nothing(1e6),
        "eur_rate": st.none() | st.floats(0.01, 100),
        "chf_rate": st.none() | st.floats(0.01, 100),
        "api_cached_price": MAYBE_PRICE,
    },
)
GOES_TOGETHER = {
    "admin_rate": amounts(1000),
    "storage_price": amounts(10),
    "egress_price": amounts(10),
    "api_input_price": amounts(100),
    "api_output_price": amounts(100),
}
ASKED = st.fixed_dictionaries(
    {},
    optional={
        "task": st.sampled_from(SCORED_TASKS),
        "min_quality": st.none() | from_nothing(100) | st.sampled_from([demand.id for demand in DEMANDS]),
        "min_tokens_per_s": st.none() | amounts(1e5),
        "max_first_token_s": st.none() | amounts(1e5),
        "max_cost_per_month": st.none() | amounts(1e6),
        "commercial": st.booleans(),
        "own_hardware": st.booleans(),
        "goal": st.sampled_from(GOALS),
    },
)
RUN = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(sorted(catalogue())) | st.text(min_size=1, max_size=60),
        "machine": st.sampled_from(sorted(machines())),
        "gpus": st.integers(1, 64),
        "memory_gib": st.none() | amounts(1e5),
        "bandwidth_gb_s": st.none() | amounts(1e6, 1),
        "other_machine": st.none() | st.sampled_from(sorted(machines())),
        "other_gpus": st.integers(1, 64),
        "use_gpus": st.none() | st.integers(1, 64),
        "host_memory_gib": st.none() | amounts(1e5),
        "host_bandwidth_gb_s": st.none() | amounts(1e6, 1),
        "ram_type": st.none() | st.sampled_from(["ddr5-6000", "DDR4 3200", "PC5-38400", "lpddr5x-8533"]),
        "ram_channels": st.none() | st.integers(1, 16),
        "ram_sockets": st.integers(1, 8),
        "context": st.integers(1, 1 << 27),
        "users": st.integers(1, 256),
        "context_used": st.none() | st.integers(0, 1 << 27),
        "prompt_tokens": st.integers(1, 1 << 27),
        "cached_tokens": st.integers(0, 1 << 27),
        "runtime": st.sampled_from(RUNTIMES),
        "backend": st.sampled_from(BACKENDS),
        "level": st.none() | st.sampled_from([*LEVELS, *SAFETENSORS_LEVELS]),
        "kv_type_k": st.sampled_from(sorted(CACHE_TYPES)),
        "kv_type_v": st.sampled_from(sorted(CACHE_TYPES)),
        "ubatch": st.integers(1, 65536),
        "llama_cpp": st.sampled_from(("newest", "2026-08", "2026-09", "2026-10")),
        "gpu_layers": st.none() | st.just("all") | st.integers(0, 4096),
        "cpu_moe_layers": st.integers(0, 4096),
        "kv_offload": st.booleans(),
        "mmap": st.booleans(),
        "op_offload": st.booleans(),
        "split": st.sampled_from(["layer", "row", "tensor"]),
        "tensor_split": st.none() | st.lists(from_nothing(1e6), min_size=1, max_size=8).map(tuple),
        "gpu_memory_utilization": st.floats(0.01, 1),
        "kv_fp8": st.booleans(),
        "rope_scaling": st.sampled_from(ROPE_SCALINGS),
        "max_num_batched_tokens": st.none() | st.integers(1, 1 << 20),
        "max_num_seqs": st.none() | st.integers(1, 65_536),
        "enforce_eager": st.booleans(),
        "pipeline_parallel": st.integers(1, 64),
        "data_parallel": st.integers(1, 64),
        "expert_parallel": st.booleans(),
        "mem_fraction_static": st.none() | st.floats(0.01, 0.99),
        "imatrix": st.booleans(),
        "publisher": st.sampled_from(["stock", "stock", "bartowski", "unsloth", "nobody"]),
        "mtp": st.booleans(),
        "draft": st.none() | st.sampled_from(sorted(catalogue())),
        "draft_level": st.sampled_from(sorted(LEVELS)),
        "draft_accepted_percent": st.none() | from_nothing(100),
        "vision": st.sampled_from(VISIONS),
        "projector": st.sampled_from(PROJECTOR_TYPES),
        "projector_offload": st.booleans(),
        "lora_rank": st.integers(0, 512),
        "loras": st.integers(1, 64),
        "overhead_mib": st.none() | from_nothing(1e6),
        "used_mib": st.none() | st.lists(from_nothing(1e6), min_size=1, max_size=8).map(tuple),
        "host_used_mib": st.none() | from_nothing(1e8),
        "wired_limit_mb": st.none() | st.integers(1, 600_000),
        "margin_percent": from_nothing(50),
        "flash_attention": st.booleans(),
    },
)


@st.composite
def questions(draw: st.DrawFn, run: st.SearchStrategy[dict[str, Any]] = RUN) -> Question:
    values = draw(run) | draw(ASKED) | draw(LOAD)
    together = draw(st.fixed_dictionaries(GOES_TOGETHER))
    values |= {key: together[key] for key in ("admin_rate", "storage_price", "egress_price")}
    if draw(st.booleans()) or values.get("api_cached_price") is not None:
        values |= {key: together[key] for key in ("api_input_price", "api_output_price")}
    if values.get("flash_attention") is False and CACHE_TYPES[values.get("kv_type_v", "f16")][0] > 1:
        values["kv_type_v"] = "f16"  # the others need it
    return Question.from_values(values)


# As people write models into links; the form takes them without asking anybody about them.
_WORDS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=30)
MODELS = (
    st.sampled_from(sorted(catalogue()))
    | st.builds("{}/{}".format, _WORDS, _WORDS)
    | st.builds("{}/{}@{:040x}".format, _WORDS, _WORDS, st.integers(0, 16**40 - 1))
    | st.builds("https://example.org/{}.gguf".format, _WORDS)
    | st.builds("{}B".format, st.integers(1, 999))
)
_OF_RAM = ("ram_type", "ram_channels", "ram_sockets")
_OF_SEVERAL = ("gpus", "other_machine", "other_gpus", "use_gpus", "split", "tensor_split", "host_memory_gib", *_OF_RAM)


@st.composite
def page_questions(draw: st.DrawFn) -> Question:
    """Any machine with whatever it can be asked for; the rest would change nothing, and the page says so."""
    question = draw(questions())
    values = question.chosen()
    chosen = draw(st.just(CUSTOM_MACHINE) | st.sampled_from(sorted(machines())))
    left_out = [] if takes_several(chosen) else list(_OF_SEVERAL)
    if needs_memory(chosen):
        values.setdefault("memory_gib", draw(amounts(1e5)))
    else:
        left_out.append("memory_gib")
    if chosen != CUSTOM_MACHINE:
        left_out.append("bandwidth_gb_s")
    cards = 0 if chosen != CUSTOM_MACHINE and machine(chosen).kind == CPU_KIND else question.machine.gpus
    if len(question.others.used_mib or ()) > (min(cards, 1) if left_out else cards):
        left_out.append("used_mib")
    if (
        question.machine.other_machine is not None and machine(question.machine.other_machine).unified
    ):  # none that stands in a host
        left_out.append("other_machine")
    kept = {key: value for key, value in values.items() if key not in left_out}
    return Question.from_values({**kept, "machine": chosen, "model": draw(MODELS)})
