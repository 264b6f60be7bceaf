"""The Hub over real sockets: every kind of repository, every kind of trouble, and how little is asked and read."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from advisor.foundation.errors import InputError
from advisor.models.catalogue import catalogue
from advisor.sources import remote
from advisor.sources.resolve import ResolvedModel, find_any_model
from advisor.words import say, say_all
from tests.support.hub_server import COMMIT, FakeHub
from tests.support.model_files import (
    checkpoint_tensors,
    gguf_file,
    gguf_header,
    gguf_metadata,
    safetensors_file,
    tensors_at,
    tokenizer,
)

LLAMA = "llama-3.1-8b-instruct"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_FIT_ADVISOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as running:
        yield running


def shards(model_id: str, count: int, dtype: str = "BF16") -> dict[str, tuple[bytes, int]]:
    tensors = checkpoint_tensors(model_id)
    step = math.ceil(len(tensors) / count)
    return {
        f"model-{number + 1:05}-of-{count:05}.safetensors": safetensors_file(
            (name, dtype, shape) for name, shape in tensors[number * step : (number + 1) * step]
        )
        for number in range(count)
    }


def files_of(model_id: str, count: int = 4) -> dict[str, Any]:
    return {"config.json": catalogue()[model_id].config, "README.md": b"# model", **shards(model_id, count)}


def resolve(hub: FakeHub, text: str) -> ResolvedModel:
    return find_any_model(text, endpoint=hub.url)


@pytest.mark.parametrize(
    "model_id",
    [
        LLAMA,
        "qwen3-30b-a3b",
        "mixtral-8x7b-instruct-v0.1",
        "gemma-3-12b-it",
        "gpt-oss-20b",
        "glm-4.7-flash",
        "lfm2-8b-a1b",
        "deepseek-v2-lite-chat",
    ],
)
def test_a_sharded_repository_is_verified_from_its_headers_alone(hub: FakeHub, model_id: str) -> None:
    hub.add("org/name", files_of(model_id), info={"cardData": {"license": "apache-2.0"}})
    found = resolve(hub, "https://huggingface.co/org/name")
    assert found.must_have_model().tensors == catalogue()[model_id].model.tensors
    assert "Verified against the repository's own tensors" in say(found.source)
    assert found.license == "apache-2.0"
    assert found.id == f"org/name@{COMMIT}"
    for path, (header, _) in shards(model_id, 4).items():
        asked = hub.of(path)
        assert len(asked) <= 3
        assert sum(request.sent for request in asked) <= 1.2 * len(header)


@pytest.mark.parametrize(("tokens", "merges"), [(0, 0), (1024, 0), (32_000, 0), (50_000, 49_000), (64_000, 140_000)])
def test_a_gguf_header_takes_three_reads(hub: FakeHub, tokens: int, merges: int) -> None:
    header, size = gguf_file(LLAMA, more=tokenizer(tokens, merges) if tokens else {})
    hub.add("org/name-GGUF", {"name-Q4_K_M.gguf": (header, size)})
    found = resolve(hub, "https://huggingface.co/org/name-GGUF/blob/main/name-Q4_K_M.gguf")
    assert found.file is not None
    assert found.file.file_bytes == size
    content = hub.of("name-Q4_K_M.gguf")
    assert len([request for request in content if request.sent]) <= 3
    assert sum(request.sent for request in content) <= 1.2 * len(header)


def test_a_gguf_repository_lists_every_file_and_joins_splits(hub: FakeHub) -> None:
    small, small_size = gguf_file(LLAMA, "Q4_K_M")
    files: dict[str, Any] = {
        "Llama-Q4_K_M.gguf": (small, small_size),
        "mmproj-F16.gguf": (b"GGUF", 900),
        "imatrix.gguf": b"x",
    }
    for number in (1, 2, 3):
        files[f"BF16/Llama-BF16-0000{number}-of-00003.gguf"] = (b"GGUF", 5_000_000_000 + number)
    files["Llama-UD-Q2_K_XL-00001-of-00002.gguf"] = (b"GGUF", 2_000_000_000)
    hub.add("org/name-GGUF", files)
    repository = resolve(hub, "org/name-GGUF").repository
    assert repository is not None
    listed = {file.name: (file.bytes, file.level, file.stock, file.complete) for file in repository.models}
    assert listed == {
        "BF16/Llama-BF16.gguf": (15_000_000_006, "BF16", True, True),
        "Llama-Q4_K_M.gguf": (small_size, "Q4_K_M", True, True),
        "Llama-UD-Q2_K_XL.gguf": (2_000_000_000, "UD-Q2_K_XL", False, False),
    }
    assert [file.name for file in repository.gguf if file.projector] == ["mmproj-F16.gguf"]
    assert any("incomplete" in notice for notice in say_all(repository.notices))


def test_split_gguf_files_are_read_as_one(hub: FakeHub) -> None:
    tensors = tensors_at(catalogue()[LLAMA].model, "Q8_0")
    whole, size = gguf_file(LLAMA, "Q8_0")
    split = {"split.count": 2, "split.tensors.count": len(tensors)}
    first = gguf_header({**gguf_metadata()[LLAMA], **split, "split.no": 0}, tensors[:100])
    second = gguf_header({**split, "split.no": 1}, tensors[100:])
    hub.add("o/n", {"a/m-Q8_0-00001-of-00002.gguf": (first, 10**10), "a/m-Q8_0-00002-of-00002.gguf": (second, 10**10)})
    found = resolve(hub, "https://huggingface.co/o/n/resolve/main/a/m-Q8_0-00002-of-00002.gguf")
    assert found.file is not None
    assert found.must_have_model().tensors == catalogue()[LLAMA].model.tensors
    assert found.file.header.data_bytes == size - len(whole)


def packed(name: str, shape: tuple[int, ...]) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """A Linear layer as AutoGPTQ packs it: 4 bits, groups of 128."""
    if len(shape) != 2 or "embed" in name or "lm_head" in name:
        yield name, "F16", shape
        return
    rows, columns = shape
    base = name.removesuffix("weight")
    yield f"{base}qweight", "I32", (columns // 8, rows)
    yield f"{base}qzeros", "I32", (columns // 128, rows // 8)
    yield f"{base}scales", "F16", (columns // 128, rows)
    yield f"{base}g_idx", "I32", (columns,)


def compressed(form: str, weights: dict[str, Any], inputs: dict[str, Any] | None) -> dict[str, Any]:
    groups = {"group_0": {"weights": weights, "input_activations": inputs}}
    return {"quantization_config": {"quant_method": "compressed-tensors", "format": form, "config_groups": groups}}


QUANTIZED: list[tuple[dict[str, Any], str]] = [
    ({"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128}}, "GPTQ-W4A16-g128"),
    ({"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 64}}, "AWQ-W4A16-g64"),
    ({"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}}, "FP8-block128"),
    ({"quantization_config": {"quant_method": "mxfp4"}}, "MXFP4"),
    (
        {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}},
        "NF4",
    ),
    ({"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}}, "LLM.int8"),
    ({"quantization": {"bits": 4, "group_size": 64}}, "MLX-4bit-g64"),
    ({"quantization_config": {"quant_method": "modelopt", "quant_algo": "NVFP4"}}, "NVFP4"),
    *(
        (compressed(form, weights, inputs), level)
        for form, weights, inputs, level in (
            ("pack-quantized", {"num_bits": 4, "type": "int", "group_size": 128}, None, "W4A16-g128"),
            ("int-quantized", {"num_bits": 8, "type": "int"}, {"num_bits": 8, "dynamic": True}, "W8A8-INT8"),
            ("float-quantized", {"num_bits": 8, "type": "float"}, {"num_bits": 8, "dynamic": True}, "FP8-dynamic"),
            ("nvfp4-pack-quantized", {"num_bits": 4, "type": "float", "group_size": 16}, None, "NVFP4A16"),
            ("nvfp4-pack-quantized", {"num_bits": 4, "type": "float", "group_size": 16}, {"num_bits": 4}, "NVFP4"),
        )
    ),
]


@pytest.mark.parametrize(("extra", "level"), QUANTIZED, ids=[level for _, level in QUANTIZED])
def test_quantized_repositories_are_recognised(hub: FakeHub, extra: dict[str, Any], level: str) -> None:
    weights = safetensors_file(item for name, shape in checkpoint_tensors(LLAMA) for item in packed(name, shape))
    hub.add("org/quantized", {"config.json": {**catalogue()[LLAMA].config, **extra}, "model.safetensors": weights})
    found = resolve(hub, "org/quantized")
    assert found.repository is not None
    assert found.repository.quantization is not None
    assert found.repository.quantization.level == level
    assert found.repository.weight_bytes == weights[1] - len(weights[0])
    assert any(level in note for note in say_all(found.notes))


def test_a_packed_checkpoint_is_verified_by_its_numbers_of_weights(hub: FakeHub) -> None:
    weights = safetensors_file(item for name, shape in checkpoint_tensors(LLAMA) for item in packed(name, shape))
    hub.add("org/gptq", {"config.json": {**catalogue()[LLAMA].config, **QUANTIZED[0][0]}, "model.safetensors": weights})
    assert "all 291 agree" in say(resolve(hub, "org/gptq").source)


def test_vision_and_draft_parts_are_told_apart(hub: FakeHub) -> None:
    hub.add("org/vision", files_of("gemma-3-12b-it", 2))
    found = resolve(hub, "org/vision")
    assert found.repository is not None
    assert found.repository.bytes_by_part["vision"] > 500_000_000
    assert any("vision part" in note and "mmproj" in note for note in say_all(found.notes))
    tensors = [
        *((name, "BF16", shape) for name, shape in checkpoint_tensors("qwen3-8b")),
        ("mtp.layers.0.fc.weight", "BF16", (4096, 8192)),
    ]
    hub.add(
        "org/drafts", {"config.json": catalogue()["qwen3-8b"].config, "model.safetensors": safetensors_file(tensors)}
    )
    drafts = resolve(hub, "org/drafts").repository
    assert drafts is not None
    assert drafts.bytes_by_part["mtp"] == 2 * 4096 * 8192


def test_a_difference_from_the_config_is_shown(hub: FakeHub) -> None:
    tensors = [(name, "BF16", shape) for name, shape in checkpoint_tensors(LLAMA) if "layers.3.mlp.up" not in name]
    tensors.append(("model.layers.5.self_attn.q_norm.weight", "BF16", (128,)))
    hub.add("org/odd", {"config.json": catalogue()[LLAMA].config, "model.safetensors": safetensors_file(tensors)})
    note = " ".join(say_all(resolve(hub, "org/odd").notes))
    assert "Differs from the repository's own tensors" in note
    assert "blk.3.ffn_up.weight" in note
    assert "q_norm" in note


def test_layouts_that_repeat_the_weights_count_once(hub: FakeHub) -> None:
    whole = safetensors_file((name, "BF16", shape) for name, shape in checkpoint_tensors(LLAMA))
    config = catalogue()[LLAMA].config
    both = hub.add("org/both", {"config.json": config, "consolidated.safetensors": whole, **shards(LLAMA, 3)})
    found = resolve(hub, "org/both")
    assert "all 291 agree" in say(found.source)
    assert any("Mistral's own layout" in note for note in say_all(found.notes))
    del both.files["model-00002-of-00003.safetensors"]
    both.commit = COMMIT.replace("0", "f")
    with pytest.raises(InputError, match="2 of 3 parts"):
        resolve(hub, "org/both")


def trouble(hub: FakeHub, files: dict[str, Any], text: str = "org/name", **more: Any) -> str:
    hub.add("org/name", files, **more)
    with pytest.raises(InputError) as caught:
        resolve(hub, text)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert "http://" not in sentence
    assert "127.0.0.1" not in sentence
    return sentence


CONFIG = {"config.json": {"architectures": ["LlamaForCausalLM"]}}
LORA = {"adapter_config.json": {"base_model_name_or_path": "meta/base"}, "adapter_model.safetensors": b"x"}


@pytest.mark.parametrize(
    ("files", "more", "message"),
    [
        ({}, {}, "is empty"),
        ({"README.md": b"x", ".gitattributes": b"x"}, {}, "is empty"),
        ({"pytorch_model.bin": b"x"}, {}, "format that is not read here"),
        ({"model_index.json": {}, "unet/model.safetensors": b"x"}, {}, "diffusion"),
        (LORA, {}, "LoRA adapter, not a whole model; give meta/base"),
        ({"notes.txt": b"x"}, {}, "holds no model"),
        ({"model.safetensors": safetensors_file([("a", "F16", (2,))])}, {}, "has no config.json"),
        ({"config.json": {"architectures": ["NewForCausalLM"]}}, {}, "not known to this version"),
        ({"config.json": b"{"}, {}, "not valid JSON"),
        (CONFIG, {"private": True}, "no public model org/name"),
        (CONFIG, {"gated": True}, "is gated: accept its terms"),
        (CONFIG, {"fault": "404"}, "no public model org/name"),
        (CONFIG, {"fault": "403"}, "HF_TOKEN"),
        (CONFIG, {"fault": "429"}, "asks to wait"),
        (CONFIG, {"fault": "500"}, "error 500"),
        (CONFIG, {"fault": "503"}, "error 503"),
        (CONFIG, {"fault": "drop"}, "cannot be reached"),
        (CONFIG, {"fault": "garbage"}, "makes no sense"),
        (CONFIG, {"file_fault": "403 GatedRepo"}, "is gated"),
        (CONFIG, {"file_fault": "404 EntryNotFound"}, "has no file config.json"),
        (CONFIG, {"file_fault": "502"}, "error 502"),
        (CONFIG, {"file_fault": "truncate"}, "cannot be reached"),
        ({"a-Q4_K_M.gguf": b"GGUF" + bytes(4)}, {}, "GGUF version 0"),
        ({"a-Q4_K_M.gguf": b"not a gguf file"}, {}, "not a GGUF file"),
        ({"a-Q4_K_M.gguf": gguf_file(LLAMA)[0][:9000]}, {}, "cut off within its header"),
        ({"mmproj.gguf": b"GGUF"}, {}, "no config.json and no GGUF"),
        ({"a-00001-of-00002.gguf": b"GGUF"}, {}, "No GGUF file of org/name is complete"),
    ],
)
def test_trouble_is_one_sentence(hub: FakeHub, files: dict[str, Any], more: dict[str, Any], message: str) -> None:
    assert message in trouble(hub, files, **more)


def test_what_does_not_exist(hub: FakeHub) -> None:
    assert "no public model org/other" in trouble(hub, CONFIG, "org/other")
    assert "no revision 'v9'" in trouble(hub, CONFIG, "org/name@v9")
    assert "has no file a.gguf" in trouble(hub, CONFIG, "https://huggingface.co/org/name/blob/main/a.gguf")


def test_a_gguf_of_an_unknown_architecture_still_has_its_size(hub: FakeHub) -> None:
    tensors = tensors_at(catalogue()[LLAMA].model, "Q4_K_M")
    header = gguf_header({"general.architecture": "brandnew", "brandnew.block_count": 32}, tensors)
    hub.add("o/n", {"new.gguf": (header, 10**10)})
    found = resolve(hub, "https://huggingface.co/o/n/blob/main/new.gguf")
    assert found.file is not None
    assert found.file.header.tensor_bytes == 4_912_902_144 or found.file.header.tensor_bytes > 4 * 10**9
    assert found.must_have_model().parameters == catalogue()[LLAMA].model.parameters
    assert "Architecture 'brandnew' is not known to this version: sizes" in say(found.source)


def test_a_server_that_never_answers_is_given_up(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "TIMEOUT_S", 0.5)
    assert "does not answer" in trouble(hub, CONFIG, file_fault="hang")


def test_a_server_without_ranges_is_not_read_to_its_end(hub: FakeHub) -> None:
    header, _ = gguf_file(LLAMA)
    hub.add("o/n", {"m-Q4_K_M.gguf": (header, 4_000_000_000)}, file_fault="no ranges")
    assert resolve(hub, "https://huggingface.co/o/n/blob/main/m-Q4_K_M.gguf").file is not None
    assert sum(request.sent for request in hub.requests) < 100_000_000


def test_the_token_goes_to_the_hub_only_and_into_no_message(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "hf_" + "S" * 30
    monkeypatch.setenv("HF_TOKEN", secret)
    hub.add("org/gated", files_of(LLAMA), gated=True)
    assert resolve(hub, "org/gated").model is not None
    assert all(request.authorized for request in hub.requests if "/resolve/" in request.path)
    for fault in ("403", "429", "500", "drop"):
        assert secret not in trouble(hub, CONFIG, file_fault=fault)
    assert secret not in json.dumps([vars(request) for request in hub.requests])


def test_a_commit_that_was_read_opens_without_the_hub(hub: FakeHub) -> None:
    hub.add("org/name", files_of(LLAMA))
    first = resolve(hub, "org/name")
    before = len(hub.requests)
    again = resolve(hub, first.id)
    assert len(hub.requests) == before
    assert again.must_have_model().tensors == first.must_have_model().tensors
    assert (again.source, again.notes, again.repository) == (first.source, first.notes, first.repository)
    resolve(hub, "org/name")
    assert len(hub.requests) == before + 1  # a branch may have moved: asked for, but nothing is read again
    hub.repositories["org/name"].fault = "503"
    assert resolve(hub, "org/name").id == first.id


def test_gguf_headers_that_were_read_open_without_the_hub(hub: FakeHub) -> None:
    hub.add("org/name-GGUF", {"name-Q4_K_M.gguf": gguf_file(LLAMA)})
    for text in ("org/name-GGUF", "https://huggingface.co/org/name-GGUF/blob/main/name-Q4_K_M.gguf"):
        first = resolve(hub, text)
        assert COMMIT in first.id
        before = len(hub.requests)
        again = resolve(hub, first.id)
        assert len(hub.requests) == before
        assert again == replace(first, model=again.model)
        assert again.must_have_model().tensors == first.must_have_model().tensors
        assert again.must_have_model().layers == first.must_have_model().layers
    hub.repositories["org/name-GGUF"].file_fault = "503"
    assert resolve(hub, text).file is not None


def test_private_repositories_are_not_kept(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.add("org/name", files_of(LLAMA), private=True)
    found = resolve(hub, "org/name")
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(InputError, match="no public model"):
        resolve(hub, found.id)


@pytest.mark.parametrize("broken", [b"", b"not gzip", b"\x1f\x8b\x08"])
def test_a_broken_cache_file_is_read_anew(hub: FakeHub, broken: bytes) -> None:
    hub.add("org/name", files_of(LLAMA))
    first = resolve(hub, "org/name")
    for path in Path(os.environ["LLM_FIT_ADVISOR_CACHE"]).iterdir():
        path.write_bytes(broken)
    assert resolve(hub, first.id).source == first.source


def test_a_gated_model_of_the_catalogue_is_shown_from_there(hub: FakeHub) -> None:
    entry = catalogue()[LLAMA]
    hub.add(entry.hf_repo, files_of(LLAMA), gated=True)
    found = resolve(hub, entry.hf_repo)
    assert found.model is entry.model
    assert "accept its terms" in say(found.notes[0])


def test_the_command_line_reads_the_hub_of_the_environment(hub: FakeHub) -> None:
    hub.add("org/name", files_of(LLAMA))
    hub.add("org/name-GGUF", {"name-Q4_K_M.gguf": gguf_file(LLAMA)})

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_TELEMETRY": "1"}
        return subprocess.run(
            [sys.executable, "-m", "advisor", *arguments, "--format", "json"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=environment,
        )

    sizes = json.loads(run("sizes", f"{hub.url}/org/name").stdout)
    assert "Q4_K_M" in {row["level"] for row in sizes["levels"]}
    assert "as published (published)" in {row["level"] for row in sizes["files"]}
    plan = json.loads(run("plan", f"model={hub.url}/org/name-GGUF/blob/main/name-Q4_K_M.gguf&machine=rtx-4090").stdout)
    assert plan["decision"]["plan"]["level"] == "Q4_K_M (this file)"
    assert plan["decision"]["plan"]["verdict"] == "fits"
    wrong = run("sizes", "org/none")
    assert wrong.returncode == 2
    assert wrong.stderr == ""
    assert "org/none" in json.loads(wrong.stdout)["error"]["message"]
    assert constants.ENDPOINT == "https://huggingface.co"
