"""The steps of a run, and compression by a program in another environment."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from advisor.formats.safetensors_levels import find_safetensors_level
from advisor.formats.safetensors_sizes import size_safetensors_level
from advisor.foundation.errors import InputError
from advisor.quantize import compress as compressing
from advisor.quantize import native
from advisor.quantize.allowed import QuantizeSettings, read_settings
from advisor.quantize.compress import RECIPES, check_level, compress, compress_python
from advisor.quantize.convert import convert
from advisor.quantize.download import download
from advisor.quantize.errors import RunFailed, ToolMissing
from advisor.quantize.hf_folder import open_folder
from advisor.quantize.run_request import RunRequest, parse_request
from advisor.quantize.steps import Steps
from advisor.quantize.tinylm import CALIBRATION_TEXT, EVALUATION_TEXT, FOLDER, IMPORTANCE_MATRIX
from tests.support.hub_server import FakeHub
from tests.support.model_files import safetensors_file

needs_library = pytest.mark.skipif(
    not native.is_installed(), reason="xllamacpp is not installed: pip install -r advisor/quantize/requirements.txt"
)


@pytest.fixture
def settings(tmp_path: Path) -> QuantizeSettings:
    (tmp_path / "models").mkdir()
    return read_settings(
        {"LLM_FIT_ADVISOR_QUANTIZE": "on", "LLM_FIT_ADVISOR_QUANTIZE_FOLDERS": str(tmp_path / "models")}
    )


def made(request: RunRequest, settings: QuantizeSettings, folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Results, and the stages that were gone through."""
    told: list[str] = []
    kept: list[Mapping[str, Any]] = []
    results = Steps(request, settings, folder, lambda stage, _: told.append(stage), kept.append).run()
    assert list(kept[-1]) == list(results)
    return results, list(dict.fromkeys(told))


@needs_library
def test_a_second_attempt_skips_what_is_done_unless_the_source_changed(
    settings: QuantizeSettings, tmp_path: Path
) -> None:
    source, folder = tmp_path / "models" / "own.gguf", tmp_path / "run"
    convert(open_folder(FOLDER), source)
    request = RunRequest(source="gguf", location=str(source), levels=("Q8_0", "Q4_0"), measure=False)
    first, stages = made(request, settings, folder)
    assert stages == ["Preparing the source", "Quantizing Q8_0", "Quantizing Q4_0"]
    assert first["Q4_0"]["file_bytes"] == (folder / "own.gguf-Q4_0.gguf").stat().st_size
    assert made(request, settings, folder) == (first, ["Preparing the source"])
    content = bytearray(source.read_bytes())
    content[-2000:] = bytes(2000)
    source.write_bytes(content)
    again, stages = made(request, settings, folder)
    assert stages == ["Preparing the source", "Quantizing Q8_0", "Quantizing Q4_0"]
    assert again == first


@needs_library
def test_files_are_not_kept_where_only_the_measurement_is_wanted(settings: QuantizeSettings, tmp_path: Path) -> None:
    request = RunRequest(source="tinylm", levels=("Q4_0",), chunks=2, keep_files=False)
    results, _ = made(request, settings, tmp_path / "run")
    assert results["Q4_0"]["quality"]["kl_divergence"] > 0
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert left == {"level-Q4_0.json", "reference.json", "source.json", "tinylm-16bit.gguf"}


@needs_library
def test_disk_and_limits_are_checked_before_anything_is_written(
    settings: QuantizeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = RunRequest(source="tinylm", levels=("Q8_0",), measure=False)
    with pytest.raises(InputError, match=r"5.8 MB of weights; at most 1.0 MB are allowed"):
        made(tiny, replace(settings, most_bytes=1_000_000), tmp_path / "run")
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1 << 20))
    with pytest.raises(RunFailed, match=r"The run needs .* of disk, and 1.0 MB are free"):
        made(tiny, settings, tmp_path / "run")
    assert not list((tmp_path / "run").glob("*.gguf*"))
    monkeypatch.undo()
    with pytest.raises(InputError, match="importance matrix"):
        made(replace_levels(tiny, "Q8_0", "IQ1_S"), settings, tmp_path / "run")
    assert not list((tmp_path / "run").glob("*Q8_0*")), "said before the first level is made"


