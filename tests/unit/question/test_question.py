"""The question is the link: it survives the round trip, and a bad link gets one sentence."""

from __future__ import annotations

import json
import pickle
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.answer.answer import answer
from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.errors import AdvisorError, InputError
from advisor.machines.catalogue import counted, machines
from advisor.models.catalogue import catalogue
from advisor.question.configuration import CUSTOM_MACHINE, MAX_USERS, YOUR_MACHINE
from advisor.question.order import ORDER
from advisor.question.other_names import OTHER_NAMES
from advisor.question.question import FIELDS, LANGUAGE_KEY, MAX_QUERY_LENGTH, Question
from advisor.sizing.settings import CACHE_TYPES
from advisor.words import say

QUESTIONS = st.builds(
    Question.of,
    model=st.sampled_from(sorted(catalogue())),
    machine=st.sampled_from(sorted(machines())),
    gpus=st.integers(1, 64),
    use_gpus=st.none() | st.integers(1, 64),
    memory_gib=st.none() | st.floats(0.5, 1000, allow_nan=False).map(lambda size: round(size, 3)),
    host_memory_gib=st.none() | st.integers(1, 4096).map(float),
    context=st.integers(1, 1 << 20),
    users=st.integers(1, MAX_USERS),
    level=st.none() | st.sampled_from(sorted(LEVELS)),
    kv_type_k=st.sampled_from(sorted(CACHE_TYPES)),
    kv_type_v=st.sampled_from(sorted(CACHE_TYPES)),
    ubatch=st.integers(1, 65536),
    gpu_layers=st.none() | st.integers(0, 4096),
    cpu_moe_layers=st.integers(0, 4096),
    imatrix=st.booleans(),
    mtp=st.booleans(),
    overhead_mib=st.none() | st.integers(0, 10_000).map(float),
    margin_percent=st.integers(0, 50).map(float),
)


@given(QUESTIONS)
def test_a_link_restores_the_question(question: Question) -> None:
    assert Question.from_query(question.to_query()) == question


def test_a_whole_link_is_read_as_its_query() -> None:
    query = "model=qwen3-32b&machine=rtx-4090&context=16384"
    for address in ("http://localhost:8501/", "https://advisor.example.org/advisor/compare"):
        assert Question.from_query(f"{address}?{query}&tab=What+would+change+it&lang=fr#x") == Question.from_query(
            query
        )


