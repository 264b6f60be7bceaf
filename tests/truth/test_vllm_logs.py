"""vLLM's plans against what vLLM logged on real machines: weights, KV cache, the rest."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median

from advisor.formats.safetensors_levels import find_safetensors_level
from advisor.foundation.units import GIB, MIB
from advisor.machines.chip import Chip
from advisor.models.catalogue import catalogue
from advisor.runtimes.vllm.every_level import rotary_table_bytes
from advisor.runtimes.vllm.kv_cache import paged_cache
from advisor.runtimes.vllm.overheads import Batch, Step, overhead_range
from advisor.runtimes.vllm.runtime import VLLM
from advisor.runtimes.vllm.serve_options import VllmOptions
from advisor.runtimes.vllm.weights import weights_per_gpu
from advisor.sizing.memory import Device, Memory
from advisor.sizing.plan import Plan
from advisor.sizing.request import Levels, PlanRequest
from advisor.sizing.settings import Settings

LOGS = Path(__file__).resolve().parents[1] / "truth" / "vllm_logs.csv"
CAPABILITY = {"A100 80GB": 8.0, "RTX 3090": 8.6, "RTX 4060": 8.9, "RTX 4090": 8.9, "L40S": 8.9, "H100 80GB": 9.0}


@cache
def logs() -> tuple[dict[str, str], ...]:
    with LOGS.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def test_weights_on_each_gpu_are_within_two_and_a_half_percent_of_what_vllm_logged() -> None:
    errors = {}
    for row in logs():
        if not row["weights_gib"]:
            continue
        model = catalogue()[row["model_id"]].model
        # Before 0.14 gpt-oss ran with Marlin's padding on Hopper as well.
        capability = 8.0 if row["vllm"] == "0.10.1" else CAPABILITY.get(row["gpu"])
        level = find_safetensors_level(row["level"])
        ours = weights_per_gpu(model, level, int(row["gpus"]), compute_capability=capability)
        errors[row["source"], row["weights_gib"]] = (ours + rotary_table_bytes(model)) / GIB / float(
            row["weights_gib"]
        ) - 1
    assert len(errors) >= 14
    assert not {key: error for key, error in errors.items() if abs(error) > 0.025}
    assert median(map(abs, errors.values())) < 0.003


def _capacities() -> Iterator[tuple[dict[str, str], int, float]]:
    """Each logged capacity with our tokens and concurrency for the same bytes."""
    for row in logs():
        if not (row["kv_gib"] and row["kv_tokens"]):
            continue
        cache_of_row = paged_cache(catalogue()[row["model_id"]].model, int(row["gpus"]), row["kv_dtype"])
        assert cache_of_row is not None
        available, context = float(row["kv_gib"]) * GIB, int(row["max_model_len"])
        batch = int(row["batch_tokens"] or 2048)
        yield row, cache_of_row.tokens(available, context, batch), cache_of_row.concurrency(available, context, batch)


def test_tokens_that_fit_are_within_one_and_a_half_percent_of_what_vllm_logged() -> None:
    """GiB are logged with two decimals, which alone is 0.3 % where little is left for the cache."""
    found = [(row, tokens / int(row["kv_tokens"]) - 1) for row, tokens, _ in _capacities()]
    assert len(found) >= 10
    pooled = {row["source"] for row, _ in found if row["model_id"].startswith("deepseek-v4")}
    assert not [(row, error) for row, error in found if abs(error) > (0.055 if row["source"] in pooled else 0.015)]
    assert median(abs(error) for _, error in found) < 0.001


def test_blocks_and_concurrency_of_hybrid_models_are_exactly_those_logged() -> None:
    hybrid = [found for found in _capacities() if found[0]["model_id"].startswith(("qwen3.6", "qwen3.8"))]
    assert len(hybrid) >= 3
    for row, tokens, concurrency in hybrid:
        assert tokens == int(row["kv_tokens"])
        assert f"{concurrency:.2f}" == row["max_concurrency"]


def test_what_else_vllm_took_lies_in_the_estimated_range() -> None:
    """CUDA graphs were not part of what these versions deducted."""
    found = []
    for row in logs():
        if row["overheads"] != "yes":
            continue
        if row["activation_gib"]:
            logged = float(row["activation_gib"]) + float(row["non_torch_gib"])
        else:
            budget = float(row["utilisation"]) * float(row["total_gib"])
            logged = budget - float(row["weights_gib"]) - float(row["kv_gib"])
        batch = Batch(int(row["batch_tokens"]), int(row["batch_requests"]))
        model = catalogue()[row["model_id"]].model
        estimate = overhead_range(Step(model, int(row["gpus"]), batch), enforce_eager=True).scaled(1 / GIB)
        found.append((row["source"], logged, estimate))
    assert len(found) >= 7
    assert not [item for item in found if not item[2].low <= item[1] <= item[2].high]


def _plan(row: dict[str, str]) -> Plan:
    """For one user, as vLLM starts where it can serve one; it had what CUDA reports of the card."""
    reported, reserve = int(float(row["total_gib"]) * GIB), 512 * MIB
    told = VllmOptions(
        utilisation=float(row["utilisation"]),
        kv_dtype=row["kv_dtype"],
        max_batched_tokens=int(row["batch_tokens"]) if row["batch_tokens"] else None,
        max_requests=int(row["batch_requests"]),
    )
    (plan,) = VLLM.plan(
        PlanRequest(
            catalogue()[row["model_id"]].model,
            Memory((Device(row["gpu"], reported + reserve, 2 * reserve),) * int(row["gpus"]), None),
            Settings(int(row["max_model_len"])),
            stored=Levels(find_safetensors_level(row["level"]).id),
            chip=Chip("NVIDIA", str(CAPABILITY[row["gpu"]])),
            options=told,
        )
    )
    return plan


def test_what_vllm_refused_to_start_never_fits_and_what_it_served_does() -> None:
    whole = [row for row in logs() if row["total_gib"] and row["batch_requests"] and row["max_model_len"]]
    refused = [row for row in whole if row["kv_gib"].startswith("-") or row["max_concurrency"].startswith("0.")]
    served = [row for row in whole if row["note"].startswith("served")]
    assert len(refused) >= 3
    assert served
    assert not [row for row in refused if _plan(row).fits]
    assert all(_plan(row).fits for row in served)


def test_every_row_names_its_source() -> None:
    assert all(row["source"].startswith("https://") and row["vllm"] for row in logs())