@needs_library
def test_an_importance_matrix_is_made_within_a_run(
    settings: QuantizeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the program is asked and how its progress is read; quantize_tools.py does it with the real one."""
    program = tmp_path / "llama-imatrix"
    program.write_text(
        '#!/bin/sh\ncase "$1" in --*) echo "version: 9.9"; exit 0;; esac\n'
        'echo "computing over 4 chunks"; printf "[1]9.1,[2]9.2,"; sleep 0.2; printf "[3]9.3,[4]9.4,\\n"\n'
        f'while [ "$1" != -o ]; do shift; done; cp {IMPORTANCE_MATRIX} "$2"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("LLAMA_CPP_BIN", str(tmp_path))
    request = RunRequest(source="tinylm", levels=("Q2_K_S",), matrix="make", measure=False)
    told: list[tuple[str, float]] = []
    results = Steps(request, settings, tmp_path / "run", lambda *said: told.append(said), lambda _: None).run()
    assert results["Q2_K_S"]["imatrix"] is True
    assert results["Q2_K_S"]["file_bytes"] == results["Q2_K_S"]["predicted_file_bytes"]
    made = [progress for stage, progress in told if stage == "Making an importance matrix"]
    assert len(set(made)) > 2, "it moves"
    assert [progress for _, progress in told] == sorted(progress for _, progress in told)
    assert (tmp_path / "run" / "imatrix.gguf").read_bytes() == IMPORTANCE_MATRIX.read_bytes()


def replace_levels(request: RunRequest, *levels: str) -> RunRequest:
    return request.model_copy(update={"levels": levels})


def test_a_repository_is_fetched_without_its_programs(tmp_path: Path) -> None:
    names = ("config.json", "tokenizer.model", "tokenizer_config.json", "model.safetensors")
    files = {name: (FOLDER / name).read_bytes() for name in names}
    with FakeHub() as hub:
        hub.add("owner/tiny", {**files, "modeling.py": b"raise SystemExit", "pytorch_model.bin": b"", "x/y.json": {}})
        hub.add("owner/empty", {"config.json": {}})
        hub.add("owner/gated", files, gated=True)
        target = download("owner/tiny", tmp_path / "source", 10_000_000, endpoint=hub.url)
        assert {path.name for path in target.iterdir() if path.is_file()} == set(names)
        assert open_folder(target).model.parameters == 2_885_888
        for name, most, reason in (
            ("owner/tiny", 1_000_000, "5.8 MB; at most 1.0 MB are allowed"),
            ("owner/empty", 10_000_000, "holds no safetensors weights"),
            ("owner/gated", 10_000_000, "needs a token"),
            ("owner/none", 10_000_000, "is not on the Hub"),
        ):
            with pytest.raises(InputError, match=reason):
                download(name, tmp_path / name.replace("/", "-"), most, endpoint=hub.url)
        hub.repositories["owner/tiny"].file_fault = "403"
        with pytest.raises(RunFailed, match="owner/tiny cannot be downloaded: "):
            download("owner/tiny", tmp_path / "again", 10_000_000, endpoint=hub.url)


def test_a_damaged_request_is_one_sentence() -> None:
    for text, where in (("{}", "source"), ('{"source": "tinylm", "levels": []}', "levels"), ("x", "")):
        with pytest.raises(InputError, match=f"The run's '{where}' cannot be used"):
            parse_request(text)


# Compression: a stand-in for llmcompressor; the real one is run by tests/benchmarks/quantize_gptq.py.

PROGRAM = """
import json, pathlib, sys
order = json.loads(sys.argv[1])
target = pathlib.Path(order["target"])
target.mkdir()
(target / "model.safetensors").write_bytes(pathlib.Path("made.safetensors").read_bytes())
print("(1/4): Calibrating")
print(json.dumps({"quality": {"perplexity": 14.1, "perplexity_error": 0.2, "kl_divergence": 0.0016, "kl_error": 1e-5,
    "same_top": 0.97, "tokens": 127}, "reference_perplexity": 14.0, "engine": "transformers 5"}))
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    monkeypatch.setenv("LLM_FIT_ADVISOR_COMPRESS_PYTHON", sys.executable)
    monkeypatch.setattr(compressing, "_PROGRAM", path)
    header, length = safetensors_file([("a.weight", "I32", (256, 64)), ("b.weight", "BF16", (256, 4))])
    (tmp_path / "made.safetensors").write_bytes(header + bytes(length - len(header)))
    return path


def test_what_a_compressor_makes_is_measured_against_the_prediction(program: Path, tmp_path: Path) -> None:
    folder = open_folder(FOLDER)
    seen: list[str] = []
    done = compress(
        folder, "W4A16-g128", tmp_path / "made", calibration=CALIBRATION_TEXT, evaluation=EVALUATION_TEXT,
        report=lambda at: seen.append(f"{at.item} {at.done}/{at.total}"),
    )  # fmt: skip
    assert seen == ["Calibrating 1/4"]
    assert done.tensor_bytes == 256 * 64 * 4 + 256 * 4 * 2
    assert done.file_bytes == (tmp_path / "made.safetensors").stat().st_size
    level = find_safetensors_level("W4A16-g128")
    assert done.predicted_tensor_bytes == size_safetensors_level(folder.model, level).tensor_bytes
    assert done.quality.kl_divergence == 0.0016
    assert (tmp_path / "made" / "model.safetensors").stat().st_mode & 0o044 == 0o044


def test_a_run_compresses_and_skips_what_is_done(
    program: Path, settings: QuantizeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "made.safetensors").rename(tmp_path / "run" / "made.safetensors")
    request = RunRequest(source="tinylm", method="gptq", levels=("W4A16-g128", "W4A16-asym-g128"))
    results, stages = made(request, settings, tmp_path / "run")
    assert stages == ["Preparing the source", "Compressing W4A16-g128", "Compressing W4A16-asym-g128"]
    assert results["W4A16-g128"]["quality"]["kl_divergence"] == 0.0016
    program.write_text("raise SystemExit(1)")
    assert made(request, settings, tmp_path / "run") == (results, ["Preparing the source"])
    with pytest.raises(InputError, match="cannot be made by gptq"):
        made(replace_levels(request, "Q8_0"), settings, tmp_path / "other")
    with pytest.raises(InputError, match="needs a model folder"):
        made(request.model_copy(update={"source": "gguf"}), settings, tmp_path / "other")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise ValueError('weight column counts not divisible')", "exit code 1): ValueError: weight column counts"),
        ("import os; os.kill(os.getpid(), 9)", "ran out of memory"),
        ("print('fine')", "failed (exit code 0): fine"),
        (PROGRAM.replace("made.safetensors", "/dev/null"), "fewer than 8 bytes"),
    ],
)
def test_a_compressor_that_fails_is_one_sentence_and_leaves_nothing(
    program: Path, tmp_path: Path, body: str, reason: str
) -> None:
    program.write_text(body)
    with pytest.raises((RunFailed, InputError)) as caught:
        compress(
            open_folder(FOLDER), "W4A16-g128", tmp_path / "made", calibration=CALIBRATION_TEXT,
            evaluation=EVALUATION_TEXT,
        )  # fmt: skip
    assert reason in str(caught.value)
    assert not list(tmp_path.glob("made*/"))


def test_levels_that_cannot_be_compressed_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = open_folder(FOLDER)
    for level, recipes in RECIPES.items():
        for recipe in recipes:
            assert check_level(folder, level, recipe.modifier) == recipe
    with pytest.raises(InputError, match="cannot be made by gptq"):
        check_level(folder, "FP8-dynamic", "gptq")
    with pytest.raises(InputError, match="did you mean 'W4A16-g128'"):
        check_level(folder, "W4A16", "gptq")
    narrow = tmp_path / "narrow"
    shutil.copytree(FOLDER, narrow)
    config = json.loads((FOLDER / "config.json").read_text())
    (narrow / "config.json").write_text(json.dumps({**config, "intermediate_size": 320}))
    with pytest.raises(InputError, match="W4A16-g128 is not possible for this model"):
        check_level(open_folder(narrow), "W4A16-g128", "gptq")
    monkeypatch.delenv("LLM_FIT_ADVISOR_COMPRESS_PYTHON", raising=False)
    with pytest.raises(ToolMissing, match="virtual environment of its own"):
        compress_python()