def test_the_default_link_is_short_and_names_its_subject() -> None:
    assert Question.of().to_query() == "model=llama-3.1-70b-instruct&machine=rtx-4090"
    assert Question.from_query("") == Question.of()
    assert Question.from_query("?users=4").workload.users == 4


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("context=0", "context=0 is not possible"),
        ("context=-5", "context=-5 is not possible"),
        ("context=1e99", "context=1e99 is not possible"),
        ("users=0", "users=0 is not possible"),
        ("users=65537", "users=65537 is not possible"),
        ("memory_gib=nan", "finite"),
        ("memory_gib=inf", "finite"),
        ("margin_percent=90", "margin_percent=90 is not possible"),
        ("machine=custom", "needs memory_gib"),
        ("level=Q4_K_X", "did you mean 'Q4_K_S'"),
        ("runtime=foo", "Unknown runtime"),
        ("kv_type_k=q9", "Unknown KV cache type"),
        ("flash_attention=off&kv_type_v=q8_0", "needs flash attention"),
        ("flash_attention=perhaps", "flash_attention=perhaps is not possible"),
        ("gpu_layers=some", "gpu_layers=some is not possible"),
        ("users=1&users=2", "given twice"),
        ("contxt=1", "did you mean 'context'"),
        ("\u202e<script>=1", "Unknown key"),
        ("gpu=RTX 4090", "did you mean 'machine'"),
        ("vram=24", "did you mean 'memory_gib'"),
        ("language=de", "did you mean 'lang'"),
        ("machine=your-machine", "of whoever opens the link"),
        ("context=\u0669\uff19", "is not possible"),
        ("nonsense", "not of the form"),
        ("https://advisor.example.org/compare", "holds no question"),
        ("https://advisor.example.org/?contxt=1", "did you mean 'context'"),
        ("model=%ff%fe", "not of the form"),
        ("model=" + "a" * 100_000, f"at most {MAX_QUERY_LENGTH:,}"),
    ],
)
def test_a_bad_link_gets_one_sentence(query: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Question.from_query(query)
    text = str(caught.value)
    assert message in text
    assert "\n" not in text
    assert len(text) < 400


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("model=llama-3.1-70b-instuct", "llama-3.1-70b-instruct"),
        ("machine=rtx-4091", "rtx-4090"),
        ("model=llama-2-7b&context=32769", "at most 32,768 tokens"),
        ("model=all-minilm-l6-v2&context=513", "at most 512 tokens"),
        ("used_mib=1,2", "names 2 cards"),
        ("machine=cpu-dual-ddr5-6000&memory_gib=64&used_mib=100", "host_used_mib"),
        ("runtime=vllm&max_num_batched_tokens=2&max_num_seqs=3", "at least as many tokens"),
        ("machine=rtx-4090&memory_gib=48", "has its own memory"),
        ("machine=apple-m2-ultra-192gb&gpus=2", "one device"),
        ("level=MXFP4", "only for models published in it"),
        ("model=exaone-3.5-2.4b-instruct&kv_type_k=q8_0", "no multiple of 32"),
        ("model=deepseek-v3.1&kv_type_k=q8_0", "same type"),
        ("model=minimax-m3&users=16&runtime=llama.cpp", "aborts"),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(query: str, message: str) -> None:
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        answer(Question.from_query(query))


def test_machines_are_known_by_the_names_people_write() -> None:
    for written in ("RTX 4090", "rtx_4090", "GeForce RTX 4090", " rtx  4090 ", "RTX 4090 24 GB", "rtx-4090 24gib"):
        assert Question.from_query(f"machine={written}").machine.name == "rtx-4090"
    assert Question.from_query("machine=rtx-4090&other_machine=RTX 3090").machine.other_machine == "rtx-3090"
    for id, found in machines().items():  # no name is another's
        assert Question.of(machine=found.name.upper()).machine.name == id
    assert YOUR_MACHINE not in machines()


def test_other_programs_names_of_keys_lead_to_ours() -> None:
    assert {ours for keys in OTHER_NAMES.values() for ours in keys} <= {*FIELDS, LANGUAGE_KEY}
    assert FIELDS.keys().isdisjoint(OTHER_NAMES)


def test_experts_of_all_layers_stay_on_the_host() -> None:
    query = "model=qwen3-30b-a3b&machine=rtx-4090&host_memory_gib=64&cpu_moe_layers="
    plans = [answer(Question.from_query(query + layers)).shown.plan for layers in ("48", "all", "999")]
    assert {plan.settings.cpu_moe_layers for plan in plans} == {48}
    assert Question.from_query(f"{query}all").to_query() == f"{query}all"
    assert len({plan.needed_bytes for plan in plans}) == 1


@given(st.text(max_size=200))
def test_no_text_breaks_the_parser(query: str) -> None:
    try:
        Question.from_query(query)
    except InputError as error:
        assert "\n" not in str(error)


# No slash: "a/b" is a repository, and the suite asks nobody.
WORDS = st.text(max_size=20).filter(lambda text: "/" not in text)


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), WORDS))
def test_no_value_breaks_the_answer(values: dict[str, str]) -> None:
    try:
        answer(Question.from_values({**values, "level": "Q4_K_M"}))
    except AdvisorError as error:
        assert "\n" not in str(error)


def test_a_custom_machine_and_a_cpu_take_their_memory_from_the_link() -> None:
    custom = answer(Question.from_query(f"model=qwen3-0.6b&machine={CUSTOM_MACHINE}&memory_gib=6&level=Q4_K_M"))
    assert custom.plans[0].devices[0].capacity_bytes == 6 << 30
    cpu = next(m.id for m in machines().values() if m.needs_memory)
    on_cpu = answer(Question.from_query(f"model=qwen3-0.6b&machine={cpu}&memory_gib=32&level=Q4_K_M"))
    assert not on_cpu.plans[0].devices
    assert on_cpu.plans[0].host.capacity_bytes == 32 << 30
    with pytest.raises(InputError, match="memory_gib"):
        answer(Question.from_query(f"model=qwen3-0.6b&machine={cpu}"))


def test_a_model_that_changed_is_read_again_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.json"
    config = dict(catalogue()["llama-2-7b"].config)
    path.write_text(json.dumps(config))
    question = Question.of(model=str(path), level="Q4_K_M", context=2048)
    first = answer(question, allow_local=True)
    path.write_text(json.dumps({**config, "num_hidden_layers": 16}))
    assert answer(question, allow_local=True) is first
    later = time.monotonic() + 3600
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert answer(question, allow_local=True).model.parameters < first.model.parameters


