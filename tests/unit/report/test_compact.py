"""The compact answer: valid against its schema, small, true to the page's decision, and pinned by its own query."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import jsonschema
import pytest

from advisor.answer.answer import answer
from advisor.answer.choices import choices
from advisor.answer.policy import GOOD_BITS, GOOD_TOKENS_PER_S
from advisor.answer.verdict import verdict
from advisor.foundation.numbers import rough
from advisor.models.catalogue import catalogue
from advisor.question.question import Question
from advisor.report import compact
from advisor.report.asking import answer_plan
from advisor.report.batch import answer_line
from advisor.report.compact import answer_document, figure, refusal_document
from advisor.words import say
from tests.support.model_files import gguf_file

SCHEMAS = Path(compact.__file__).parent / "schemas"
VALID = jsonschema.Draft202012Validator(json.loads((SCHEMAS / "answer.schema.json").read_text("utf-8")))

LLAMA = "model=llama-3.1-8b-instruct"
BIG = "model=llama-3.1-70b-instruct"
MOE = "model=qwen3-30b-a3b"
ANSWERED = (
    f"{LLAMA}&machine=rtx-4090",
    f"{LLAMA}&machine=rtx-4090&users=8&context=16384",
    f"{LLAMA}&machine=rtx-4090&runtime=vllm",
    f"{LLAMA}&machine=rtx-4090&runtime=vllm&kv_fp8=on&users=32",
    f"{LLAMA}&machine=rtx-4090&runtime=vllm&level=AWQ-W4A16-g128",
    f"{LLAMA}&machine=rtx-4090&runtime=vllm&level=BF16-safetensors&context=131072",
    f"{LLAMA}&machine=rtx-4090&runtime=sglang",
    f"{MOE}&machine=h100-sxm5-80gb&gpus=4&runtime=sglang&data_parallel=2&users=16&used_mib=500,0,0,0",
    f"{MOE}&machine=h100-sxm5-80gb&gpus=4&runtime=vllm&pipeline_parallel=2&max_num_seqs=4&users=16",
    f"{LLAMA}&machine=rtx-4090&context=200000&host_memory_gib=64&host_used_mib=4000",
    f"{LLAMA}&machine=rtx-4090&runtime=ollama",
    f"{LLAMA}&machine=rtx-4090&runtime=lm-studio",
    f"{LLAMA}&machine=rtx-4090&level=Q2_K",
    f"{LLAMA}&machine=rtx-4090&level=F32&context=131072",
    f"{LLAMA}&machine=rtx-4090&gpu_layers=10",
    f"{LLAMA}&machine=rtx-4090&gpu_layers=10&host_memory_gib=64",
    f"{LLAMA}&machine=rtx-4090&gpu_layers=all&level=Q8_0",
    f"{LLAMA}&machine=rtx-4090&kv_type_k=q8_0&kv_type_v=q8_0",
    f"{LLAMA}&machine=rtx-4090&kv_offload=off&gpu_layers=all&host_memory_gib=64",
    f"{LLAMA}&machine=rtx-4090&min_quality=99.5",
    f"{LLAMA}&machine=rtx-4090&min_tokens_per_s=5000",
    f"{LLAMA}&machine=rtx-4090&max_cost_per_month=1",
    f"{LLAMA}&machine=rtx-4090&own_hardware=on&currency=CHF",
    f"{LLAMA}&machine=rtx-4090&commercial=on",
    f"{LLAMA}&machine=rtx-3060-12gb&context=131072",
    f"{LLAMA}&machine=rtx-3060-12gb&context=131072&host_memory_gib=64",
    f"{LLAMA}&machine=apple-m1-8gb",
    f"{LLAMA}&machine=apple-m4-max-40c-64gb&runtime=mlx",
    f"{LLAMA}&machine=apple-m4-max-40c-64gb&runtime=mlx&level=MLX-4bit-g64",
    f"{LLAMA}&machine=custom&memory_gib=10",
    f"{LLAMA}&machine=custom&memory_gib=2&host_memory_gib=64",
    f"{LLAMA}&machine=custom&memory_gib=0.5&host_memory_gib=64",
    f"{LLAMA}&machine=custom&memory_gib=24&bandwidth_gb_s=900",
    f"{LLAMA}&machine=rx-7900-xtx",
    f"{LLAMA}&machine=rtx-3090&other_machine=rtx-3060-12gb",
    f"{LLAMA}&machine=rtx-3090&gpus=3&use_gpus=2",
    f"{LLAMA}&machine=rtx-4090&draft=llama-3.2-1b-instruct",
    f"{LLAMA}&machine=rtx-4090&imatrix=on",
    f"{BIG}&machine=rtx-4090",
    f"{BIG}&machine=rtx-4090&host_memory_gib=128",
    f"{BIG}&machine=rtx-4090&level=Q4_K_M",
    f"{BIG}&machine=rtx-4090&level=IQ1_S&context=2048",
    f"{BIG}&machine=rtx-3090&gpus=2",
    f"{BIG}&machine=rtx-3090&gpus=2&split=tensor",
    f"{BIG}&machine=rtx-3090&other_machine=rtx-3060-12gb&host_memory_gib=64",
    f"{BIG}&machine=rtx-3090&gpus=2&tensor_split=3,1&gpu_layers=all",
    f"{BIG}&machine=h100-sxm5-80gb&gpus=8&context=65536&users=8",
    f"{BIG}&machine=h100-sxm5-80gb&gpus=2&runtime=vllm",
    f"{BIG}&machine=a100-sxm4-80gb&gpus=2",
    f"{MOE}&machine=rtx-3060-12gb&host_memory_gib=64",
    f"{MOE}&machine=rtx-3060-12gb&host_memory_gib=64&cpu_moe_layers=40",
    f"{MOE}&machine=rtx-4090&context=32768",
    f"{MOE}&machine=epyc-genoa-12ch-ddr5-4800&memory_gib=128",
    "model=gpt-oss-20b&machine=rtx-4090",
    "model=gpt-oss-120b&machine=rtx-4090&host_memory_gib=128",
    "model=gpt-oss-120b&machine=h100-sxm5-80gb&runtime=vllm",
    "model=deepseek-r1&machine=rtx-4090",
    "model=deepseek-r1&machine=h100-sxm5-80gb&gpus=8",
    "model=bge-m3&machine=rtx-4090",
    "model=qwen3-next-80b-a3b-instruct&machine=rtx-5090&host_memory_gib=64",
    "model=70B&machine=rtx-4090&gpus=2",
    "?model=llama-3.1-8b-instruct&machine=rtx-4090",
)
REFUSED = (
    "context=0",
    "machine=rtx-409",
    "model=lama-3.1-8b&machine=rtx-4090",
    "levle=Q4_K_M",
    "level=Q4_K_X",
    "runtime=olama",
    "users=1&users=2",
    "nonsense",
    f"{LLAMA}&machine=apple-m1-8gb&gpus=2",
    f"{LLAMA}&machine=rtx-4090&context=10000000",
    f"{LLAMA}&machine=rtx-4090&level=FP8-dynamic&runtime=llama.cpp",
    f"{BIG}&machine=rtx-3090&gpus=2&split=row",
    "country=XX",
    "x" * 5000,
)


@cache
def asked(query: str) -> dict[str, Any]:
    line, _ = answer_line(query, answer_plan, refusal_document)
    document: dict[str, Any] = json.loads(line)
    VALID.validate(document)
    return document


def errors_of(query: str) -> dict[str, Any]:
    error = asked(query)["error"]
    assert error is not None
    return dict(error)


@pytest.mark.parametrize("query", ANSWERED)
def test_an_answer_is_valid_small_and_pinned_by_its_own_query(query: str) -> None:
    document = asked(query)
    assert document["error"] is None, document["error"]
    assert document["query"] == query
    devices = len(document["machine"]["devices"])
    assert len(json.dumps(document, separators=(",", ":"))) <= 5000 + 500 * max(0, devices - 2)
    decision = document["decision"]
    plan = decision["plan"]
    for place in plan["memory"]:
        parts = ("weights_bytes", "kv_cache_bytes", "compute_bytes", "passing_bytes", "overhead_bytes", "other_bytes")
        assert place["needed_bytes"] == sum(place[part] for part in parts)
    used = int(parse_qs(query).get("use_gpus", [str(devices)])[0])
    assert [place["place"] for place in plan["memory"]] == [*(f"GPU {number}" for number in range(used)), "host"]
    again = asked(plan["query"])
    for key in plan:
        if key != "query":
            assert again["decision"]["plan"][key] == plan[key], key
    assert again["decision"]["plan"]["query"] == plan["query"]
    assert again["decision"]["status"] == decision["status"]


@pytest.mark.parametrize("query", ANSWERED[::4])
def test_asking_for_a_choice_gives_that_choice(query: str) -> None:
    for choice in asked(query)["choices"]:
        plan = asked(choice["plan"]["query"])["decision"]
        assert plan["status"] == choice["plan"]["status"]
        for key in choice["plan"].keys() - {"status", "query"}:
            assert plan["plan"][key] == choice["plan"][key], key


@pytest.mark.parametrize("query", ANSWERED[::3])
def test_a_pinned_query_writes_every_searched_key(query: str) -> None:
    plan = asked(query)["decision"]["plan"]
    keys = {"llama.cpp": {"gpu_layers", "cpu_moe_layers", "kv_type_k", "kv_type_v", "kv_offload"}}
    keys |= {engine: {"kv_fp8"} for engine in ("vllm", "sglang")}
    engine = "llama.cpp" if plan["runtime"] in ("ollama", "lm-studio") else plan["runtime"]
    written = parse_qs(plan["query"])
    assert {"runtime", "level", *keys.get(engine, set())} <= set(written)
    devices = asked(query)["machine"]["devices"]
    assert written.get("use_gpus") == ([str(len(plan["memory"]) - 1)] if len(devices) > 1 else None)
    assert written["runtime"] == [plan["runtime"]]
    assert written["level"] == [plan["level"]]


def test_the_path_of_a_config_is_a_model_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(catalogue()["qwen3-30b-a3b"].config))
    query = urlencode({"model": path, "machine": "rtx-3060-12gb", "host_memory_gib": 64})
    plan = asked(query)["decision"]["plan"]
    known = asked(f"{MOE}&machine=rtx-3060-12gb&host_memory_gib=64")["decision"]["plan"]
    assert plan["memory"] == known["memory"]
    assert asked(plan["query"])["decision"]["plan"] == plan


def test_a_gguf_file_is_pinned_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    beginning, length = gguf_file("llama-3.1-8b-instruct")
    path.write_bytes(beginning)
    os.truncate(path, length)
    document = asked(urlencode({"model": path, "machine": "rtx-3060-12gb", "users": 2}))
    plan = document["decision"]["plan"]
    assert plan["file_bytes"] == length
    assert asked(plan["query"])["decision"]["plan"] == plan


@pytest.mark.parametrize("query", ANSWERED[::5])
def test_the_object_is_of_the_one_decision(query: str) -> None:
    found, decision = answer(Question.from_query(query)), asked(query)["decision"]
    assert decision["status"] == found.status
    assert decision["sentence"] == say(verdict(found))
    assert decision["plan"]["level"] == found.shown.level
    roles = [choice["role"] for choice in asked(query)["choices"]]  # as many as keep it small
    assert roles == [choice.role for choice in choices(found)][: len(roles)]
    leads = [choice["plan"]["model_id"] for choice in asked(query)["choices"] if choice["role"] == "other model"]
    assert decision["leads"] in (None, *leads[:1])


FLIPPED = (f"{LLAMA}&machine=rtx-3060-12gb", f"{LLAMA}&machine=custom&memory_gib=10&bandwidth_gb_s=500")


@pytest.mark.parametrize("query", FLIPPED)
def test_what_would_change_it_is_asked_and_answered(query: str) -> None:
    document = json.loads(json.dumps(answer_plan(query, with_flips=True)))
    VALID.validate(document)
    assert document["flips"]
    assert asked(query)["flips"] == []
    for flip in document["flips"]:
        there = asked(flip["ask"])
        assert flip["sentence"].endswith(".")
        if flip["plan"] is None:
            assert there["error"] is not None
            continue
        assert there["decision"]["status"] == flip["plan"]["status"]
        for key in flip["plan"].keys() - {"status"}:
            assert there["decision"]["plan"][key] == flip["plan"][key], (flip["change"], key)


@pytest.mark.parametrize("query", REFUSED)
def test_a_refusal_is_an_object_with_one_sentence(query: str) -> None:
    error = errors_of(query)
    assert error["kind"] == "input"
    assert "\n" not in error["message"]


def test_what_was_meant_is_a_list() -> None:
    assert errors_of("machine=rtx-409")["did_you_mean"][0] == "rtx-4090"
    assert "llama-3.1-8b-instruct" in errors_of("model=lama-3.1-8b&machine=rtx-4090")["did_you_mean"]
    assert errors_of("levle=Q4_K_M")["did_you_mean"][0] == "level"
    assert "Q4_K_M" in errors_of("level=Q4_K_X")["did_you_mean"]
    assert errors_of("runtime=olama")["did_you_mean"][0] == "ollama"
    assert errors_of("context=0")["did_you_mean"] == []


def test_an_error_of_our_own_names_its_kind_and_nothing_of_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_: str) -> dict[str, Any]:
        raise IndexError(__file__)

    for work in (broken, lambda _: {"figure": float("nan")}):
        line, status = answer_line("model=x", work, refusal_document)
        document = json.loads(line)
        VALID.validate(document)
        assert status == 1
        assert document["error"]["kind"] == "internal"
        assert __file__ not in line
        assert "Traceback" not in line
        assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("query", "status"),
    [
        (f"{LLAMA}&machine=rtx-4090", "good"),
        (f"{LLAMA}&machine=rtx-4090&level=Q3_K_L", "limited"),
        (f"{LLAMA}&machine=rtx-4090&level=Q2_K", "last resort"),
        (f"{BIG}&machine=rtx-4090&level=Q4_K_M", "does not fit"),
        (f"{LLAMA}&machine=rtx-4090&min_tokens_per_s=5000", "good"),  # a wish
        (f"{LLAMA}&machine=rtx-4090&max_first_token_s=0.001", "not as asked"),
        (f"{LLAMA}&machine=rtx-4090&max_cost_per_month=1", "not as asked"),
        ("model=gpt-oss-20b&machine=rtx-4090", "good"),
        ("model=bge-m3&machine=rtx-4090", "good"),
    ],
)
def test_status(query: str, status: str) -> None:
    assert asked(query)["decision"]["status"] == status


@pytest.mark.parametrize("query", ANSWERED)
def test_good_is_only_said_of_what_is(query: str) -> None:
    decision = asked(query)["decision"]
    plan = decision["plan"]
    if decision["status"] != "good":
        return
    assert plan["verdict"] in ("fits", "fits with offload")
    assert plan["tokens_per_s"] is None or plan["tokens_per_s"]["typical"] >= GOOD_TOKENS_PER_S
    assert plan["format"] != "gguf" or 8 * plan["tensor_bytes"] > GOOD_BITS * asked(query)["model"]["parameters"]


def test_an_encoder_reads_inputs_and_writes_nothing() -> None:
    plan = asked("model=bge-m3&machine=rtx-4090")["decision"]["plan"]
    assert plan["tokens_per_s"] is None
    assert plan["quality_percent"] is None
    assert plan["inputs_per_s"]["typical"] > 0
    assert "inputs_per_s" not in asked(ANSWERED[0])["decision"]["plan"]


def test_the_cheapest_way_needs_two_prices() -> None:
    for query in ANSWERED:
        document = asked(query)
        if (money := document["money"]) is None:
            continue
        priced = [name for name in ("own", "rent", "api") if money[name] is not None]
        if len(priced) < 2 or "own_hardware" in query:
            assert money["cheapest"] is None
        else:
            assert money["cheapest"] == min(priced, key=lambda name: money[name]["per_month"]["typical"])


def test_choices_have_something_over_the_plan_shown() -> None:
    seen = set()
    for query in ANSWERED:
        document = asked(query)
        plan = document["decision"]["plan"]
        for choice in document["choices"]:
            other, role = choice["plan"], choice["role"]
            seen.add(role)
            if role == "better quality":
                assert other["quality_percent"]["typical"] > plan["quality_percent"]["typical"]
            elif role == "longer context":
                assert other["max_context"] > plan["max_context"]
            elif role == "faster" and plan["tokens_per_s"] is not None:
                assert other["tokens_per_s"]["typical"] > plan["tokens_per_s"]["typical"]
            elif role == "other model":
                assert other["model_id"] != plan["model_id"]
    assert {"faster", "longer context", "other model"} <= seen


@pytest.mark.parametrize(("users", "whole"), [(4, True), (16, False)])
def test_a_paged_plan_says_which_share_it_serves_at_once(users: int, whole: bool) -> None:
    found = asked(f"{LLAMA}&machine=rtx-4090&runtime=vllm&level=FP8-dynamic&kv_fp8=off&users={users}")
    plan = found["decision"]["plan"]
    assert plan["verdict"] == "fits"
    assert (plan["served_share"] == 1) == whole
    assert plan["served_share"] == pytest.approx(min(1, plan["max_concurrency"] / users), abs=1e-3)
    assert all(place["needed_bytes"] <= place["capacity_bytes"] for place in plan["memory"][:-1])
    assert any("at once, the others wait" in note for note in found["notes"]) != whole
    served = f"serves {int(plan['max_concurrency'])} of {users} users at once"
    assert (served in found["decision"]["sentence"]) != whole
    assert asked(f"{LLAMA}&machine=rtx-4090")["decision"]["plan"]["served_share"] is None


def test_an_api_price_says_where_the_region_asked_for_is_not_known() -> None:
    query = "model=qwen3-32b&machine=rtx-4090"
    anywhere, there = asked(query), asked(f"{query}&region=ch")
    assert there["money"]["api"] is not None
    assert any("Switzerland" in note for note in there["notes"])
    assert not any("Where these hosts compute" in note for note in anywhere["notes"])


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("model=bge-m3&machine=rtx-4090&prompt_tokens=1&level=F16", "inputs of 1 token a second"),
        ("model=llama-3.1-8b-instruct&machine=rtx-4090&context=1&runtime=lm-studio", "one KV cache of 1 token,"),
    ],
)
def test_one_token_is_not_many(query: str, words: str) -> None:
    said = json.dumps(asked(query))
    assert words in said
    assert " 1 tokens" not in said


@pytest.mark.parametrize(
    "query",
    [
        "model=llama-3.1-8b-instruct&machine=rtx-4090&min_tokens_per_s=5000",
        "model=gemma-3-27b-it&machine=rtx-4090",
        "model=qwen3-32b&machine=rtx-4090",
        "model=llama-3.1-70b-instruct&machine=apple-m2-ultra-192gb",
    ],
)
def test_a_gain_names_the_figure_that_gives_the_choice_its_role(query: str) -> None:
    choices = [choice for choice in asked(query)["choices"] if choice["role"] != "other model"]
    assert choices
    for choice in choices:
        plan, gain = choice["plan"], choice["gain"]
        if choice["role"] == "better quality":
            figure_said = f"about {plan['quality_percent']['typical']:.2f} %"
        elif choice["role"] in ("faster", "other engine"):
            figure_said = f"about {rough(plan['tokens_per_s']['typical'])} "
        else:
            figure_said = f"{plan['max_context']:,} tokens"
        assert figure_said in gain, gain


def test_whole_plans_and_the_full_answer_are_the_same_object_with_more() -> None:
    query = f"{BIG}&machine=rtx-3090&gpus=2"
    small = asked(query)
    plans = answer_plan(query, whole_plans=True)
    VALID.validate(json.loads(json.dumps(plans)))
    assert plans["choices"]
    assert all("memory" in choice["plan"] for choice in plans["choices"])
    full = json.loads(json.dumps(answer_plan(query, full=True)))
    VALID.validate(full)
    assert {key: full[key] for key in small if key not in ("model", "machine", "notes")} == {
        key: small[key] for key in small if key not in ("model", "machine", "notes")
    }
    assert small["model"].items() <= full["model"].items()
    assert {"levels", "evidence", "bills"} <= set(full)
    assert len(full["levels"]) > 30
    assert full["bills"]["own"]["bill"]
    assert full["evidence"]["quality"]["chat"]["rows"]


def test_figures_never_have_an_exponent() -> None:
    for value in (0.0, 1e-9, 0.00012345, 0.5, 12.3456, 99.99999, 123456.7, 1e15, 3.1e20):
        text = json.dumps(figure(value))
        assert "e" not in text.lower()
        assert abs(float(text) - value) <= max(5e-5, value * 1e-3)


@pytest.mark.parametrize(
    "query",
    [
        "model=deepseek-r1-0528&machine=rtx-5050&other_machine=rtx-3070-ti-laptop&host_memory_gib=256&context=32768"
        "&users=8&task=overall&mtp=on&imatrix=off",
        "model=llama-3.3-70b-instruct&machine=rtx-4090",
    ],
)
def test_the_model_that_leads_is_the_first_choice_however_much_there_is_to_say(query: str) -> None:
    document = asked(query)
    leads = document["decision"]["leads"]
    assert leads is not None
    assert document["decision"]["reasons"]
    assert [document["choices"][0]["role"], document["choices"][0]["plan"]["model_id"]] == ["other model", leads]
    assert len(json.dumps(document, separators=(",", ":"))) <= 5000


def test_another_model_comes_with_the_scores_that_compare_it() -> None:
    query = "model=qwen2.5-coder-32b-instruct&machine=rtx-4060"
    (choice, *_) = answer_document(answer(Question.from_query(query)), query, whole_plans=True)["choices"]
    scores = choice["scores"]
    assert (scores["task"], scores["unit"]) == ("code", "%")
    assert f"with {scores['score']:.1f} % against {scores['instead']:.1f} % at {scores['benchmark']}" in choice["gain"]
    assert scores["source"]
    assert scores["source_url"].startswith("https://")
