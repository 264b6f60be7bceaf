"""A publisher's config.json: broken ones get one clear sentence, whatever is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.foundation.errors import InputError
from advisor.models.blueprints import known_to_nobody, model_from_config
from advisor.models.catalogue import catalogue

LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"], "hidden_size": 4096, "intermediate_size": 11008,
    "num_hidden_layers": 32, "num_attention_heads": 32, "vocab_size": 32000,
}  # fmt: skip


def test_a_plain_config_gives_the_published_count() -> None:
    assert model_from_config(LLAMA).parameters == 6_738_415_616


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": None}, "lacks 'hidden_size'"),
        ({"hidden_size": 0}, "outside the plausible range"),
        ({"hidden_size": -4096}, "outside the plausible range"),
        ({"vocab_size": 10**12}, "outside the plausible range"),
        ({"num_hidden_layers": 10**9}, "outside the plausible range"),
        ({"num_hidden_layers": "many"}, "must be a whole number"),
        ({"num_hidden_layers": True}, "must be a whole number"),
        ({"num_hidden_layers": 31.5}, "must be a whole number"),
        ({"num_hidden_layers": float("nan")}, "must be a whole number"),
        ({"num_attention_heads": 33}, "not a multiple"),
        ({"num_key_value_heads": 5}, "not a multiple"),
        ({"num_key_value_heads": 64}, "outside the plausible range"),
        ({"tie_word_embeddings": "yes"}, "must be true or false"),
        ({"rope_scaling": [1]}, "must be an object"),
        ({"architectures": ["FooForCausalLM"]}, "not known to this version"),
        ({"architectures": []}, "names no architecture"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        model_from_config({**LLAMA, **changes})


def test_the_usual_decoder_is_assumed_where_every_key_is_one_of_its_own() -> None:
    config = {**LLAMA, "architectures": ["FooForCausalLM"], "rms_norm_eps": 1e-6, "hidden_act": "silu"}
    found = model_from_config(config)
    assert found.parameters == 6_738_415_616
    assert [note.kind for note in found.notes] == ["decoder_assumed"]
    for more in ({"altup_num_inputs": 4}, {"hidden_act": "gelu"}, {"rms_norm_eps": None}):
        with pytest.raises(InputError, match="repository with GGUF or safetensors files"):
            model_from_config({**config, **more})


def test_mistral_s_own_parameters_are_read() -> None:
    dense = {"dim": 4096, "n_layers": 32, "head_dim": 128, "hidden_dim": 14336, "n_heads": 32, "n_kv_heads": 8}
    more = {"norm_eps": 1e-05, "vocab_size": 32000}
    assert model_from_config({**dense, **more}).parameters == 7_241_732_096
    moe = {"moe": {"num_experts_per_tok": 2, "num_experts": 8}}
    assert model_from_config({**dense, **more, **moe}).parameters == 46_702_792_704
    seeing = model_from_config({**dense, **more, "vision_encoder": {"hidden_size": 1024}})
    assert [note.kind for note in seeing.notes] == ["parts_left_out"]
    with pytest.raises(InputError, match="names no architecture"):
        model_from_config({**dense, **more, "q_lora_rank": 8})


@pytest.mark.parametrize("raw", [[], "text", None, 7])
def test_a_config_must_be_an_object(raw: Any) -> None:
    with pytest.raises(InputError, match="one JSON object"):
        model_from_config(raw)


JUNK = (
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats()
    | st.text(max_size=8)
    | st.lists(st.integers(), max_size=3)
)


@given(model_id=st.sampled_from(sorted(catalogue())), junk=JUNK, data=st.data())
def test_junk_in_any_field_never_escapes_as_another_error(model_id: str, junk: Any, data: st.DataObject) -> None:
    config = dict(catalogue()[model_id].config)
    section = next((name for name in ("text_config",) if isinstance(config.get(name), dict)), None)
    target = dict(config[section]) if section else config
    target[data.draw(st.sampled_from(sorted(target)))] = junk
    try:
        model_from_config({**config, section: target} if section else target)
    except InputError as error:
        assert "\n" not in str(error)


def test_every_catalogue_architecture_has_a_blueprint() -> None:
    assert not [entry.id for entry in catalogue().values() if known_to_nobody(entry.config)]
