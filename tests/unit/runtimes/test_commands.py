"""The commands to run a plan: every option is one that the program has, every argument survives a shell."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS, Scheme
from advisor.foundation.errors import InputError
from advisor.runtimes.commands import Launch, commands
from advisor.runtimes.extension import Extension
from advisor.runtimes.launch import Command, command_line
from advisor.runtimes.server import ServerOptions
from advisor.sizing.settings import CACHE_TYPES, Settings
from advisor.words import say, say_all
from tests.support.program_options import RECORDED, arguments, check_options, option_values, program_lines, recorded

BASE = Launch(
    model_name="Llama 3.1 8B Instruct",
    level="Q4_K_M",
    runtime="llama.cpp",
    settings=Settings(context=8192, users=1),
    hf_repo="meta-llama/Llama-3.1-8B-Instruct",
)
EVERYTHING = replace(
    BASE,
    settings=Settings(8192, 4, 4096, True, "q8_0", "q4_0", gpu_layers=20, cpu_moe_layers=7),
    gpus=3,
    layers=32,
    split_mode="tensor",
    tensor_split=(3, 1.5, 1),
    override_tensors=(r"blk\.(0|1)\.ffn_.*=CPU", "output.weight=CUDA0"),
    kv_offload=False,
    mmap=False,
    imatrix=True,
    mtp=True,
    server=ServerOptions(kv_fp8=True, batch_tokens=4096, eager=True, pipeline=3, data=2, expert_parallel=True),
    experts=True,
    extension=Extension("yarn", 8192, 4096, 4096, "llama", '{"rope_theta": 500000.0}'),
)


def all_launches() -> Iterator[Launch]:
    for launch in (BASE, EVERYTHING):
        for published in (None, "bartowski/Llama-3.1-8B-Instruct-GGUF"):
            for runtime in ("llama.cpp", "ollama", "lm-studio"):
                for level in LEVELS:
                    yield replace(launch, runtime=runtime, level=level, published_repo=published)
            for level, known in SAFETENSORS_LEVELS.items():
                yield replace(launch, runtime="vllm", level=level, published_repo=published)
                if known.scheme is not Scheme.MLX:
                    yield replace(launch, runtime="sglang", level=level, published_repo=published, mtp=False)
                if known.scheme in (Scheme.MLX, Scheme.PLAIN):
                    yield replace(launch, runtime="mlx", level=level, published_repo=published)


def test_every_option_is_one_that_the_program_has() -> None:
    seen: dict[str, set[str]] = {}
    for launch in all_launches():
        for command in commands(launch):
            check_options(command)
            for words in program_lines(command):
                seen.setdefault(words[0], set()).update(option for option, _ in option_values(words[1:]))
    # The test would pass without a single option: these are what it is for.
    assert {
        "-ngl",
        "-ncmoe",
        "-ts",
        "-sm",
        "-ctk",
        "-ctv",
        "-fa",
        "-ub",
        "-b",
        "-ot",
        "-lm",
        "-np",
        "-hf",
        "-m",
    } <= seen["llama-server"]
    assert {"llama-cli", "llama-imatrix", "llama-quantize", "convert_hf_to_gguf.py"} <= set(seen)
    assert {"--quantization", "--kv-cache-dtype", "--tensor-parallel-size"} <= seen["vllm"]
    assert {"mlx_lm.server", "mlx_lm.convert", "ollama", "lms"} <= set(seen)


def test_levels_and_cache_types_are_those_of_llama_cpp() -> None:
    assert {*LEVELS} - {"MXFP4"} <= (recorded("llama-quantize")["levels"] or set())
    assert {*CACHE_TYPES} == recorded("llama-server")["-ctk"]


def test_a_plan_in_full() -> None:
    *_, server = commands(EVERYTHING)
    words = arguments(server.text)
    values = dict(option_values(words))
    assert words[0] == "llama-server"
    assert values["-c"] == "32768"
    assert values["-np"] == "4"
    assert values["-ngl"] == "20"
    assert values["-ncmoe"] == "7"
    assert values["-sm"] == "tensor"
    assert values["-ts"] == "3,1.5,1"
    assert values["-ctk"] == "q8_0"
    assert values["-ctv"] == "q4_0"
    assert values["-ub"] == values["-b"] == "4096"
    assert values["-lm"] == "none"
    assert values["-ot"] == r"blk\.(0|1)\.ffn_.*=CPU,output.weight=CUDA0"
    assert "--no-kv-offload" in words


def test_the_file_is_made_where_nobody_has_published_it() -> None:
    convert, quantize, server, cli = commands(BASE)
    assert arguments(convert.text)[:4] == ["python", "convert_hf_to_gguf.py", "--remote", BASE.hf_repo]
    made = arguments(quantize.text)[-2]
    assert arguments(quantize.text)[-1] == "Q4_K_M"
    assert arguments(server.text)[1:3] == arguments(cli.text)[1:3] == ["-m", made]
    titles = [say(command.title) for command in commands(replace(BASE, level="IQ2_XS"))]
    assert titles[:3] == ["Convert", "Measure what matters", "Quantize"]
    assert [say(command.title) for command in commands(replace(BASE, level="BF16"))] == [
        "Convert",
        "llama-server",
        "llama-cli",
    ]
    (*_, cli) = commands(replace(BASE, hf_repo=None))
    assert arguments(cli.text)[1:3] == ["-m", "Llama-3.1-8B-Instruct-Q4_K_M.gguf"]


def test_a_known_repository_is_named_with_its_level() -> None:
    server, _ = commands(replace(BASE, published_repo="bartowski/Some-GGUF", level="IQ4_XS"))
    assert arguments(server.text)[1:4] == ["-hf", "bartowski/Some-GGUF:IQ4_XS", "--no-mmproj"]
    server, _ = commands(replace(BASE, file="https://example.org/a b.gguf"))
    assert arguments(server.text)[1:3] == ["-mu", "https://example.org/a b.gguf"]


def test_without_a_gpu_nothing_goes_to_one() -> None:
    cpu = replace(BASE, gpus=0)
    assert dict(option_values(arguments(commands(cpu)[-1].text)))["-ngl"] == "0"
    assert "PARAMETER num_gpu 0" in modelfile(replace(cpu, runtime="ollama"))
    assert "--gpu off" in load(replace(cpu, runtime="lm-studio"))


def modelfile(launch: Launch) -> str:
    return next(command.text for command in commands(launch) if say(command.title).startswith("Modelfile"))


def titled(launch: Launch, title: str) -> Command:
    return next(command for command in commands(launch) if say(command.title) == title)


def notes(launch: Launch, title: str) -> str:
    return " ".join(say_all(titled(launch, title).notes))


def load(launch: Launch) -> str:
    return next(command.text for command in commands(launch) if say(command.title) == "Load")


def test_ollama() -> None:
    launch = replace(EVERYTHING, runtime="ollama", published_repo="bartowski/Some-GGUF")
    known = recorded("ollama")
    lines = modelfile(launch).splitlines()
    assert lines[0] == "FROM hf.co/bartowski/Some-GGUF:Q4_K_M"
    assert "PARAMETER num_ctx 8192" in lines
    for line in lines:
        instruction, first, *_ = line.split()
        assert instruction in (known["instructions"] or ())
        assert instruction != "PARAMETER" or first in (known["parameters"] or ())
    start = next(command for command in commands(launch) if say(command.title) == "Start Ollama")
    variables = {word.partition("=")[0] for word in start.text.split() if "=" in word}
    assert variables <= (known["environment"] or set())
    assert "OLLAMA_NUM_PARALLEL=4" in start.text
    assert "one KV cache type" in " ".join(say_all(start.notes))
    assert "experts on the CPU" in " ".join(say_all(start.notes))
    simple = next(
        command for command in commands(replace(BASE, runtime="ollama")) if say(command.title) == "Start Ollama"
    )
    assert "cannot be told" not in " ".join(say_all(simple.notes))


@pytest.mark.parametrize(("layers", "expected"), [(None, "max"), (0, "off"), (32, "max"), (16, "0.516")])
def test_lm_studio_takes_a_share(layers: int | None, expected: str) -> None:
    launch = replace(BASE, runtime="lm-studio", layers=32, settings=replace(BASE.settings, gpu_layers=layers))
    words = arguments(load(launch))
    assert dict(option_values(words))["--gpu"] == expected
    assert "Max Concurrent Predictions 1" in next(
        " ".join(say_all(c.notes)) for c in commands(launch) if say(c.title) == "Load"
    )


@pytest.mark.parametrize(
    ("backend", "devices", "variable"),
    [
        ("cuda", "CUDA0,CUDA1", "CUDA_VISIBLE_DEVICES=0,1"),
        ("rocm", "ROCm0,ROCm1", "ROCR_VISIBLE_DEVICES=0,1"),
        ("vulkan", "Vulkan0,Vulkan1", "GGML_VK_VISIBLE_DEVICES=0,1"),
    ],
)
def test_cards_that_stay_idle_are_kept_from_the_program(backend: str, devices: str, variable: str) -> None:
    idle = replace(BASE, gpus=2, idle_gpus=1, backend=backend, draft_file="draft.gguf")
    server = next(command for command in commands(idle) if say(command.title) == "llama-server")
    values = dict(option_values(arguments(server.text)))
    assert (values["-dev"], values["-devd"]) == (devices, devices)
    assert {"-dev", "-devd"} <= set(recorded("llama-server"))
    assert "--list-devices" in " ".join(say_all(server.notes))
    start = next(
        command for command in commands(replace(idle, runtime="ollama")) if say(command.title) == "Start Ollama"
    )
    assert start.text.split()[0] == variable
    assert variable.partition("=")[0] in (recorded("ollama")["environment"] or ())
    note = next(
        " ".join(say_all(command.notes))
        for command in commands(replace(idle, runtime="lm-studio"))
        if say(command.title) == "Load"
    )
    assert "only the first 2 GPUs" in note
    for runtime in ("llama.cpp", "ollama", "lm-studio"):
        said = " ".join(
            f"{one.text} {' '.join(say_all(one.notes))}"
            for one in commands(replace(idle, runtime=runtime, idle_gpus=0))
        )
        assert "-dev" not in said
        assert "VISIBLE" not in said
        assert "only the first" not in said


def test_vllm() -> None:
    vllm = replace(BASE, runtime="vllm", gpus=2)
    (serve,) = commands(replace(vllm, level="BF16-safetensors"))
    assert arguments(serve.text)[:3] == ["vllm", "serve", "meta-llama/Llama-3.1-8B-Instruct"]
    values = dict(option_values(arguments(serve.text)))
    assert values["--tensor-parallel-size"] == "2"
    assert values["--max-model-len"] == "8192"
    assert "--quantization" not in values
    (serve,) = commands(replace(vllm, level="FP8-dynamic"))
    assert "--quantization fp8_per_channel" in " ".join(arguments(serve.text))
    (serve,) = commands(
        replace(vllm, level="AWQ-W4A16-g128", published_repo="org/model-AWQ", server=ServerOptions(kv_fp8=True))
    )
    assert arguments(serve.text)[2] == "org/model-AWQ"
    assert "--kv-cache-dtype fp8" in " ".join(arguments(serve.text))
    assert "--quantization" not in serve.text
    make, serve = commands(replace(vllm, level="NVFP4"))
    assert arguments(serve.text)[2] == "./Llama-3.1-8B-Instruct-NVFP4"
    assert "NVFP4" in make.text


def test_python_to_copy_is_python() -> None:
    count = 0
    for launch in all_launches():
        for command in commands(launch):
            if "(Python)" in say(command.title):
                ast.parse(command.text)
                count += 1
    assert count


def test_mlx() -> None:
    mlx = replace(BASE, runtime="mlx", level="MLX-4bit-g32")
    convert, server = commands(mlx)
    values = dict(option_values(arguments(convert.text)))
    assert (values["--q-bits"], values["--q-group-size"]) == ("4", "32")
    assert arguments(server.text)[:3] == ["mlx_lm.server", "--model", values["--mlx-path"]]
    quantized = replace(mlx, settings=replace(mlx.settings, cache_type_k="q8_0", cache_type_v="q8_0"))
    assert "--kv-bits 8" in commands(quantized)[-1].text.replace("\\\n  ", "")
    with pytest.raises(InputError, match="MLX does not read"):
        commands(replace(mlx, level="NVFP4"))


def test_what_cannot_be_run_is_one_sentence() -> None:
    with pytest.raises(InputError, match="no runtime 'auto'"):
        commands(replace(BASE, runtime="auto"))
    with pytest.raises(InputError, match="no GGUF level"):
        commands(replace(BASE, level="Q4_K_X"))
    for wrong in ({"hf_repo": "a/b; rm -rf"}, {"level": "--help"}, {"published_repo": "x\ny/z"}, {"file": "a\nRUN b"}):
        with pytest.raises(InputError):
            replace(BASE, **wrong)  # type: ignore[arg-type]


@given(st.lists(st.text(st.characters(blacklist_characters="\x00\n\r", blacklist_categories=["Cs"])), min_size=1))
def test_arguments_survive_the_shell(words: list[str]) -> None:
    assert shlex.split(command_line("program", *words).replace(" \\\n  ", " ")) == ["program", *words]


@given(st.text(max_size=50), st.text(max_size=50))
def test_any_model_name_gives_safe_names_of_files(model: str, file: str) -> None:
    launch = replace(BASE, model_name=model, hf_repo=None)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", launch.short_name)
    assert not launch.short_name.startswith(("-", "."))
    try:
        launch = replace(launch, file=file)
    except InputError:
        return
    server, _ = commands(launch)
    assert file in arguments(server.text)


def help_text(*call: str, variable: str = "") -> str:
    """The --help of an installed program, which the environment `variable` may name; skips where there is none."""
    program = os.environ.get(variable) or shutil.which(call[0])
    if not program:
        pytest.skip(f"{call[0]} is not installed" + (f"; set {variable} to its path" if variable else ""))
    done = subprocess.run([program, *call[1:]], capture_output=True, text=True, check=False, timeout=300)
    return done.stdout + done.stderr


def used_options(runtime: str, program: str) -> dict[str, set[Any]]:
    used: dict[str, set[Any]] = {}
    for launch in all_launches():
        if launch.runtime == runtime:
            for command in commands(launch):
                for words in program_lines(command):
                    if words[0] == program:
                        for option, value in option_values(words[1:]):
                            used.setdefault(option, set()).add(value)
    return used


@pytest.mark.parametrize(
    ("runtime", "program", "call", "variable"),
    [
        ("llama.cpp", "llama-server", ("llama-server", "--help"), "LLAMA_SERVER"),
        ("llama.cpp", "llama-cli", ("llama-cli", "--help"), "LLAMA_CLI"),
        ("vllm", "vllm", ("vllm", "serve", "--help=all"), "VLLM"),
        ("mlx", "mlx_lm.server", ("mlx_lm.server", "--help"), "MLX_LM_SERVER"),
        ("mlx", "mlx_lm.convert", ("mlx_lm.convert", "--help"), "MLX_LM_CONVERT"),
    ],
)
def test_installed_programs_know_the_options(runtime: str, program: str, call: tuple[str, ...], variable: str) -> None:
    said = help_text(*call, variable=variable)
    for option in used_options(runtime, program):
        assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", said), option


def test_an_installed_llama_server_takes_the_whole_command(tmp_path: Path) -> None:
    """It gets as far as looking for the file; a word it does not know ends with its usage instead."""
    whole = replace(EVERYTHING, file=str(tmp_path / "none.gguf"), override_tensors=(r"blk\.0\.ffn_.*=CPU",))
    words = arguments(commands(whole)[-1].text)
    assert "to show complete usage" not in help_text(*words, variable="LLAMA_SERVER")
    assert "to show complete usage" in help_text(*words, "-sm", "bogus", variable="LLAMA_SERVER")


def test_recorded_lists_name_their_source() -> None:
    files = sorted(RECORDED.glob("flags_*.txt"))
    assert len(files) == 11
    for file in files:
        head = [line for line in file.read_text().splitlines() if line.startswith("#")]
        assert [line.split(":")[0] for line in head[:3]] == ["# program", "# version", "# source"], file.name
