"""Really quantizing and measuring the tiny model that comes along."""

from __future__ import annotations

import csv
import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from ctypes import c_int32
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from advisor.formats.ggml_types import Type
from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import size_level
from advisor.foundation.errors import InputError
from advisor.foundation.units import MIB
from advisor.quantize import native
from advisor.quantize.convert import convert, plan_conversion
from advisor.quantize.errors import Cancelled, RunFailed
from advisor.quantize.gguf_quantize import Progress, plan_file, quantize_gguf
from advisor.quantize.gguf_source import GgufSource, as_float32, open_gguf_source
from advisor.quantize.hf_folder import open_folder
from advisor.quantize.imatrix import read_imatrix
from advisor.quantize.measure import Reference, make_reference, measure_quality, read_text
from advisor.quantize.network import Network
from advisor.quantize.speed import measure_speed
from advisor.quantize.tinylm import EVALUATION_TEXT, FOLDER, IMPORTANCE_MATRIX, RESULTS
from advisor.runtimes.llama_cpp.runtime import LLAMA_CPP
from advisor.sizing.memory import Memory
from advisor.sizing.request import Levels, PlanRequest
from advisor.sizing.settings import Settings
from advisor.sources.gguf_header import read_gguf_header
from advisor.sources.reading import read_from_path
from tests.support.model_files import gguf_file

pytestmark = pytest.mark.skipif(
    not native.is_installed(), reason="xllamacpp is not installed: pip install -r advisor/quantize/requirements.txt"
)

ROOT = Path(__file__).resolve().parents[3]
LEVELS_RUN = ("Q8_0", "Q6_K", "Q4_K_M", "IQ4_XS", "Q2_K")
CHUNKS = 52  # a quarter of the text: enough to be within 5 % of the whole, in a quarter of the time


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> GgufSource:
    path = tmp_path_factory.mktemp("tiny") / "tiny-F16.gguf"
    convert(open_folder(FOLDER), path)
    return open_gguf_source(path)


@pytest.fixture(scope="module")
def made(source: GgufSource) -> dict[str, Path]:
    files = {name: source.path.with_name(f"tiny-{name}.gguf") for name in LEVELS_RUN}
    for name, path in files.items():
        quantize_gguf(source, LEVELS[name], path)
    return files


@pytest.fixture(scope="module")
def reference(source: GgufSource) -> Reference:
    return make_reference(source.path, EVALUATION_TEXT, source.path.with_name("base.logits"), chunks=CHUNKS)


def published() -> dict[str, dict[str, str]]:
    """Rows of llama.cpp's own tools, made without an importance matrix."""
    with RESULTS.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["path"] == "gguf" and row["imatrix"] == "0"]
    return {row["level"]: row for row in rows if row["model"].startswith("tinylm")}


def test_the_conversion_holds_the_very_weights(source: GgufSource) -> None:
    reader = gguf.GGUFReader(source.path)
    stored = {tensor.name: tensor for tensor in reader.tensors}
    folder = open_folder(FOLDER)
    names = plan_conversion(folder, source.path.with_name("unused.gguf")).names
    for name in ("token_embd.weight", "blk.3.ffn_down.weight", "output_norm.weight"):
        original = as_float32(np.asarray(folder.raw(names[name])), Type.BF16)
        written = np.asarray(stored[name].data, dtype=np.float32).reshape(-1)
        assert np.abs(original - written).max() <= 2.0**-24  # what F16 has no digits for
    assert source.model.parameters == 2_885_888


@pytest.mark.parametrize("name", LEVELS_RUN)
def test_predicted_bytes_are_what_is_written(name: str, source: GgufSource, made: dict[str, Path]) -> None:
    layout = plan_file(source, LEVELS[name], made[name])
    header = read_gguf_header(read_from_path(made[name]), name)
    sized = size_level(source.model, LEVELS[name])
    assert header.tensor_bytes == layout.tensor_bytes == sized.tensor_bytes
    assert header.tensors_by_type == sized.types
    assert made[name].stat().st_size == layout.file_bytes == header.header_bytes + sized.data_bytes
    assert sized.data_bytes == int(published()[name]["data_bytes"])


