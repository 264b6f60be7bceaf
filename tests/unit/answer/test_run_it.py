"""How to run what is shown: every command is one that the programs know, and what is said of it is true when asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest

from advisor.answer import answer as advise
from advisor.answer.answer import Answer, answer
from advisor.answer.choices import choices
from advisor.answer.run_files import LINE_MBIT_PER_S, Files, original_bytes
from advisor.answer.run_it import WayToRun, needs, ways_to_run
from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import size_level
from advisor.foundation.errors import InputError
from advisor.models.catalogue import catalogue
from advisor.question.question import Question
from advisor.sizing.runtime_id import RuntimeId
from advisor.sources.resolve import find_any_model
from advisor.words import say, say_all
from tests.support.hub_server import FakeHub
from tests.support.model_files import checkpoint_tensors, gguf_file, safetensors_file
from tests.support.program_options import check_options

LLAMA = "model=llama-3.3-70b-instruct&machine=rtx-3090&gpus=2"
MACHINES = (
    "rtx-4090",
    "rtx-3090&gpus=2",
    "apple-m4-max-40c-128gb",
    "h100-sxm5-80gb&users=16",
    "rtx-5090&host_memory_gib=128",
    "mi300x",
)


def asked(query: str) -> Answer:
    return answer(Question.from_query(query))


def ways(query: str) -> dict[RuntimeId, WayToRun]:
    found = asked(query)
    return {way.runtime: way for way in ways_to_run(found, found.shown)}


def said(way: WayToRun) -> str:
    return " ".join(say_all(way.said, "page"))


def text(way: WayToRun) -> str:
    return "\n".join(line.text for line in way.lines)


def files(way: WayToRun) -> Files:
    assert way.files is not None
    return way.files


def _sample() -> Iterator[str]:
    """Every eighth model of the catalogue, on one machine after the other."""
    for number, machine in zip(range(0, len(catalogue()), 8), cycle(MACHINES), strict=False):
        yield f"model={list(catalogue())[number]}&context=512&machine={machine}"


def test_every_command_is_known_to_its_program_and_says_where_its_files_come_from() -> None:
    programs: set[str] = set()
    origins: set[str] = set()
    for query in _sample():
        found = ways(query)
        assert list(found) == list(RuntimeId)
        assert any(way.runs for way in found.values()), query
        for way in found.values():
            if not way.runs:
                assert said(way).endswith("."), (query, way)
                continue
            for command in (*way.lines, *way.before, *way.otherwise, *way.beside):
                programs |= check_options(command)
            assert all("\n" not in line.text for line in way.lines)
            _check_files(way)
            origins.add(files(way).origin)
    assert {"llama-server", "ollama", "lms", "vllm", "mlx_lm.server", "llama-quantize"} <= programs
    assert {"published", "likely", "original", "made"} <= origins


def _check_files(way: WayToRun) -> None:
    where, lines = files(way), text(way)
    match where.origin:
        case "published" | "original":
            assert where.repository is not None
            assert where.repository in lines + "".join(step.text for step in way.before)
        case "likely":
            assert where.repository is not None
            assert where.repository in lines + "".join(step.text for step in way.before)
            assert "was not looked at" in said(way)
            assert way.otherwise
        case "made":
            assert where.repository is not None
            assert where.repository in "".join(step.text for step in way.before)
            assert "make it first" in said(way)
        case _:
            assert "replace" in said(way) or "in the place of" in said(way)


def test_a_published_file_is_one_line_that_runs_as_planned() -> None:
    found = ways(LLAMA)
    server = text(found[RuntimeId.LLAMA_CPP])
    assert server.startswith("llama-server -hf bartowski/Llama-3.3-70B-Instruct-GGUF:Q4_K_M ")
    assert " -c 8192 " in server
    serve, run = found[RuntimeId.OLLAMA].lines
    assert "OLLAMA_CONTEXT_LENGTH=8192" in serve.text
    assert run.text == "ollama run hf.co/bartowski/Llama-3.3-70B-Instruct-GGUF:Q4_K_M"
    (studio,) = found[RuntimeId.LM_STUDIO].lines
    assert studio.text.startswith("lms get https://huggingface.co/bartowski/Llama-3.3-70B-Instruct-GGUF@Q4_K_M && ")
    where = files(found[RuntimeId.LLAMA_CPP])
    assert (where.origin, where.download_bytes, where.disk_bytes) == ("published", 42_500_000_000, 42_500_000_000)
    assert where.listed_at.startswith("https://huggingface.co/bartowski/")
    assert where.terms is None  # the original is gated, this copy is not
    assert not found[RuntimeId.LLAMA_CPP].before


def test_what_nobody_is_known_to_publish_is_made_and_takes_more_room() -> None:
    found = asked("model=gemma-2-27b-it&machine=apple-m3-max-40c-64gb&level=Q4_K_M")
    by = {way.runtime: way for way in ways_to_run(found, found.shown)}
    server, ollama = by[RuntimeId.LLAMA_CPP], by[RuntimeId.OLLAMA]
    assert [say(step.title) for step in server.before] == ["Convert", "Quantize"]
    assert "-m gemma-2-27b-it-Q4_K_M.gguf" in text(server)
    result, whole = found.shown.file_bytes, size_level(found.model, LEVELS["BF16"]).file_bytes
    assert files(server).disk_bytes == whole + result
    assert files(ollama).disk_bytes == whole + 2 * result  # it keeps a copy of its own
    assert files(server).download_bytes == original_bytes(found) == 2 * 27_227_128_320
    assert [say(step.title) for step in ollama.before][-1] == "Modelfile (a file)"
    assert "ollama create gemma-2-27b-it-q4_k_m -f Modelfile" in text(ollama)


def test_a_repository_whose_list_nobody_read_is_named_as_such() -> None:
    way = ways("model=qwen3-32b&machine=rtx-4090&level=Q4_K_M")[RuntimeId.LLAMA_CPP]
    assert "-hf unsloth/Qwen3-32B-GGUF:Q4_K_M " in text(way)
    assert "Whether Q4_K_M is one of them was not looked at" in said(way)
    assert [say(step.title) for step in way.otherwise] == ["Convert", "Quantize"]
    rare = ways("model=qwen3-32b&machine=rtx-4090&level=IQ3_XXS")[RuntimeId.LLAMA_CPP]
    assert files(rare).origin == "made"


def test_a_level_that_the_converter_writes_needs_no_file_in_between() -> None:
    found = asked("model=qwen3-8b&machine=rtx-4090&level=Q8_0"), asked("model=qwen3-8b&machine=rtx-4090&level=BF16")
    whole = [files(ways_to_run(one, one.shown)[0]).disk_bytes for one in found]
    assert whole[1] == found[1].shown.file_bytes
    assert (whole[0] or 0) > (whole[1] or 0)


def test_who_gates_its_models_is_named_where_they_are_fetched_from_there() -> None:
    made = ways("model=gemma-3-27b-it&machine=rtx-4090&level=Q5_K_M")[RuntimeId.LLAMA_CPP]
    assert files(made).terms == "https://huggingface.co/google/gemma-3-27b-it"
    whole = ways("model=llama-3.1-8b-instruct&machine=rtx-4090&level=BF16-safetensors")[RuntimeId.VLLM]
    assert files(whole).terms == "https://huggingface.co/meta-llama/Llama-3.1-8B-Instruct"
    assert "vllm serve meta-llama/Llama-3.1-8B-Instruct " in text(whole)
    free = ways("model=gemma-4-12b-it&machine=rtx-4090&level=Q4_K_M")[RuntimeId.LLAMA_CPP]
    assert files(free).terms is None


def test_a_publishers_own_level_is_its_own_repository() -> None:
    found = ways("model=gpt-oss-120b&machine=rtx-4090&host_memory_gib=64")
    assert "-hf ggml-org/gpt-oss-120b-GGUF:MXFP4 " in text(found[RuntimeId.LLAMA_CPP])
    assert files(found[RuntimeId.LLAMA_CPP]).download_bytes == 63_387_346_464
    assert "experts stay on the CPU" in said(found[RuntimeId.OLLAMA])
    assert "load dialog" in said(found[RuntimeId.LM_STUDIO])
    fp8 = ways("model=deepseek-v3.1&machine=h200-sxm-141gb&gpus=8")[RuntimeId.VLLM]
    assert "vllm serve deepseek-ai/DeepSeek-V3.1 " in text(fp8)
    assert "--quantization" not in text(fp8)


def test_ollama_does_not_fetch_a_file_in_parts() -> None:
    found = ways("model=llama-3.3-70b-instruct&machine=a100-sxm4-80gb&gpus=2&level=Q8_0")
    assert files(found[RuntimeId.LLAMA_CPP]).split
    assert not found[RuntimeId.OLLAMA].runs
    assert "several parts" in said(found[RuntimeId.OLLAMA])


def test_a_shared_cache_is_not_ollamas() -> None:
    found = ways("model=qwen3-8b&machine=rtx-4090&runtime=lm-studio&users=4")
    assert "4 users share one cache" in said(found[RuntimeId.OLLAMA])
    assert "--kv-unified" in text(found[RuntimeId.LLAMA_CPP])


def test_another_engine_has_the_plan_of_the_choice_beside() -> None:
    found = asked("model=qwen3-8b&machine=rtx-4090")
    (choice,) = [one for one in choices(found) if one.role == "other engine"]
    way = next(way for way in ways_to_run(found, found.shown) if way.runtime is choice.option.setup.runtime.id)
    assert (way.own_plan, way.level) == (True, choice.option.candidate.level)
    assert way.level in said(way)


@pytest.mark.parametrize("query", [LLAMA, "model=gpt-oss-120b&machine=rtx-4090", "model=qwen3-32b&machine=rtx-4070"])
def test_why_an_engine_does_not_run_it_holds_when_it_is_asked(query: str) -> None:
    for runtime, way in ways(query).items():
        if way.runs or runtime not in (RuntimeId.VLLM, RuntimeId.MLX):
            continue
        try:
            told = asked(f"{query}&runtime={runtime}")
        except InputError as refused:
            assert str(refused).split(";")[0] in said(way)
        else:
            assert told.chosen is None


def test_a_runtime_that_is_asked_for_is_the_reason() -> None:
    found = ways("model=qwen3-8b&machine=rtx-4090&runtime=llama.cpp")
    assert said(found[RuntimeId.VLLM]) == "The question asks for llama.cpp, so vLLM was not looked at."


def test_a_mere_size_has_no_repository_and_says_what_to_put_in_its_place() -> None:
    way = ways("model=70B&machine=rtx-3090&gpus=2")[RuntimeId.LLAMA_CPP]
    assert files(way).origin == "yours"
    assert "typical-70B-Q4_K_M.gguf" in text(way)
    assert "in the place of typical-70B-Q4_K_M.gguf." in said(way)


@pytest.mark.parametrize(
    ("runtime", "machine", "level", "name"),
    [
        ("vllm", "rtx-4090", None, "BF16-safetensors"),
        ("vllm", "rtx-4090", "AWQ-W4A16-g128", "AWQ-W4A16-g128"),
        ("sglang", "rtx-4090", None, "BF16-safetensors"),
        ("mlx", "apple-m4-max-40c-128gb", "MLX-4bit-g64", "MLX-4bit-g64"),
        ("llama.cpp", "rtx-4090", "Q8_0", "Q8_0.gguf"),
        ("ollama", "rtx-4090", "Q8_0", "Q8_0.gguf"),
    ],
)
def test_a_file_of_ones_own_is_not_named_for_another_level_of_its_model(
    tmp_path: Path, runtime: str, machine: str, level: str | None, name: str
) -> None:
    """`vllm serve my.gguf --dtype bfloat16` was printed, and `llama-server -m my-Q4_K.gguf` for a plan at Q8_0."""
    path = tmp_path / "my-Q4_K.gguf"
    path.write_bytes(gguf_file("llama-3.1-8b-instruct")[0])
    values = {"model": str(path), "machine": machine, "runtime": runtime, "context": "4096"}
    found = answer(Question.from_values(values | ({} if level is None else {"level": level})), allow_local=True)
    way = next(way for way in ways_to_run(found, found.shown) if way.runtime == runtime)
    told = "\n".join(one.text for one in (*way.before, *way.lines))
    assert "my-Q4_K.gguf" not in told
    assert f"my-Q4_K-{name}" in told
    assert any("Planned are " in note and "my-Q4_K.gguf is not" in note for note in say_all(found.notes))
    assert said(way).startswith("This plan is not of my-Q4_K.gguf but of ")
    assert said(way).endswith(f"in the place of my-Q4_K-{name}.")


def test_a_file_of_ones_own_as_it_is_is_planned_itself(tmp_path: Path) -> None:
    path = tmp_path / "my-Q4_K.gguf"
    path.write_bytes(gguf_file("llama-3.1-8b-instruct")[0])
    values = {"model": str(path), "machine": "rtx-4090", "runtime": "llama.cpp", "context": "4096"}
    found = answer(Question.from_values(values), allow_local=True)
    way = next(way for way in ways_to_run(found, found.shown) if way.runtime is RuntimeId.LLAMA_CPP)
    assert "-m my-Q4_K.gguf " in text(way)
    assert not any("Planned are " in note for note in say_all(found.notes))


def test_files_that_nobody_makes_are_the_readers_to_find() -> None:
    way = ways("model=qwen3-8b&machine=rtx-4090&level=AWQ-W4A16-g128")[RuntimeId.VLLM]
    assert files(way).origin == "to find"
    assert "vllm serve ./Qwen3-8B-AWQ-W4A16-g128 " in text(way)
    assert "replace ./Qwen3-8B-AWQ-W4A16-g128 by" in said(way)


def test_the_time_of_a_download_is_that_of_its_bytes() -> None:
    one = Files("published", "a/b", download_bytes=45 * 10**9, disk_bytes=45 * 10**9)
    assert LINE_MBIT_PER_S == 100
    assert one.download_seconds == pytest.approx(3600)
    assert say(needs(one)[1]) == "45.0 GB to download, about 60 min at 100 Mbit/s"
    assert say(needs(replace(one, download_bytes=450 * 10**9))[1]).endswith("about 10.0 h at 100 Mbit/s")
    assert needs(Files("yours", download_bytes=0, disk_bytes=None)) == ()


# -------------------------------------------------------------------------------------------------- read on the Hub


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.setenv("LLM_FIT_ADVISOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with FakeHub() as fake:
        monkeypatch.setattr(advise, "find_any_model", lambda name, **_: find_any_model(name, endpoint=fake.url))
        advise._find.cache_clear()
        advise._answer.cache_clear()
        yield fake


def test_a_file_on_the_hub_is_fetched_from_its_repository(hub: FakeHub) -> None:
    hub.add("org/name-GGUF", {"name-Q4_K_M.gguf": gguf_file("llama-3.1-8b-instruct")})
    found = ways("model=org/name-GGUF:Q4_K_M&machine=rtx-4090")
    assert text(found[RuntimeId.LLAMA_CPP]).startswith("llama-server -hf org/name-GGUF:Q4_K_M ")
    assert files(found[RuntimeId.LLAMA_CPP]).repository == "org/name-GGUF"
    assert not found[RuntimeId.VLLM].runs


@pytest.mark.parametrize(
    "model",
    ["org/name-GGUF", "org/name-GGUF:Q4_K_M", "https://huggingface.co/org/name-GGUF/blob/main/name-Q4_K_M.gguf"],
)
def test_a_repository_of_gguf_files_is_served_to_nobody_else(hub: FakeHub, model: str) -> None:
    hub.add("org/name-GGUF", {"name-Q4_K_M.gguf": gguf_file("llama-3.1-8b-instruct")})
    way = ways(f"model={model}&machine=rtx-4090&runtime=vllm")[RuntimeId.VLLM]
    assert "org/name-GGUF" not in text(way)
    assert said(way).startswith("This plan is not of ")
    other = ways(f"model={model}&machine=rtx-4090&level=Q8_0")[RuntimeId.LLAMA_CPP]
    assert not other.before
    assert said(other).startswith("This plan is not of ")


def test_a_checkpoint_as_it_is_is_served_from_its_repository(hub: FakeHub) -> None:
    model = "llama-3.1-8b-instruct"
    section = {"quant_method": "fp8", "activation_scheme": "dynamic"}
    tensors = safetensors_file((name, "BF16", shape) for name, shape in checkpoint_tensors(model))
    config = {**catalogue()[model].config, "quantization_config": section}
    hub.add("org/name", {"config.json": config, "model.safetensors": tensors}, gated=False)
    found = asked("model=org/name&machine=rtx-4090&context=1024")
    way = next(way for way in ways_to_run(found, found.shown) if way.runtime is RuntimeId.VLLM)
    assert found.shown.level == "FP8-dynamic (published)"
    assert text(way).startswith("vllm serve org/name --max-model-len 1024 ")
    assert "--quantization" not in text(way)
    assert files(way).download_bytes == found.shown.file_bytes
