"""The bundled models: every entry valid, every parameter count equal to the published one or explained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from advisor.foundation.errors import DataError, InputError
from advisor.models.catalogue import MODELS_FOLDER, catalogue, read_catalogue, read_entry
from advisor.models.lookup import find_model


@pytest.mark.parametrize("model_id", sorted(catalogue()))
def test_parameter_count_follows_from_the_tensor_table(model_id: str) -> None:
    entry = catalogue()[model_id]
    model, counts = entry.model, entry.parameters
    assert model.parameters == counts.counted
    published = counts.published
    if published not in (model.parameters, model.parameters + model.mtp_parameters):
        assert counts.difference, "a difference from the published count must be explained"
        assert published is None or abs(published / model.parameters - 1) < 0.27
    assert 0 < model.active_parameters <= model.parameters


def test_published_counts_are_met_exactly_where_they_count_the_same_things() -> None:
    exact = [
        e
        for e in catalogue().values()
        if e.parameters.published in (e.model.parameters, e.model.parameters + e.model.mtp_parameters)
    ]
    assert len(exact) >= 140


def test_tensor_names_are_unique_and_shapes_positive() -> None:
    for entry in catalogue().values():
        tensors = entry.model.tensors + entry.model.mtp_tensors
        assert len({tensor.name for tensor in tensors}) == len(tensors), entry.id
        assert all(length > 0 for tensor in tensors for length in tensor.shape), entry.id


def test_mtp_layers_are_left_out_unless_asked_for() -> None:
    model = find_model("qwen3.6-27b").model
    assert model.mtp_parameters == 424_699_392
    assert model.with_mtp().parameters == model.parameters + model.mtp_parameters
    assert not any("nextn" in tensor.name for tensor in model.tensors)


def test_unknown_model_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match=r"llama-3\.1-70b-instruct"):
        find_model("llama-3.1-70b-instuct")


OWN_FILE = {
    "format": "GGUF", "level": "Q4_0", "repo": "meta-llama/Llama-2-7b-qat", "kind": "qat", "loss_share": 0.5,
    "source": "https://example.org/qat", "as_of": "2026-11", "note": "",
}  # fmt: skip


def broken(tmp_path: Path, **changes: object) -> Path:
    entry = json.loads((MODELS_FOLDER / "llama-2-7b.json").read_text())
    path = tmp_path / "llama-2-7b.json"
    path.write_text(json.dumps({**entry, **changes}))
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "other"}, "must be the file's name"),
        ({"license": None}, "'license'"),
        ({"surprise": 1}, "'surprise'"),
        ({"sources": []}, "needs at least one source"),
        ({"parameters": {"counted": -1}}, "parameters"),
        ({"own_files": [OWN_FILE | {"kind": "homemade"}]}, "own_files.0.kind"),
        ({"own_files": [OWN_FILE | {"repo": "https://huggingface.co/a/b"}]}, "own_files.0.repo"),
        ({"own_files": [OWN_FILE | {"loss_share": 0}]}, "a loss_share above 0"),
        ({"own_files": [OWN_FILE | {"kind": "native"}]}, "a native one has none"),
        ({"own_files": [OWN_FILE, OWN_FILE]}, "only once"),
    ],
)
def test_a_broken_entry_is_named_with_its_field(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_entry(broken(tmp_path, **changes))
    assert "llama-2-7b.json" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_broken_file_and_an_empty_folder_are_reported(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="empty"):
        read_catalogue(tmp_path)
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(DataError, match=r"x\.json is not valid JSON"):
        read_catalogue(tmp_path)
