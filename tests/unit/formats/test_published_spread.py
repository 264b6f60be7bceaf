"""Where published files of a level lie: each cause moves only what it is about."""

from __future__ import annotations

import pytest

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import size_level
from advisor.formats.published_spread import published_spread
from advisor.models.catalogue import catalogue


@pytest.mark.parametrize("model", ["llama-3.1-8b-instruct", "gemma-4-31b-it", "qwen3.5-35b-a3b", "qwen3-0.6b"])
@pytest.mark.parametrize("own_mixes", [False, True])
def test_stock_files_lie_inside(model: str, own_mixes: bool) -> None:
    found = catalogue()[model].model
    for level in LEVELS.values():
        if not level.native_only:
            spread = published_spread(found, level, own_mixes)
            for imatrix in (False, True):
                assert spread.low < size_level(found, level, imatrix).file_bytes < spread.high


def test_an_old_model_with_nothing_special_varies_by_the_tolerance_only() -> None:
    model = catalogue()["llama-3.1-8b-instruct"].model
    spread, stock = published_spread(model, LEVELS["Q4_K_M"], False), size_level(model, LEVELS["Q4_K_M"]).file_bytes
    assert spread.causes == ("other quantizer",)
    assert (spread.high - spread.low) / stock < 0.025


def test_own_mixes_only_widen_the_range() -> None:
    model = catalogue()["gemma-4-31b-it"].model
    for name in ("Q6_K", "Q4_K_M", "IQ2_M"):
        stock, own = (published_spread(model, LEVELS[name], mixed) for mixed in (False, True))
        assert own.low <= stock.low < stock.high < own.high
        assert "own mix" in own.causes
    whole = [published_spread(model, LEVELS["BF16"], mixed) for mixed in (False, True)]
    assert whole[0] == whole[1]


def test_a_second_copy_of_a_tied_embedding_is_seen_of_the_families_that_write_one() -> None:
    twice = published_spread(catalogue()["qwen3-0.6b"].model, LEVELS["Q8_0"], False)
    once = published_spread(catalogue()["llama-3.2-1b-instruct"].model, LEVELS["Q8_0"], False)
    assert "second embedding" in twice.causes
    assert "second embedding" not in once.causes
    assert twice.high / twice.low > 1.2


def test_experts_that_were_trained_in_four_bits_stay_so_whatever_the_file_is_called() -> None:
    model = catalogue()["gpt-oss-20b"].model
    sizes = [published_spread(model, LEVELS[name], False) for name in ("Q2_K", "Q4_K_M", "Q8_0", "F16")]
    assert all(10.5e9 < one.low < one.high < 14e9 for one in sizes)
    assert all("original kept" in one.causes for one in sizes)


def test_layers_that_draft_may_be_kept() -> None:
    model = catalogue()["glm-4.5-air"].model
    spread = published_spread(model, LEVELS["BF16"], False)
    assert spread.high > size_level(model.with_mtp(), LEVELS["BF16"]).file_bytes
