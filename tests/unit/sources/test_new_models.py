"""Entries proposed from the Hub, over real sockets: what is new, what is not, and what goes wrong with one of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from advisor.__main__ import main
from advisor.foundation.errors import InputError
from advisor.foundation.places import data_folder
from advisor.models.catalogue import read_entry
from advisor.sources.hub_lists import popular
from advisor.sources.new_models import difference_of, propose, report, unknown_of, write_all
from advisor.sources.published_files import read_published_repositories
from tests.support.hub_server import COMMIT, FakeHub

TODAY = date(2026, 11, 30)
CONFIG: dict[str, Any] = {
    "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 1024, "intermediate_size": 3072,
    "num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128,
    "vocab_size": 151936, "tie_word_embeddings": True, "rms_norm_eps": 1e-6, "transformers_version": "5.24.0",
    "bos_token_id": 1, "torch_dtype": "bfloat16",
}  # fmt: skip
TOTAL = 596_049_920


def _info(total: int | None = TOTAL, **more: Any) -> dict[str, Any]:
    counted = {} if total is None else {"safetensors": {"total": total}}
    return {
        "tags": ["safetensors", "conversational"], "pipeline_tag": "text-generation", "trendingScore": 9,
        "createdAt": "2026-11-20T10:00:00.000Z", "cardData": {"license": "apache-2.0"}, **counted, **more,
    }  # fmt: skip


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with FakeHub() as running:
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, running.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        running.add("Qwen/Qwen9-0.6B-Instruct", {"config.json": CONFIG}, info=_info())
        copied = ["gguf", "base_model:quantized:Qwen/Qwen9-0.6B-Instruct"]
        running.add("bartowski/Qwen9-0.6B-GGUF", {}, info={"tags": copied, "downloads": 9})
        running.add("Qwen/Qwen9-0.6B-GGUF", {}, info={"tags": copied, "downloads": 5})
        running.add("someone/copy", {}, info={"tags": ["safetensors", *copied[1:]], "trendingScore": 99})
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    shutil.copy(data_folder() / "published_repositories.csv", tmp_path)
    return tmp_path


def test_what_is_popular_and_not_in_the_catalogue_is_proposed(hub: FakeHub) -> None:
    hub.add("Qwen/Qwen3-8B", {"config.json": CONFIG}, info=_info(trendingScore=50))
    hub.add("a/pickled", {}, info=_info(tags=["pytorch"]))
    assert list(popular("trending", 20)) == ["Qwen/Qwen3-8B", "Qwen/Qwen9-0.6B-Instruct"]
    assert unknown_of("trending", 20) == ("Qwen/Qwen9-0.6B-Instruct",)


def test_an_entry_follows_from_card_and_config_alone(hub: FakeHub) -> None:
    (found,) = propose(["Qwen/Qwen9-0.6B-Instruct"], TODAY)
    entry = found.entry
    assert entry is not None
    assert (entry.id, entry.publisher, entry.license, entry.released, entry.variant) == (
        "qwen9-0.6b-instruct", "Alibaba Qwen", "apache-2.0", "2026-11-20", "instruct",
    )  # fmt: skip
    assert (entry.parameters.counted, entry.parameters.published, entry.parameters.difference) == (TOTAL, TOTAL, None)
    assert not {"transformers_version", "bos_token_id", "torch_dtype"} & entry.config.keys()
    assert entry.sources == [f"https://huggingface.co/Qwen/Qwen9-0.6B-Instruct/blob/{COMMIT}/config.json"]
    assert found.gguf == ("bartowski/Qwen9-0.6B-GGUF", "Qwen/Qwen9-0.6B-GGUF")
    asked = {request.path.rpartition("/")[2] for request in hub.requests}
    assert asked == {"Qwen9-0.6B-Instruct", "config.json", "models"}  # no weights, no headers


def test_a_total_that_does_not_follow_is_said_to_be_unexplained(hub: FakeHub) -> None:
    hub.add("a/Other-1B", {"config.json": CONFIG}, info=_info(TOTAL + 5))
    hub.add("a/Uncounted", {"config.json": CONFIG}, info=_info(None))
    other, uncounted = propose(["a/Other-1B", "a/Uncounted"], TODAY)
    assert other.entry is not None
    assert uncounted.entry is not None
    assert other.entry.parameters.difference == "The Hub counts 5 more: what is not looked into yet."
    assert uncounted.entry.parameters.published is None


def test_what_goes_wrong_with_one_leaves_the_others_alone(hub: FakeHub) -> None:
    hub.add("a/broken", {"config.json": b"{"}, info=_info())
    hub.add("a/list", {"config.json": [1]}, info=_info())
    hub.add("a/bare", {}, info=_info())
    hub.add("a/new", {"config.json": {"architectures": ["OfTomorrow"], "alien_size": 3}}, info=_info())
    hub.add("a/packed", {"config.json": {**CONFIG, "quantization_config": {"quant_method": "awq"}}}, info=_info())
    hub.add("a/gated", {"config.json": CONFIG}, info=_info(), gated=True)
    hub.add("a/down", {}, info=_info(), fault="500")
    wanted = ["a/broken", "a/list", "a/bare", "a/new", "a/packed", "a/gated", "a/down", "a/none", "Qwen/Qwen3-8B"]
    said: list[str] = []
    found = propose([*wanted, "Qwen/Qwen9-0.6B-Instruct"], TODAY, progress=said.append)
    problems = {one.repository: one.problem for one in found}
    assert [one.repository for one in found if one.entry is not None] == ["Qwen/Qwen9-0.6B-Instruct"]
    assert "not valid JSON" in problems["a/broken"]
    assert "one JSON object" in problems["a/list"]
    assert "no config.json" in problems["a/bare"]
    assert "'OfTomorrow' is not known" in problems["a/new"]
    assert "quantized copy" in problems["a/packed"]
    assert "error 500" in problems["a/down"]
    assert "no public model" in problems["a/none"]
    assert problems["Qwen/Qwen3-8B"] == "the catalogue has it as qwen3-8b"
    assert all("\n" not in problem for problem in problems.values())
    assert said[0] == "1 of 10: a/broken"
    assert report(found).count("\n") == 9


def test_a_difference_is_shown_and_nothing_written_unless_told(hub: FakeHub, folder: Path) -> None:
    found = propose(["Qwen/Qwen9-0.6B-Instruct"], TODAY)
    assert report(found).endswith("GGUF repositories: bartowski/Qwen9-0.6B-GGUF, Qwen/Qwen9-0.6B-GGUF")
    shown = difference_of(found, TODAY, folder)
    assert "+++ data/models/qwen9-0.6b-instruct.json" in shown
    assert "+qwen9-0.6b-instruct,bartowski/Qwen9-0.6B-GGUF,https://huggingface.co/models" in shown
    assert "+qwen9-0.6b-instruct,Qwen/" not in shown  # whose usual levels nobody here knows
    assert not list((folder / "models").iterdir())
    before = len(read_published_repositories(folder / "published_repositories.csv"))
    assert write_all(found, TODAY, folder) == (
        "data/models/qwen9-0.6b-instruct.json",
        "data/published_repositories.csv",
    )
    entry = read_entry(folder / "models" / "qwen9-0.6b-instruct.json")
    assert entry.model.parameters == TOTAL
    assert len(read_published_repositories(folder / "published_repositories.csv")) == before + 1
    assert write_all(found, TODAY, folder) == ()  # what is there is never replaced


def test_the_command_shows_the_difference(hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["refresh", "models", "--limit", "3"]) == 0
    printed = capsys.readouterr()
    assert "+++ data/models/qwen9-0.6b-instruct.json" in printed.out
    assert "1 of 1: Qwen/Qwen9-0.6B-Instruct" in printed.err
    assert not (data_folder() / "models" / "qwen9-0.6b-instruct.json").exists()
    for wrong in (["refresh", "models", "--only", "litellm"], ["refresh", "--write"]):
        with pytest.raises(SystemExit, match="2"):
            main(wrong)


@pytest.mark.parametrize("fault", ["500", "garbage", "drop", "429"])
def test_a_hub_that_does_not_list_is_one_sentence(hub: FakeHub, fault: str) -> None:
    hub.search_fault = fault
    with pytest.raises(InputError) as caught:
        unknown_of("trending", 5)
    assert "\n" not in str(caught.value)


def test_an_answer_that_never_ends_is_left(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("advisor.sources.hub_lists._MOST_BYTES", 100)
    hub.add("a/large", {"config.json": CONFIG}, info=_info(cardData={"license": "x" * 1000}))
    (found,) = propose(["a/large"], TODAY)
    assert "longer than any" in found.problem
    assert json.dumps(CONFIG) not in found.problem
