"""Plans and refusals by runtime and hardware: vLLM on any GPU, on a custom device, and with files it cannot load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from advisor.answer import answer as advise
from advisor.answer.answer import Answer, answer
from advisor.foundation.errors import InputError
from advisor.machines.catalogue import machines
from advisor.models.catalogue import catalogue
from advisor.question.question import Question
from advisor.runtimes.support import machine_refusal
from advisor.sizing.runtime_id import RuntimeId
from advisor.sources.resolve import find_any_model
from advisor.words import say, say_all
from tests.support.decided import chosen_level
from tests.support.hub_server import FakeHub
from tests.support.model_files import checkpoint_tensors, safetensors_file

LLAMA = "llama-3.1-8b-instruct"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.setenv("LLM_FIT_ADVISOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with FakeHub() as fake:
        monkeypatch.setattr(advise, "find_any_model", lambda text, **_: find_any_model(text, endpoint=fake.url))
        advise._find.cache_clear()
        advise._answer.cache_clear()
        yield fake


def asked(query: str) -> Answer:
    return answer(Question.from_query(query))


def levels(found: Answer) -> set[str]:
    return {plan.level for plan in found.plans}


@pytest.mark.parametrize("machine_id", sorted(machines()))
def test_vllm_plans_or_names_why_and_what_runs_instead(machine_id: str) -> None:
    one = machines()[machine_id]
    query = f"model=llama-3.2-1b-instruct&machine={machine_id}&runtime=vllm&context=1024"
    if one.needs_memory:
        query += "&memory_gib=64"
    if refusal := machine_refusal(RuntimeId.VLLM, one):
        with pytest.raises(InputError) as caught:
            asked(query)
        sentence = str(caught.value)
        nowhere = machine_refusal(RuntimeId.LLAMA_CPP, one)
        ends = ("; choose another machine.",) if nowhere else ("; use runtime=llama.cpp.", ": use llama.cpp.")
        assert sentence.endswith(ends)
        assert one.name in sentence
        if one.kind != "cpu-platform":
            assert say(refusal) in sentence
        return
    found = asked(query)
    assert found.plans
    fp8 = one.vendor == "NVIDIA" or str(one.compute_capability).startswith(("gfx94", "gfx95", "gfx12"))
    assert ("FP8-dynamic" in levels(found)) == fp8
    assert ("NF4" in levels(found)) == (one.vendor == "NVIDIA")


@pytest.mark.parametrize("more", ["", "&runtime=llama.cpp", "&runtime=ollama", "&level=Q4_K_M", "&users=16"])
@pytest.mark.parametrize("where", ["gaudi3", "gaudi2&gpus=8", "arc-b580&other_machine=gaudi3"])
def test_nothing_is_planned_on_what_no_engine_sized_here_drives(where: str, more: str) -> None:
    with pytest.raises(InputError, match=r"^llama.cpp has no backend for Gaudi"):
        asked(f"model=llama-3.1-8b-instruct&machine={where}{more}")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("machine=mi210&level=FP8-dynamic", "FP8 files only on gfx94x, gfx95x, gfx12xx; this is AMD gfx90a"),
        ("machine=rx-7900-xtx&level=FP8-block128", "this is AMD gfx1100; choose another level"),
        ("machine=mi300x&level=NF4", "bitsandbytes"),
        ("machine=rtx-5090&level=W8A8-INT8", "see FP8"),
        ("machine=rtx-2080-ti&level=MXFP4A16", "8.0 or later"),
        ("machine=rtx-4090&level=GPTQ-W3A16-g128", "4 or 8 bits only, not 3"),
        ("machine=rtx-4090&backend=vulkan", "backend=vulkan is none of vllm's"),
        ("machine=rtx-4090&backend=rocm", "backend=rocm does not run on GeForce RTX 4090"),
        ("machine=custom&memory_gib=24&backend=metal", "backend=metal is none of vllm's"),
    ],
)
def test_what_vllm_cannot_do_is_one_sentence(query: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        asked(f"model={LLAMA}&runtime=vllm&context=1024&{query}")
    assert said in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_custom_device_is_planned_as_a_gpu_of_nvidia() -> None:
    """Llama 3.1 8B on 24 GB: "No level of this model runs on ..." was said, as on every custom device."""
    query = f"model={LLAMA}&runtime=vllm&context=8192&machine="
    found, known = asked(f"{query}custom&memory_gib=24&bandwidth_gb_s=936"), asked(f"{query}rtx-3090")
    assert chosen_level(found) == chosen_level(known) == "BF16-safetensors"
    assert levels(known) <= levels(found)
    assert any("counts as an NVIDIA GPU of unknown compute capability" in note for note in say_all(found.notes))
    assert not any("custom device" in note for note in say_all(known.notes))
    assert found.chosen is not None
    assert found.chosen.speed is not None


def test_four_custom_cards_hold_no_72b_in_eight_bits() -> None:
    """Qwen2 72B GPTQ-Int8 on 4 x 22 GB: 17.98 GiB of weights on each, then out of memory (vllm issue 5993).

    That was with the model's own context; a quarter of it and a single request at once do not fit safely either.
    """
    query = "model=qwen2.5-72b-instruct&machine=custom&memory_gib=22&gpus=4&runtime=vllm"
    whole, found = asked(f"{query}&context=32768"), asked(query)
    assert next(plan for plan in whole.plans if plan.level == "W8A16-channel").verdict == "does not fit"
    plan = next(plan for plan in found.plans if plan.level == "W8A16-channel")
    assert not plan.fits
    assert plan.devices[0].weights_bytes / (1 << 30) == pytest.approx(17.98, rel=0.03)
    assert found.chosen is not None


def test_the_backend_tells_whose_gpu_a_custom_device_is() -> None:
    query = f"model={LLAMA}&runtime=vllm&machine=custom&memory_gib=48&bandwidth_gb_s=800"
    amd, nvidia = asked(f"{query}&backend=rocm"), asked(f"{query}&backend=cuda")
    assert {"FP8-dynamic", "AWQ-W4A16-g128"} <= levels(amd)
    assert levels(nvidia) - levels(amd) >= {"NF4", "NVFP4"}
    assert any("counts as an AMD GPU of unknown generation" in note for note in say_all(amd.notes))
    assert nvidia.candidates[0].speed == asked(query).candidates[0].speed
    assert amd.hardware.backend == nvidia.hardware.backend == "vllm"


def repository(**section: Any) -> dict[str, Any]:
    """A repository of one file whose configuration claims this quantization."""
    tensors = safetensors_file((name, "BF16", shape) for name, shape in checkpoint_tensors(LLAMA))
    return {
        "config.json": {**catalogue()[LLAMA].config, "quantization_config": section},
        "model.safetensors": tensors,
    }


@pytest.mark.parametrize("method", ["exl2", "exl3", "vptq", "hqq", "aqlm", "bitnet"])
@pytest.mark.parametrize("machine_id", ["rtx-4090", "mi300x"])
def test_a_repository_that_vllm_cannot_load_is_not_planned_and_said(hub: FakeHub, method: str, machine_id: str) -> None:
    hub.add("org/name", repository(quant_method=method, bits=4))
    found = asked(f"model=org/name&machine={machine_id}&runtime=vllm&context=1024")
    assert not any("published" in plan.level for plan in found.plans)
    said = [note for note in say_all(found.notes) if "are not among the plans" in note]
    assert len(said) == 1
    assert method.upper() in said[0].upper()


def test_a_published_file_is_planned_where_its_scheme_runs(hub: FakeHub) -> None:
    hub.add("org/name", repository(quant_method="fp8", activation_scheme="dynamic"))
    query = "model=org/name&runtime=vllm&context=1024&machine="
    assert "FP8-dynamic (published)" in levels(asked(f"{query}rtx-3090"))
    assert "FP8-dynamic (published)" in levels(asked(f"{query}mi300x"))
    on_3090 = next(plan for plan in asked(f"{query}rtx-3090").plans if "published" in plan.level)
    assert any("16 bit (Marlin)" in note for note in say_all(on_3090.notes))
    refused = asked(f"{query}mi210")
    assert "FP8-dynamic (published)" not in levels(refused)
    assert any("are not among the plans: vLLM loads FP8 files only on" in note for note in say_all(refused.notes))