def test_quality_falls_from_level_to_level_as_published(reference: Reference, made: dict[str, Path]) -> None:
    found = {name: measure_quality(path, reference, EVALUATION_TEXT) for name, path in made.items()}
    divergence = [found[name].kl_divergence for name in LEVELS_RUN]
    assert divergence == sorted(divergence)
    agreement = [found[name].same_top for name in LEVELS_RUN]
    assert agreement == sorted(agreement, reverse=True)
    for name in LEVELS_RUN:
        assert found[name].kl_divergence == pytest.approx(float(published()[name]["kld_mean"]), rel=0.1)
        assert found[name].tokens == CHUNKS * 127
    assert found["Q2_K"].perplexity > reference.perplexity
    assert abs(found["Q8_0"].perplexity - reference.perplexity) < found["Q8_0"].perplexity_error


def test_the_unquantized_file_agrees_with_itself(source: GgufSource, tmp_path: Path) -> None:
    few = make_reference(source.path, EVALUATION_TEXT, tmp_path / "base.logits", chunks=4)
    same = measure_quality(source.path, few, EVALUATION_TEXT)
    assert abs(same.kl_divergence) < 1e-9
    assert same.same_top == 1
    assert same.perplexity == pytest.approx(few.perplexity)


def test_speed_is_measured(made: dict[str, Path]) -> None:
    speed = measure_speed(made["Q8_0"])
    assert 0 < speed.decode_per_s.low <= speed.decode_per_s.high
    assert speed.prefill_per_s.typical > speed.decode_per_s.typical
    assert speed.threads >= 1


@pytest.mark.skipif(sys.platform != "linux", reason="how memory is given back differs by system")
def test_the_memory_of_a_running_file_is_what_a_plan_counts(source: GgufSource, made: dict[str, Path]) -> None:
    """Without the process itself and what llama.cpp takes for any model, which are more than the tiny model."""
    for name in ("Q8_0", "Q2_K"):
        command = [sys.executable, "-m", "advisor.quantize.speed_process", str(made[name])]
        found = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
        asked = PlanRequest(source.model, Memory((), None), Settings(256), stored=Levels(LEVELS[name].id))
        (plan,) = LLAMA_CPP.plan(asked)
        assert found["memory"]["model"] == pytest.approx(plan.host.needed_bytes, abs=MIB)
        assert 1_000_000 < found["memory"]["without_model"] < 10_000_000


def test_a_matrix_makes_levels_possible_that_need_one(source: GgufSource, tmp_path: Path) -> None:
    level, target = LEVELS["Q2_K_S"], tmp_path / "q.gguf"
    with pytest.raises(InputError, match="needs an importance matrix for this model"):
        quantize_gguf(source, level, target)
    assert not list(tmp_path.iterdir())
    matrix = read_imatrix(IMPORTANCE_MATRIX)
    quantize_gguf(source, level, target, matrix=matrix)
    header = read_gguf_header(read_from_path(target), "q")
    assert header.tensor_bytes == size_level(source.model, level, imatrix=True).tensor_bytes
    assert header.text("quantize.imatrix.file") == "imatrix.gguf"
    assert header.number("quantize.imatrix.chunks_count") == 620


def test_a_matrix_is_used_and_helps(source: GgufSource, tmp_path: Path) -> None:
    few = make_reference(source.path, EVALUATION_TEXT, tmp_path / "base.logits", chunks=8)
    divergence = []
    for matrix in (None, read_imatrix(IMPORTANCE_MATRIX)):
        quantize_gguf(source, LEVELS["Q4_1"], tmp_path / "q.gguf", matrix=matrix)
        divergence.append(measure_quality(tmp_path / "q.gguf", few, EVALUATION_TEXT).kl_divergence)
    assert divergence[1] < 0.9 * divergence[0]