def test_ollama_and_lm_studio_choose_what_the_link_does_not() -> None:
    link = "model=llama-3.1-8b-instruct&machine=rtx-4090&level=Q4_K_M&runtime="
    for frontend, context, users in (("ollama", 32_768, 1), ("lm-studio", 4096, 4), ("llama.cpp", 8192, 1)):
        found = answer(Question.from_query(f"{link}{frontend}"))
        assert (found.question.workload.context, found.question.workload.users) == (context, users)
        assert (found.plans[0].settings.context, found.plans[0].settings.users) == (context, users)
        again = answer(Question.from_query(found.question.to_query()))
        assert (again.question, again.taken) == (found.question, ())
    chosen = answer(Question.from_query(f"{link}lm-studio&context=8192&users=1"))
    assert (chosen.question.workload.context, chosen.question.workload.users, chosen.taken) == (8192, 1, ())
    assert "context=8192&users=1" in chosen.question.to_query()
    partly = answer(Question.from_query(f"{link}lm-studio&context=8192"))
    assert (partly.question.workload.context, partly.question.workload.users) == (8192, 4)
    assert say(partly.notes[0]) == "Where nothing was chosen, LM Studio's defaults: 4 requests at once."


def test_what_is_written_is_given_also_where_it_is_the_default() -> None:
    question = Question.from_query("model=qwen3-8b&context=8192&gpu_layers=auto")
    assert question.given == {"model", "context", "gpu_layers"}
    assert question == Question.of(model="qwen3-8b")
    assert question.with_values(users=2).given == {"model", "context", "gpu_layers", "users"}
    assert question.with_values(context=4096).given == question.given
    assert question.with_values(level="Q4_K_M").with_values(level=None).given == question.given
    assert question.with_values(**dict.fromkeys(FIELDS)) == Question()  # each to its default
    assert not question.with_values(**dict.fromkeys(FIELDS)).given
    assert Question().given == frozenset()


@given(QUESTIONS)
def test_a_question_is_the_same_by_key_and_by_part(question: Question) -> None:
    assert Question.from_values({key: question.value(key) for key in FIELDS}) == question
    assert Question().with_values(**{key: question.value(key) for key in FIELDS}) == question
    assert hash(Question.from_values(question.values())) == hash(question)
    assert pickle.loads(pickle.dumps(question)) == question


def test_a_question_has_few_parts_of_few_fields_and_every_key_once() -> None:
    parts = {place.path[:-1] for place in Question.places().values()}
    sizes = {part: sum(place.path[:-1] == part for place in Question.places().values()) for part in parts}
    assert max(sizes.values()) <= 15
    assert sum(sizes.values()) == len(FIELDS) == len({place.path for place in Question.places().values()})
    assert set(FIELDS) == set(Question().values()) == set(ORDER)
    assert len(ORDER) == len(FIELDS)


def test_values_of_our_own_may_be_beyond_what_a_link_may_ask_for() -> None:
    with pytest.raises(InputError, match="gpus=128 is not possible"):
        Question.of(gpus=128)
    assert Question().with_values(gpus=128).machine.gpus == 128
    with pytest.raises(InputError, match="Unknown key 'gpu'"):
        Question().with_values(gpu=1)


@pytest.mark.parametrize("key", [key for key, field in FIELDS.items() if "float" in str(field.annotation)])
def test_next_to_nothing_is_refused_in_a_short_sentence(key: str) -> None:
    with pytest.raises(InputError) as refused:
        Question.from_query(f"machine=custom&memory_gib=24&{key}=1e-300".replace("memory_gib=24&memory", "memory"))
    assert len(str(refused.value)) < 160
    assert key in str(refused.value)


@pytest.mark.parametrize("typed", ["2x rtx-3090", "2 x GeForce RTX 3090", "rtx-3090 x2", "2× RTX 3090", "RTX 3090 X 2"])
def test_a_machine_may_be_written_with_its_number(typed: str) -> None:
    found = Question.of(machine=typed)
    assert (found.value("machine"), found.value("gpus")) == ("rtx-3090", 2)
    assert found == Question.of(machine="rtx-3090", gpus=2)


def test_a_number_beside_another_number_is_no_machine() -> None:
    with pytest.raises(InputError, match="no machine"):
        answer(Question.of(machine="2x rtx-3090", gpus=3))


@pytest.mark.parametrize("name", sorted(machines()))
def test_no_machine_is_taken_for_several_of_another(name: str) -> None:
    for typed in (name, machines()[name].name):
        assert counted(typed) is None
