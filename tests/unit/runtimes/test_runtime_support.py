"""The table of what runs where: every level and machine of the catalogue has an answer, and it is the runtimes' own."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS
from advisor.foundation.csv_rows import read_rows
from advisor.foundation.errors import DataError
from advisor.foundation.message import NOTHING
from advisor.machines.catalogue import machine, machines
from advisor.machines.chip import Chip
from advisor.machines.machine import Machine
from advisor.runtimes.support import (
    TABLE,
    Format,
    Row,
    format_of_level,
    formats_of_published,
    loads_somewhere,
    machine_refusal,
    supports,
    table,
)
from advisor.sizing.runtime_id import RuntimeId
from advisor.words import say, say_all

FP8 = [level for level in SAFETENSORS_LEVELS.values() if format_of_level(level).name == "FP8"]
GPUS = [one for one in machines().values() if one.vendor in ("NVIDIA", "AMD") and one.kind != "cpu-platform"]
# What vLLM's own installation page lists.
AMD_LISTED = {"gfx90a", "gfx942", "gfx950", "gfx1100", "gfx1101", "gfx1150", "gfx1151", "gfx1200", "gfx1201"}


def test_every_row_can_decide_and_names_its_source() -> None:
    rows = table()
    assert len(rows) > 50
    for row in rows:
        assert row.note or row.loads == "yes", row
        assert not row.note or row.note.endswith(".") == (row.loads == "yes"), row
    named = {row.format for row in rows}
    assert {format_of_level(level).name for level in SAFETENSORS_LEVELS.values()} <= named


def test_every_gpu_of_the_catalogue_says_what_it_is() -> None:
    assert all(one.compute_capability for one in GPUS)


@pytest.mark.parametrize("one", GPUS, ids=lambda one: one.id)
def test_vllm_runs_on_listed_gpus_only_and_fp8_where_it_computes_it(one: Machine) -> None:
    generation = str(one.compute_capability)
    if one.vendor == "AMD":
        runs, fp8 = generation in AMD_LISTED, generation.startswith(("gfx94", "gfx95", "gfx12"))
    else:
        runs = fp8 = float(generation) >= 7.5
    assert (not machine_refusal(RuntimeId.VLLM, one)) == runs
    assert not machine_refusal(RuntimeId.LLAMA_CPP, one)
    assert machine_refusal(RuntimeId.MLX, one)
    for level in FP8:
        if level.name != "MXFP8":
            assert (not supports(RuntimeId.VLLM, level, one).refusal) == (runs and fp8), level
    assert (not supports(RuntimeId.VLLM, SAFETENSORS_LEVELS["BF16-safetensors"], one).refusal) == runs
    if not runs:
        assert all(supports(RuntimeId.VLLM, level, one).refusal for level in SAFETENSORS_LEVELS.values())


@pytest.mark.parametrize(
    ("machine_id", "said"),
    [
        ("mi50-32gb", "AMD gfx906"),
        ("mi60-32gb", "AMD gfx906"),
        ("mi100", "AMD gfx908"),
        ("radeon-vii", "AMD gfx906"),
        ("rx-6900-xt", "AMD gfx1030"),
        ("tesla-p40", "compute capability 7.5"),
        ("arc-a770-16gb", "Intel"),
        ("apple-m1-max-64gb", "Apple"),
    ],
)
def test_a_machine_without_vllm_is_told_why(machine_id: str, said: str) -> None:
    assert said in say(machine_refusal(RuntimeId.VLLM, machine(machine_id)) or NOTHING)


@pytest.mark.parametrize("method", ["exl2", "exl3", "vptq", "hqq", "aqlm", "bitnet", "EXL2", "quip"])
@pytest.mark.parametrize("runtime", [RuntimeId.VLLM, RuntimeId.LLAMA_CPP])
def test_formats_without_a_loader_are_refused_on_every_machine(method: str, runtime: RuntimeId) -> None:
    for one in machines().values():
        assert supports(runtime, formats_of_published(method, method.upper(), 4), one).refusal


@pytest.mark.parametrize(
    ("method", "scheme", "bits", "expected"),
    [
        (None, "", 16, "16-bit"),
        ("GPTQ", "GPTQ-W4A16-g128", 4, "GPTQ"),
        ("gptq", "GPTQ-W3A16-g128", 3, ""),
        ("AutoRound", "AutoRound-W2A16-g64", 2, "AutoRound"),
        ("AWQ", "AWQ-W4A16-g128", 4, "AWQ"),
        ("compressed-tensors", "W4A16-g128", 4, "INT weight-only"),
        ("compressed-tensors", "W8A8-INT8", 8, "INT8 W8A8"),
        ("compressed-tensors", "FP8-dynamic", 8, "FP8"),
        ("compressed-tensors", "NVFP4", 4, "NVFP4"),
        ("bitsandbytes", "NF4", 4, "bitsandbytes"),
        ("FP8", "FP8-block128", 8, "FP8"),
        ("NVFP4", "NVFP4", 4, "NVFP4"),
        ("MXFP4", "MXFP4", 4, "MXFP4"),
        ("torchao", "TORCHAO", 8, "torchao"),
        ("quark", "Quark-FP8", 8, "FP8"),
        ("quark", "QUARK", 4, ""),
        ("MLX", "MLX-4bit-g64", 4, ""),
    ],
)
def test_published_schemes_on_a_card_of_2022(method: str | None, scheme: str, bits: int, expected: str) -> None:
    """`expected` is the format in which vLLM loads it on an RTX 4090, empty where it does not."""
    formats = formats_of_published(method, scheme, bits)
    found = supports(RuntimeId.VLLM, formats, machine("rtx-4090"))
    assert (not found.refusal) == bool(expected)
    if expected:
        assert [one.name for one in formats] == [expected]


def test_a_mixture_loads_where_all_its_parts_do() -> None:
    mixed = formats_of_published("NVFP4", "NVFP4+FP8", 4)
    assert [one.name for one in mixed] == ["NVFP4", "FP8"]
    assert "16 bit" in " ".join(say_all(supports(RuntimeId.VLLM, mixed, machine("rtx-4090")).notes))
    assert "NVFP4" in say(supports(RuntimeId.VLLM, mixed, machine("mi300x")).refusal or NOTHING)


def test_an_unknown_generation_refuses_nothing_that_some_gpu_of_the_vendor_can_do() -> None:
    for vendor in ("NVIDIA", "AMD"):
        known = [one for one in GPUS if one.vendor == vendor]
        for level in SAFETENSORS_LEVELS.values():
            some = any(not supports(RuntimeId.VLLM, level, one).refusal for one in known)
            assert (not supports(RuntimeId.VLLM, level, Chip(vendor)).refusal) == some, level


def test_who_loads_what() -> None:
    assert [runtime for runtime in RuntimeId if loads_somewhere(runtime, Format("GGUF"))] == ["llama.cpp"]
    assert loads_somewhere(RuntimeId.MLX, Format("16-bit"))
    assert not loads_somewhere(RuntimeId.VLLM, Format("MLX", 4))
    assert not loads_somewhere(RuntimeId.VLLM, Format("GPTQ", 2))


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("hardware", "Nvidia 7.5+", "hardware must be"),
        ("hardware", "NVIDIA 7", "hardware must be"),
        ("hardware", "AMD 9.0+", "hardware must be"),
        ("loads", "maybe", "loads"),
        ("bits", "four", "bits"),
        ("source_url", "", "source_url"),
        ("as_of", "today", "as_of"),
    ],
)
def test_a_broken_table_is_named_by_row_and_column(column: str, value: str, reason: str, tmp_path: Path) -> None:
    header, first, *rest = TABLE.read_text(encoding="utf-8").splitlines()
    cells = dict(zip(header.split(","), first.split(","), strict=True)) | {column: value}
    broken = tmp_path / "runtime_support.csv"
    broken.write_text("\n".join([header, ",".join(cells.values()), *rest]), encoding="utf-8")
    with pytest.raises(DataError, match=rf"runtime_support\.csv, row 2, column {column}.*{reason}|row 2.*{reason}"):
        read_rows(broken, Row)
