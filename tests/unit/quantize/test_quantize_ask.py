"""Asking llama.cpp with files that hold no weights, and its programs where they are found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import size_level
from advisor.foundation.errors import InputError
from advisor.foundation.ranges import Range
from advisor.foundation.units import GIB, MIB
from advisor.models.catalogue import catalogue
from advisor.quantize import native, tools
from advisor.quantize.ask import Answer, DeviceAnswer, ask_memory, ask_size, can_ask, compare_with_plan
from advisor.quantize.errors import RunFailed, ToolMissing
from advisor.quantize.header_only import metadata_of_config, metadata_of_header, write_header_only
from advisor.quantize.measure import Measured, Quality
from advisor.quantize.memory_growth import MeasuredMemory
from advisor.quantize.metadata import WRITTEN
from advisor.quantize.predicted import Predicted, compare
from advisor.quantize.speed import Speed
from advisor.runtimes.llama_cpp.runtime import LLAMA_CPP
from advisor.sizing.memory import Memory
from advisor.sizing.plan import Plan
from advisor.sizing.request import Levels, PlanRequest
from advisor.sizing.settings import Settings
from advisor.sources.gguf_header import read_gguf_header
from advisor.sources.gguf_model import model_of
from advisor.sources.reading import read_from_bytes, read_from_path
from tests.support.model_files import gguf_file, gguf_metadata

needs_answers = pytest.mark.skipif(
    not (native.is_installed() and can_ask()),
    reason="nothing here can ask llama.cpp: pip install -r advisor/quantize/requirements.txt",
)
REFERENCE = [id for id in gguf_metadata() if catalogue()[id].model.architecture in WRITTEN]


def host_plan(model_id: str, level: str, settings: Settings) -> Plan:
    model = catalogue()[model_id].model
    (plan,) = LLAMA_CPP.plan(PlanRequest(model, Memory((), None), settings, stored=Levels(LEVELS[level].id)))
    return plan


@pytest.mark.parametrize("model_id", REFERENCE)
def test_metadata_is_what_the_converter_writes(model_id: str) -> None:
    entry = catalogue()[model_id]
    ours = {found.key: found.value for found in metadata_of_config(entry.model, entry.config)}
    for key, value in gguf_metadata()[model_id].items():
        if key.endswith("expert_shared_feed_forward_length"):
            assert value == 0  # said although there are no shared experts
            continue
        if key not in ours:  # what follows from the other two need not be said
            assert key.endswith(("key_length", "value_length"))
            assert value == entry.model.width // ours[f"{entry.model.architecture}.attention.head_count"]
            continue
        assert ours[key] == (pytest.approx(value) if isinstance(value, float) else value), key


def test_metadata_of_other_architectures_is_refused_or_comes_from_a_file(tmp_path: Path) -> None:
    entry = catalogue()["phi-3-medium-4k-instruct"]
    with pytest.raises(InputError, match="Architecture 'phi3' is not written here"):
        metadata_of_config(entry.model, entry.config)
    content, _ = gguf_file("phi-3-medium-4k-instruct")
    header = read_gguf_header(read_from_bytes(content), "g.gguf")
    write_header_only(tmp_path / "h.gguf", entry.model, LEVELS["Q4_K_M"], metadata_of_header(header))
    again = read_gguf_header(read_from_path(tmp_path / "h.gguf"), "h.gguf")
    for key, value in gguf_metadata()["phi-3-medium-4k-instruct"].items():
        assert again.metadata[key] == (tuple(value) if isinstance(value, list) else value)


@pytest.mark.parametrize("level", ["F16", "Q4_K_M", "IQ2_XS"])
def test_a_70b_takes_kilobytes_of_disk_and_has_its_real_length(level: str, tmp_path: Path) -> None:
    entry = catalogue()["llama-3.3-70b-instruct"]
    path = tmp_path / "h.gguf"
    layout = write_header_only(path, entry.model, LEVELS[level], metadata_of_config(entry.model, entry.config))
    header = read_gguf_header(read_from_path(path), path.name)
    assert path.stat().st_size == layout.file_bytes == header.header_bytes + header.data_bytes > 10e9
    assert path.stat().st_blocks * 512 < 200_000
    assert header.tensor_bytes == size_level(entry.model, LEVELS[level]).tensor_bytes
    found = model_of(header).model
    assert found is not None
    assert found.parameters == entry.model.parameters


@needs_answers
@pytest.mark.parametrize(
    ("model_id", "level", "settings"),
    [
        ("llama-3.1-8b-instruct", "Q4_K_M", Settings(8192)),
        ("llama-3.3-70b-instruct", "IQ3_M", Settings(4096, users=2, cache_type_k="q8_0", cache_type_v="q8_0")),
        ("qwen3-30b-a3b", "Q6_K", Settings(2048, micro_batch=256)),
    ],
)
def test_llama_cpp_agrees_with_our_prediction(model_id: str, level: str, settings: Settings) -> None:
    entry = catalogue()[model_id]
    answer = ask_memory(entry.model, LEVELS[level], settings, metadata_of_config(entry.model, entry.config))
    if len(answer.devices) > 1:
        pytest.skip("this machine has a GPU; the plan is for none")
    figures = {row.figure: row for row in compare_with_plan(answer, host_plan(model_id, level, settings))}
    assert figures["weights"].agrees
    assert figures["KV cache"].agrees
    assert figures["compute"].agrees


def test_answers_for_other_devices_than_the_plans_are_not_compared() -> None:
    plan = host_plan("llama-3.1-8b-instruct", "Q4_K_M", Settings(4096))
    gpu = DeviceAnswer("CUDA0", 1, 1, 1)
    with pytest.raises(InputError, match=r"whose number of GPUs is 1; the plan is for 0"):
        compare_with_plan(Answer("llama.cpp", (gpu, DeviceAnswer("Host", 1, 1, 1))), plan)


# Programs: small stand-ins that print what the real ones print. The real ones: tests/benchmarks/quantize_tools.py.


def program(folder: Path, name: str, body: str, options: str = "--dry-run --no-repack") -> None:
    path = folder / name
    path.write_text(
        f'#!/bin/sh\ncase "$1" in --version) echo "version: 9.9 (build 1)" >&2; exit 0;; '
        f'--help) echo "usage: {options}"; exit 0;; esac\n{body}\n'
    )
    path.chmod(0o755)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLAMA_CPP_BIN", str(tmp_path))
    return tmp_path


def test_the_program_is_preferred_and_told_everything(folder: Path) -> None:
    program(folder, "llama-fit-params", f'echo "$@" > {folder}/said; printf "CUDA0 4403 256 258 \\nHost 281 0 18 \\n"')
    entry = catalogue()["llama-3.1-8b-instruct"]
    settings = Settings(4096, users=2, flash_attention=False, gpu_layers=20, kv_on_host=True, tensor_split=(3, 1))
    answer = ask_memory(entry.model, LEVELS["Q4_K_M"], settings, metadata_of_config(entry.model, entry.config))
    assert answer.engine == "llama-fit-params, 9.9 (build 1)"
    assert answer.devices[0] == DeviceAnswer("CUDA0", 4403 * MIB, 256 * MIB, 258 * MIB)
    assert answer.devices[1] == DeviceAnswer("Host", 281 * MIB, 0, 18 * MIB)
    said = (folder / "said").read_text()
    for option in ("-fitp on", "-c 8192 -np 2", "-fa off", "-ngl 20", "--no-kv-offload", "-ts 3,1", "--no-repack"):
        assert option in said


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            "echo 'error: unknown model architecture' >&2; exit 1",
            "failed (exit code 1): error: unknown model architecture",
        ),
        ("kill -11 $$", "failed (signal 11)"),
        ("echo nonsense", "gave no answer that can be read"),
    ],
)
def test_a_program_that_fails_is_one_sentence_with_its_last_line(folder: Path, body: str, reason: str) -> None:
    program(folder, "llama-fit-params", body)
    entry = catalogue()["llama-3.1-8b-instruct"]
    with pytest.raises(RunFailed) as caught:
        ask_memory(entry.model, LEVELS["Q4_K_M"], Settings(4096), metadata_of_config(entry.model, entry.config))
    assert reason in str(caught.value)


def test_a_program_that_is_missing_or_too_old_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(ToolMissing, match="llama-imatrix was not found: install llama"):
        tools.must_find("llama-imatrix")
    program(folder, "llama-quantize", "", options="--pure")
    entry = catalogue()["llama-3.1-8b-instruct"]
    with pytest.raises(ToolMissing, match=r"llama-quantize \(9.9 \(build 1\)\) is too old: it does not know --dry-run"):
        ask_size(entry.model, LEVELS["Q4_K_M"], metadata_of_config(entry.model, entry.config))
    program(folder, "llama-imatrix", "")
    (folder / "llama-imatrix").write_text("no program")
    assert tools.find_tool("llama-imatrix") is None


def test_nothing_secret_reaches_a_program(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "a-secret")
    program(folder, "llama-fit-params", f"env > {folder}/seen; printf 'Host 1 1 1 \\n'")
    entry = catalogue()["llama-3.1-8b-instruct"]
    ask_memory(entry.model, LEVELS["Q8_0"], Settings(512), metadata_of_config(entry.model, entry.config))
    seen = (folder / "seen").read_text()
    assert "a-secret" not in seen
    assert "GGML_NO_BACKTRACE=1" in seen


def test_every_figure_is_compared() -> None:
    measured = Measured(
        "Q4_K_M", False, 1100, 1000, Quality(10.5, 0.1, 0.02, 0.001, 0.95, 1000),
        Speed(Range(90, 100, 110), Range(9, 10, 11), 1, False), MeasuredMemory(2 * GIB, 2 * MIB), "engine", 256, "text",
    )  # fmt: skip
    predicted = Predicted(
        tensor_bytes=1000, file_bytes=1000, memory_bytes=2 * GIB - 100 * MIB, kl_divergence=Range(0.01, 0.02, 0.03),
        perplexity_increase=Range(0.0, 0.01, 0.02),
    )  # fmt: skip
    rows = {row.figure: row for row in compare(predicted, measured, 10.0)}
    assert rows["Tensor data"].agreement == "exact"
    assert rows["File"].agreement == "differs"
    assert rows["File"].difference == pytest.approx(0.1)
    assert rows["Memory"].agreement == rows["KL divergence"].agreement == "within the range"
    # Of a tiny model, a MiB more is what the growth of a process cannot tell apart; of a large one 10 % decide.
    for memory, agreement in ((2 * MIB, "within the range"), (4 * MIB, "outside the range")):
        small = compare(Predicted(memory_bytes=MIB), replace(measured, memory=MeasuredMemory(memory, MIB)), 10.0)
        assert {row.figure: row.agreement for row in small}["Memory"] == agreement
    older = compare(predicted, replace(measured, memory=None), 10.0)
    assert "Memory" not in {row.figure for row in older}
    assert rows["Perplexity increase"].agreement == "outside the range"
    assert rows["Perplexity increase"].measured == pytest.approx(0.05)
    assert rows["Generation"].agreement == "no prediction"
