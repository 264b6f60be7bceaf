"""A card that is nearly full: a warning instead of a speed."""

from __future__ import annotations

from advisor.answer.answer import answer
from advisor.answer.verdict import verdict
from advisor.question.question import Question
from advisor.words import say, say_all

FULL = (
    "model=qwen3-8b&machine=custom&bandwidth_gb_s=300&level=Q8_0&gpu_layers=all&context=4096&runtime=llama.cpp"
    "&kv_type_k=f16&kv_type_v=f16"
)


def _asked(gib: float, margin: int = 4) -> Question:
    return Question.from_query(f"{FULL}&memory_gib={gib}&margin_percent={margin}")


def test_no_speed_is_said_where_a_driver_might_move_a_part_to_ram() -> None:
    needed = answer(_asked(16)).shown.plan.needed_bytes / (1 << 30)
    full, roomy = answer(_asked(round(needed + 0.05, 2))), answer(_asked(16))
    assert full.shown.verdict == "tight"
    assert full.shown.speed is None
    assert "tokens/s" not in say(verdict(full))
    assert any(note.startswith("No speed is given: only") for note in say_all(full.notes))
    assert roomy.shown.speed is not None
    assert not any("No speed is given" in note for note in say_all(roomy.notes))


def test_where_some_percent_are_free_the_speed_holds() -> None:
    needed = answer(_asked(16)).shown.plan.needed_bytes / (1 << 30)
    tight = answer(_asked(round(needed * 1.03, 2)))
    assert tight.shown.verdict == "tight"
    assert tight.shown.speed is not None