def test_threads_and_chunks_do_not_change_a_byte(
    source: GgufSource, made: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("advisor.quantize.gguf_quantize._CHUNK_ELEMENTS", 3 * 256)
    quantize_gguf(source, LEVELS["Q4_K_M"], tmp_path / "q.gguf", threads=3)
    assert (tmp_path / "q.gguf").read_bytes() == made["Q4_K_M"].read_bytes()


def test_a_cancelled_run_leaves_no_file_and_goes_on_where_it_was(
    source: GgufSource, made: dict[str, Path], tmp_path: Path
) -> None:
    target, seen = tmp_path / "q.gguf", list[str]()
    with pytest.raises(Cancelled):
        quantize_gguf(
            source, LEVELS["Q4_K_M"], target, report=lambda at: seen.append(at.item), stop=lambda: len(seen) >= 20
        )
    assert not target.exists()
    part = target.with_name("q.gguf.part")
    with pytest.raises(InputError, match="not a GGUF file"):
        read_gguf_header(read_from_path(part), part.name)
    assert json.loads(target.with_name("q.gguf.part.json").read_text())["done"] == 20
    computed: list[str] = []
    original = native.quantize_rows

    def counting(*arguments: Any) -> Any:
        computed.append(arguments[0].name)
        return original(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("advisor.quantize.gguf_quantize.quantize_rows", counting)
        quantize_gguf(source, LEVELS["Q4_K_M"], target)
    assert 0 < len(computed) < 20  # 39 tensors, of which 20 were done
    assert target.read_bytes() == made["Q4_K_M"].read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["q.gguf"]


def test_what_was_begun_for_another_source_is_not_used(
    source: GgufSource, made: dict[str, Path], tmp_path: Path
) -> None:
    target = tmp_path / "q.gguf"
    other = tmp_path / "other.gguf"
    content = bytearray(source.path.read_bytes())
    content[-4000:] = bytes(4000)
    other.write_bytes(content)
    seen: list[Progress] = []
    with pytest.raises(Cancelled):
        quantize_gguf(
            open_gguf_source(other), LEVELS["Q4_K_M"], target, report=seen.append, stop=lambda: len(seen) > 30
        )
    quantize_gguf(source, LEVELS["Q4_K_M"], target)
    assert target.read_bytes() == made["Q4_K_M"].read_bytes()


SCRIPT = """
import sys
from pathlib import Path
from advisor.formats.gguf_levels import LEVELS
from advisor.quantize import gguf_quantize
from advisor.quantize.gguf_source import open_gguf_source
gguf_quantize._JOURNAL_EVERY_S = 0.0
def report(at):
    print(at.item, flush=True)
gguf_quantize.quantize_gguf(open_gguf_source(Path(sys.argv[1])), LEVELS[sys.argv[2]], Path(sys.argv[3]), report=report)
"""


def child(*arguments: str | Path, limit: Callable[[], None] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, preexec_fn=limit,
    )  # fmt: skip


def test_killed_at_any_time_no_half_file_is_taken_for_a_whole_one(
    source: GgufSource, made: dict[str, Path], tmp_path: Path
) -> None:
    target = tmp_path / "q.gguf"
    for lines in (1, 17):
        process = child(source.path, "Q4_K_M", target)
        assert process.stdout is not None
        for _ in range(lines):
            process.stdout.readline()
        process.kill()
        process.communicate()
        assert not target.exists()
        assert json.loads(target.with_name("q.gguf.part.json").read_text())["done"] >= lines
    finished = child(source.path, "Q4_K_M", target)
    finished.communicate()
    assert finished.returncode == 0
    assert target.read_bytes() == made["Q4_K_M"].read_bytes()


def test_a_full_disk_is_one_sentence_and_leaves_nothing(source: GgufSource, tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    process = child(source.path, "Q8_0", tmp_path / "q.gguf", limit=limit)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert "RunFailed: q.gguf cannot be written: File too large." in errors
    assert not list(tmp_path.iterdir())


def test_sources_that_cannot_be_quantized_say_why(source: GgufSource, made: dict[str, Path], tmp_path: Path) -> None:
    def refused(content: bytes, name: str = "bad.gguf") -> str:
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            open_gguf_source(path)
        return str(caught.value)

    whole = source.path.read_bytes()
    assert "is already quantized (Q8_0)" in refused(made["Q8_0"].read_bytes())
    assert "is cut off: it holds" in refused(whole[:-5000])
    assert "is cut off within its header" in refused(whole[:3000])
    assert "not a GGUF file" in refused(b"PK\x03\x04" + whole[4:])
    assert "importance matrix, not a language model" in refused(IMPORTANCE_MATRIX.read_bytes())
    assert "cannot be quantized here: Architecture" in refused(whole.replace(b"llama", b"lhama"))
    split, _ = gguf_file("llama-3.1-8b-instruct", "F16", {"split.no": 0, "split.count": 3})
    assert "one of 3 parts" in refused(split)
    with pytest.raises(InputError, match="cannot be read"):
        open_gguf_source(tmp_path / "missing.gguf")


def test_folders_that_bring_programs_along_are_refused(tmp_path: Path) -> None:
    def refused(name: str, content: str) -> str:
        folder = tmp_path / "model"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(FOLDER, folder)
        (folder / name).write_text(content)
        with pytest.raises(InputError) as caught:
            plan_conversion(open_folder(folder), tmp_path / "t.gguf")
        assert not (tmp_path / "t.gguf").exists()
        return str(caught.value)

    config = json.loads((FOLDER / "config.json").read_text())
    assert "brings a program along (modeling_x.py)" in refused("modeling_x.py", "")
    assert "can run programs (pytorch_model.bin)" in refused("pytorch_model.bin", "")
    assert "('auto_map')" in refused("tokenizer_config.json", json.dumps({"auto_map": {}}))
    assert "already quantized" in refused("config.json", json.dumps({**config, "quantization_config": {}}))
    assert "is not known to this version" in refused("config.json", json.dumps({"architectures": ["XForCausalLM"]}))
    assert "has the shape" in refused("config.json", json.dumps({**config, "vocab_size": 1000}))
    assert "lacks the weights" in refused("config.json", json.dumps({**config, "num_hidden_layers": 5}))
    assert "which no llama model has" in refused("config.json", json.dumps({**config, "num_hidden_layers": 3}))
    assert "not valid JSON" in refused("config.json", "{")
    assert "tokenizer.model in model cannot be read" in refused("tokenizer.model", "nothing")
    with pytest.raises(InputError, match="cannot be read"):
        open_folder(tmp_path / "nowhere")


def test_texts_that_cannot_be_read_say_why(source: GgufSource, tmp_path: Path) -> None:
    for content, reason in ((b"\xff\xfe\x00", "no text in UTF-8"), (b" \n", "holds no text"), (b"a\0b", "holds no")):
        (tmp_path / "t.txt").write_bytes(content)
        with pytest.raises(InputError, match=reason):
            read_text(tmp_path / "t.txt")
    with pytest.raises(InputError, match="cannot be read"):
        read_text(tmp_path / "missing.txt")
    (tmp_path / "t.txt").write_text("def f(): pass\n" * 20)
    with pytest.raises(InputError, match="at least 512 are needed"):
        make_reference(source.path, tmp_path / "t.txt", tmp_path / "r.logits")
    assert [file.name for file in tmp_path.iterdir()] == ["t.txt"]


def test_matrices_of_other_models_are_refused(source: GgufSource, tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "imatrix")
    writer.add_type("imatrix")
    writer.add_array("imatrix.datasets", ["text.txt"])
    writer.add_tensor("blk.0.attn_q.weight.in_sum2", np.ones((1, 320), np.float32))
    writer.add_tensor("blk.0.attn_q.weight.counts", np.ones((1, 1), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(InputError, match="made for another model"):
        quantize_gguf(source, LEVELS["Q4_K_M"], tmp_path / "q.gguf", matrix=read_imatrix(tmp_path / "m.gguf"))
    with pytest.raises(InputError, match="is no importance matrix"):
        read_imatrix(source.path)


def test_a_file_that_llama_cpp_cannot_load_is_its_own_sentence(source: GgufSource, tmp_path: Path) -> None:
    broken = source.path.read_bytes().replace(b"blk.0.attn_q.weight", b"blk.0.attn_x.weight")
    (tmp_path / "b.gguf").write_bytes(broken)
    with pytest.raises(RunFailed, match=r"cannot load b.gguf: .*'blk.0.attn_q.weight' not found"):
        Network(tmp_path / "b.gguf", 256, 1)


def test_another_layout_of_settings_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "_CONTEXT_DEFAULTS", ((native.N_CTX, c_int32, 4096),))
    with pytest.raises(InputError, match="lays out its settings in a way that is not known"):
        native.runtime.__wrapped__()


def test_without_the_package_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match="pip install -r advisor/quantize/requirements"):
        native.library.__wrapped__()
