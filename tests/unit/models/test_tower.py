"""Vision and audio parts: their files, and what encoding an image sets aside."""

from __future__ import annotations

import pytest

from advisor.foundation.units import MIB
from advisor.models.catalogue import catalogue
from advisor.models.projectors import projectors
from advisor.models.tower import Tower, tower_of


def tower(model_id: str) -> Tower:
    found = catalogue()[model_id].model.tower
    assert found is not None
    return found


def test_files_measure_what_their_shapes_say() -> None:
    """As finely as sizes were printed, and in 16 bit to 0.2 %."""
    wrong = []
    shaped = 0
    for row in projectors():
        found = tower(row.model_id)
        shaped += bool(found.matrices)
        # Writers differ in what they leave in 16 or 32 bit: 1 % of other files.
        slack = row.printed_to_bytes + (0.002 if row.type == "F16" else 0.01) * row.bytes
        if abs(found.file_bytes(row.type) - row.bytes) > slack:
            wrong.append((row.model_id, row.type, row.bytes / MIB, found.file_bytes(row.type) / MIB))
    assert shaped > 120
    assert not wrong


def test_every_model_that_sees_has_a_tower() -> None:
    unknown = [entry.id for entry in catalogue().values() if "vision_config" in entry.config and not entry.model.tower]
    assert unknown == ["gemma-3n-e2b-it", "gemma-3n-e4b-it"]  # a convolutional network that no file was seen of


def test_a_half_file_is_two_bytes_a_weight_and_eight_bits_save_what_the_shape_allows() -> None:
    shares = []
    for entry in catalogue().values():
        if (found := entry.model.tower) is not None and found.matrices:
            # Positions stay in 32 bit, which in Gemma 4 is a twelfth of the file.
            assert found.file_bytes("F16") == pytest.approx(2 * found.parameters, rel=0.09), entry.id
            shares.append(found.file_bytes("Q8_0") / found.file_bytes("F16"))
    assert 0.52 < min(shares) < 0.56
    assert 0.6 < max(shares) < 0.92


@pytest.mark.parametrize(
    ("model_id", "measured", "within"),
    [
        # "clip compute buffer" of llama.cpp's logs with flash attention, MiB
        ("qwen3.6-27b", 248.1, 0.02),
        ("qwen3.6-35b-a3b", 248.1, 0.02),
        ("qwen3.5-2b", 223.3, 0.05),
        ("gemma-3-4b-it", 121, 0.01),
        ("gemma-4-31b-it", 140.5, 0.03),
        ("gemma-4-e2b-it", 101 + 154, 0.01),
        ("qwen2.5-vl-7b-instruct", 704.79, 0.05),
        ("qwen3-vl-8b-instruct", 1502.33 - 1105.3, 0.01),  # of "estimated worst-case memory usage of mmproj"
        ("qwen3-vl-4b-instruct", 1177.9 - 797.4, 0.06),
        ("gemma-4-12b-it", 354.46 - 167.0, 0.01),
    ],
)
def test_compute_with_flash_attention(model_id: str, measured: float, within: float) -> None:
    assert tower(model_id).compute_bytes(True) / MIB == pytest.approx(measured, rel=within)


@pytest.mark.parametrize(
    ("model_id", "measured"),
    [("gemma-3-12b-it", 1132), ("qwen3-vl-8b-instruct", 4728), ("qwen2.5-vl-7b-instruct", 4872)],
)
def test_compute_without_flash_attention_is_mostly_scores(model_id: str, measured: float) -> None:
    assert tower(model_id).compute_bytes(False) / MIB == pytest.approx(measured, rel=0.02)


def test_the_largest_image_explains_what_ollama_sets_aside_for_mistral_small() -> None:
    scores = tower("mistral-small-3.1-24b-instruct-2503").compute_bytes(False, largest=True)
    assert scores / 2**30 == pytest.approx(8.8 + 0.5, rel=0.05)


def test_a_vision_part_that_is_not_understood_does_not_refuse_the_model() -> None:
    assert tower_of({"vision_config": {"model_type": "pixtral", "hidden_size": "wide"}}, 4096) is None
    assert tower_of({"vision_config": {"model_type": "something"}}, 4096) is None
    assert tower_of({}, 4096) is None
