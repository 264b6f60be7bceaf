"""The text classes of llama.cpp's converter: each is sized, or says why not."""

from __future__ import annotations

import re
from typing import Any

import pytest

from advisor.foundation.errors import InputError
from advisor.models.blueprints import known_architectures, model_from_config
from advisor.models.refused import REFUSED
from advisor.models.wrappers import inner_of
from advisor.words import say
from tests.support.converter_classes import CLASSES

# What wrappers hold, where the class itself says nothing.
_TEXT: dict[str, Any] = {
    "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 100,
}  # fmt: skip


def _sized(name: str) -> bool:
    known = set(known_architectures())
    if name in known:
        return True
    return inner_of({"architectures": [name], "text_config": _TEXT}, name, known) is not None


def test_nine_of_ten_are_sized_and_the_rest_refused_by_name() -> None:
    refused = [name for name in CLASSES if name in REFUSED]
    assert len(CLASSES) - len(refused) >= 200
    assert all(_sized(name) for name in CLASSES if name not in REFUSED)
    assert not set(REFUSED) - set(CLASSES)
    assert not set(REFUSED) & set(known_architectures())


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_refusal_says_why_and_what_to_do(name: str) -> None:
    with pytest.raises(InputError) as caught:
        model_from_config({"architectures": [name]})
    said = say(caught.value.message)
    assert re.search(r"not sized from its config alone: .+ Give a GGUF file of it", said)
    assert "did you mean" not in said
