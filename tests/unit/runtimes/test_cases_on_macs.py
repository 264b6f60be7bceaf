"""What people measured of whole runs on Macs, and in front ends with their own defaults."""

from __future__ import annotations

import pytest

from advisor.answer.answer import Answer, answer
from advisor.foundation.units import GIB, MIB
from advisor.question.question import Question


def asked(query: str) -> Answer:
    return answer(Question.from_query(query))


def test_qwen_27b_in_mlx_on_an_m1_max() -> None:
    """Case 51, lmstudio-bug-tracker issue 2250: 65,536 bytes a token; a peak of 48.88 GiB was estimated at 208,384."""
    query = "model=qwen3.8-27b&machine=apple-m1-max-64gb&runtime=mlx&level=MLX-4bit-g64&users=1"
    near, far = (asked(f"{query}&context={n}&prompt_tokens=1024").shown.plan.devices[0] for n in (102_400, 204_800))
    assert far.kv_cache_bytes - near.kv_cache_bytes == 102_400 * 65_536
    seen = asked(f"{query}&context=208384&prompt_tokens=208384").shown.plan
    assert seen.verdict == "fits"
    assert seen.devices[0].needed_bytes < 48.88 * GIB  # with the steps that it is told


@pytest.mark.parametrize(("level", "measured"), [("Q8_0", 40.8), ("Q4_K_M", 40.5)])
def test_qwen_35b_a3b_on_an_m1_max(level: str, measured: float) -> None:
    """Case 52, llama.cpp pull 22673: a compute buffer of 489 MiB, and tokens a second."""
    query = f"model=qwen3.6-35b-a3b&machine=apple-m1-max-64gb&runtime=llama.cpp&level={level}&context=4096&vision=off"
    seen = asked(f"{query}&llama_cpp=2026-09")
    assert seen.shown.plan.devices[0].compute_bytes / MIB == pytest.approx(489, rel=0.03)
    speed = seen.shown.tokens_per_s
    assert speed is not None
    assert speed.low <= measured <= speed.high


def test_slots_of_lm_studio_share_one_cache() -> None:
    """Case 54, lmstudio-bug-tracker issue 2404: Hermes 4 14B in Q5_K_M loads 9.79 GB on a Mac of 24 GB."""
    query = "model=qwen3-14b&machine=apple-m4-pro-24gb&level=Q5_K_M&context=40960&kv_type_k=q8_0&kv_type_v=q8_0"
    seen, alone = (asked(f"{query}&runtime={runtime}").shown.plan for runtime in ("lm-studio", "llama.cpp"))
    assert seen.settings.users == 4
    assert seen.sized.file_bytes / GIB == pytest.approx(9.79, abs=0.01)
    assert seen.devices[0].kv_cache_bytes == alone.devices[0].kv_cache_bytes
    assert seen.verdict == "fits"
    card = asked("model=qwen3-14b&machine=rtx-4070-ti-super&runtime=lm-studio&context=16384")
    assert (card.status, card.shown.level) == ("good", "Q6_K")


def test_gemma_31b_in_lm_studio_has_one_cache_of_the_whole_context() -> None:
    """Case 56, lmstudio-bug-tracker issue 1750: estimated there as 34.85 GB of weights and 73.60 GB of cache."""
    query = "model=gemma-4-31b-it&machine=apple-m1-max-64gb&context=262144&level=Q8_0"
    seen = asked(f"{query}&runtime=lm-studio").shown.plan
    whole = [
        sum(getattr(one, f"{part}_bytes") for one in (*seen.devices, seen.host)) for part in ("weights", "kv_cache")
    ]
    assert whole[0] == pytest.approx(32.6e9 + 1.5e9, rel=0.03)
    assert whole[1] < 30e9
    assert seen.verdict != "fits"


def test_gemma_12b_in_ollama_with_its_window_and_its_eyes() -> None:
    """Case 26, ollama issue 9730: 22 to 23 GB before windows had caches of their size; it fits today, eyes included."""
    query = "model=gemma-3-12b-it&machine=rtx-4060-ti-16gb&runtime=ollama&context=32768&level=Q4_K_M"
    seen = asked(query).shown.plan
    card = seen.devices[0]
    assert seen.verdict == "fits"
    assert card.beside.projector > 850e6
    assert (card.needed_bytes - card.overhead_bytes) / 1e9 == pytest.approx(11.4, rel=0.03)
