"""Checkpoints that the tools of publishers really wrote: read as the Hub's are, and told by their config alone."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from advisor.foundation.message import as_it_is
from advisor.models.blueprints import model_from_config
from advisor.sources.declared_size import declared_size
from advisor.sources.quantization import recognise, unpacked
from advisor.sources.resolve import find_any_model
from advisor.sources.safetensors_header import CheckpointTensor, read_safetensors_header
from advisor.sources.tensor_comparison import compare_with_checkpoint, part_of
from advisor.words import say
from tests.support.hub_server import FakeHub
from tests.support.made_checkpoints import Made, Mirrored, made_checkpoints, mirrored_checkpoints
from tests.support.seeds import seed

NEAR = 0.005
LAYERS = 4
AS_REPOSITORIES = 12
# What torchao calls these says neither bits nor layout.
NOT_TOLD = ("Int8DynamicActivationIntxWeightConfig", "IntxWeightOnlyConfig")


def is_told(made: Made) -> bool:
    return not any(kind in str(made.config.get("quantization_config")) for kind in NOT_TOLD)


def test_there_are_many_of_many_kinds() -> None:
    made = made_checkpoints()
    assert len(made) >= 280
    assert len({(one.tool, one.scheme) for one in made}) >= 60
    assert len({one.config["model_type"] for one in made}) >= 19


@pytest.mark.parametrize("made", made_checkpoints(), ids=lambda one: one.name)
def test_a_config_alone_tells_the_bytes(made: Made) -> None:
    """Within half a percent; the larger a model, the less weigh scales of inputs, which no config counts."""
    if is_told(made):
        assert made.told() == pytest.approx(made.bytes, rel=NEAR)
    else:
        assert made.told() is None


@pytest.mark.parametrize("one", mirrored_checkpoints(), ids=lambda one: f"{one.repository}-{one.files_bytes}")
def test_a_published_config_tells_what_its_files_measure(one: Mirrored) -> None:
    """AutoGPTQ wrote a bias of zeros beside each matrix, and headers are in the files too."""
    size = declared_size(model_from_config(one.config), one.config)
    assert size is not None
    assert size.all_bytes == pytest.approx(one.files_bytes, rel=NEAR)


def test_headers_tell_the_bytes_and_every_weight() -> None:
    """Bytes to the unit, and behind whatever packing the tensors that the config leads to."""
    wrong = []
    for made in made_checkpoints():
        tensors = header_of(made)
        how = recognise(made.config, tensors)
        assert sum(tensor.bytes for tensor in tensors) == made.bytes, made.name
        assert not is_told(made) or how is None or how.readable, made.name
        if how is None or how.readable:
            text = [tensor for tensor in tensors if part_of(tensor.name, LAYERS) == "text"]
            compared = compare_with_checkpoint(model_from_config(made.config), unpacked(text, made.config))
            wrong += [] if compared.agrees else [f"{made.name}: {say(compared.sentence(as_it_is('its tensors')))}"]
    assert not wrong


def header_of(made: Made) -> tuple[CheckpointTensor, ...]:
    header, _ = made.repository()["model.safetensors"]
    return read_safetensors_header(lambda start, end: header[start:end], made.name)


def test_a_repository_measures_what_its_files_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the Hub's own protocol, a few of them."""
    monkeypatch.setenv("LLM_FIT_ADVISOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    drawn = random.Random(seed()).sample(made_checkpoints(), AS_REPOSITORIES)
    with FakeHub() as hub:
        for number, made in enumerate(drawn):
            hub.add(f"org/made-{number}", made.repository())
            found = find_any_model(f"org/made-{number}", endpoint=hub.url)
            assert found.repository is not None, made.name
            assert found.repository.weight_bytes == made.bytes, made.name
            assert "Differs from" not in say(found.source), made.name
