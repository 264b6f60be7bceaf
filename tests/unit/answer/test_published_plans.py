"""Plans of published files: whose bytes they count, and that fits holds for the file that people download."""

from __future__ import annotations

import pytest

from advisor.answer.answer import Answer, answer
from advisor.answer.pinned import pinned_query
from advisor.answer.run_it import needs, ways_to_run
from advisor.formats.gguf_levels import PUBLISHERS_LEVELS
from advisor.formats.safetensors_levels import find_safetensors_level
from advisor.foundation.errors import InputError
from advisor.foundation.units import GIB
from advisor.question.question import Question
from advisor.report.sizes import sizes_answer
from advisor.sizing.runtime_id import RuntimeId
from advisor.sources.published_files import FILES, published_file, read_published_files
from advisor.sources.published_sizes import published_sizes_of
from advisor.sources.resolve import find_any_model
from advisor.words import say, say_all

# Nobody's file of it is known; of the same level of Gemma 4 31B those of two publishers are.
_UNKNOWN = "model=qwen3.6-27b&level=Q4_K_M&gpu_layers=all&runtime=llama.cpp&machine=custom&bandwidth_gb_s=900"
_KNOWN = "model=gemma-4-31b-it&machine=rtx-4090&runtime=llama.cpp&context=4096"


def asked(query: str) -> Answer:
    return answer(Question.from_query(query))


def _least_memory(query: str, verdict: str) -> float:
    """The least memory, in sixteenths of a GiB, with which a plan has a verdict."""
    low, high = 8 * 16, 64 * 16
    while low < high:
        middle = (low + high) // 2
        if asked(f"{query}&memory_gib={middle / 16}").shown.verdict == verdict:
            high = middle
        else:
            low = middle + 1
    return low / 16


def test_what_fits_holds_for_the_largest_file_that_people_download() -> None:
    least = _least_memory(_UNKNOWN, "fits")
    found = asked(f"{_UNKNOWN}&memory_gib={least}")
    plan = found.shown.plan
    sizes = published_sizes_of(found.entry).range_of(found.model, plan.sized.level)  # type: ignore[arg-type]
    more = sizes.high - plan.sized.file_bytes
    assert more > 0.02 * plan.sized.file_bytes
    (device,) = plan.devices
    assert device.capacity_bytes is not None
    room = device.capacity_bytes * (1 - found.question.machine.margin) - device.needed_bytes
    assert 0.9 * more < room < 1.1 * more + GIB / 16
    assert plan.max_context >= found.question.workload.context


def test_what_only_stock_tools_would_make_fit_is_tight_and_says_so() -> None:
    least = _least_memory(_UNKNOWN, "fits")
    found = asked(f"{_UNKNOWN}&memory_gib={least - 0.25}")
    plan = found.shown.plan
    assert plan.verdict == "tight"
    assert plan.missing_bytes > 0
    assert "files that people download of it measure up to" in say_all(plan.notes)[0]
    assert plan.max_context < found.question.workload.context
    roomy = asked(f"{_UNKNOWN}&memory_gib={least + 1}").shown.plan
    assert roomy.fits
    assert not roomy.notes


def test_a_publishers_file_has_its_own_bytes_wherever_they_lie() -> None:
    for publisher in ("bartowski", "unsloth"):
        found = asked(f"{_KNOWN}&level=Q4_K_M&publisher={publisher}")
        row = published_file(found.entry.entry, found.shown.level_id, publisher)
        assert row is not None
        assert row.bytes is not None
        plan = found.shown.plan
        assert plan.sized.file_bytes == row.bytes
        held = plan.devices[0].weights_bytes
        stock = asked(f"{_KNOWN}&level=Q4_K_M").shown.plan
        scale = plan.sized.tensor_bytes / stock.sized.tensor_bytes
        assert held == pytest.approx(stock.devices[0].weights_bytes * scale, rel=1e-6)
        assert not plan.notes


def test_no_byte_of_a_publishers_file_is_lost_where_its_layers_are_rounded() -> None:
    known = [row for row in read_published_files(FILES) if row.level == "Q4_0" and row.bytes is not None]
    assert any(row.model == "deepseek-r1-distill-qwen-1.5b" for row in known)
    for row in known:
        query = f"model={row.model}&level=Q4_0&publisher={row.repo.split('/')[0]}&machine=mi355x"
        plan = asked(f"{query}&runtime=llama.cpp&context=512").shown.plan
        held = sum(holder.weights_bytes for holder in (*plan.devices, plan.host))
        assert held >= plan.sized.tensor_bytes, row


def test_a_publishers_own_level_is_asked_for_by_its_name_and_pinned_again() -> None:
    found = asked(f"{_KNOWN}&level=UD-Q4_K_XL")
    assert found.shown.level == "UD-Q4_K_XL"
    assert found.shown.file_bytes == pytest.approx(18.8e9, rel=0.01)
    again = asked(pinned_query(found.question, found.entry, found.shown.plan))
    assert again.shown.plan == found.shown.plan
    lines = [
        line.text for way in ways_to_run(found, found.shown) if way.runtime is RuntimeId.LLAMA_CPP for line in way.lines
    ]
    assert any("unsloth/gemma-4-31B-it-GGUF:UD-Q4_K_XL" in line for line in lines)


def test_every_file_of_a_publishers_own_level_that_is_known_can_be_planned() -> None:
    rows = {
        row.level: row
        for row in read_published_files(FILES)
        if row.model == "qwen3.8-27b" and PUBLISHERS_LEVELS.get(row.level) is not None
    }
    assert len(rows) > 20
    for level, row in rows.items():
        found = asked(f"model=qwen3.8-27b&level={level}&machine=h100-sxm5-80gb&runtime=llama.cpp&context=4096")
        assert found.shown.plan.fits
        assert found.shown.file_bytes == row.bytes
        ways = ways_to_run(found, found.shown)
        lines = [line.text for way in ways if way.runtime is RuntimeId.LLAMA_CPP for line in way.lines]
        assert any(row.repo in line for line in lines)


@pytest.mark.parametrize(("size", "billions"), [("1b", 1.0), ("4b", 3.16), ("12b", 8.07), ("27b", 17.2)])
def test_weights_that_were_trained_for_a_level_are_the_publishers_file_and_lose_less(
    size: str, billions: float
) -> None:
    query = f"model=gemma-3-{size}-it&machine=rtx-4090&runtime=llama.cpp&context=4096&level=Q4_0"
    stock, own = asked(query).shown, asked(f"{query}&publisher=google").shown
    assert own.file_bytes == pytest.approx(billions * 1e9, rel=1e-6)
    assert stock.file_bytes < own.file_bytes
    assert own.own_file is not None
    assert (own.quality.typical or 0) > (stock.quality.typical or 100)
    found = asked(f"{query}&publisher=google")
    lines = [line.text for way in ways_to_run(found, own) if way.runtime is RuntimeId.LLAMA_CPP for line in way.lines]
    assert any(f"google/gemma-3-{size}-it-qat-q4_0-gguf" in line for line in lines)
    (row,) = (
        row
        for row in sizes_answer(found.entry, found.model)["levels"]
        if row["format"] == "gguf" and row["level"] == "Q4_0" and not row["imatrix"]
    )
    assert "google" not in row["published"]["uploaders"]


def test_a_publisher_of_own_mixes_alone_is_planned_with_these() -> None:
    found = asked("model=glm-4.5-air&machine=h100-sxm5-80gb&gpus=2&publisher=unsloth&runtime=llama.cpp")
    assert {candidate.level for candidate in found.candidates} == {"UD-Q4_K_XL"}
    assert found.shown.file_bytes == 67_700_000_000


def test_a_publisher_alone_searches_its_levels() -> None:
    found = asked(f"{_KNOWN}&publisher=unsloth")
    row = published_file(found.entry.entry, found.shown.level_id, "unsloth")
    assert row is not None
    assert found.shown.file_bytes == row.bytes


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("model=gemma-4-31b-it&publisher=bartovski", "did you mean 'bartowski'"),
        ("model=falcon-h1-7b-instruct&publisher=bartowski", "no published file of Falcon-H1 7B"),
        ("model=gemma-4-31b-it&level=IQ1_S&publisher=unsloth", "the file of unsloth at IQ1_S is not known"),
        ("model=llama-3.1-8b-instruct&level=UD-Q2_K_XL", "a publisher's file at UD-Q2_K_XL is not known"),
    ],
)
def test_a_file_that_is_not_known_is_refused_in_one_sentence(query: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        asked(f"{query}&machine=rtx-4090")


def test_sizes_and_run_card_say_what_published_files_measure() -> None:
    found = find_any_model("gemma-4-31b-it")
    rows = {
        row["level"]: row["published"]
        for row in sizes_answer(found, found.model)["levels"]
        if row["format"] == "gguf" and not row["imatrix"]
    }
    assert all(one["low_bytes"] <= one["typical_bytes"] <= one["high_bytes"] for one in rows.values())
    assert set(rows["Q4_K_M"]["uploaders"]) == {"bartowski", "unsloth"}
    assert rows["Q5_1"]["n"] == 0
    shown = asked(f"{_KNOWN}&level=Q4_K_M")
    way = next(way for way in ways_to_run(shown, shown.shown) if way.runtime is RuntimeId.LLAMA_CPP)
    assert way.files is not None
    assert "made by llama-quantize: 18.7 GB, published: 18.1 GB to 20.1 GB" in say(needs(way.files)[-1])


def test_what_publishers_leave_in_16_bit_counts_where_a_checkpoint_must_fit() -> None:
    """Case 35, Qwen3.8 27B in AWQ: 17.8 GB by AutoAWQ, 21.0 GB with vision and drafting layers as it is published."""
    query = "model=qwen3.8-27b&runtime=vllm&machine=rtx-3090&gpus=2&level=AWQ-W4A16-g128"
    usual = asked(f"{query}&context=4096&vision=on&mtp=on").shown.plan
    held = sum(device.weights_bytes + device.beside.mtp for device in usual.devices)
    assert usual.request.model.tower is not None
    assert held + 2 * usual.request.model.tower.parameters == pytest.approx(21.03e9, rel=0.04)
    assert any("counted as it is published" in said for said in say_all(usual.notes))
    reach = asked(f"{query}&context=4096").shown.plan.max_context
    assert asked(f"{query}&context={reach}").shown.plan.verdict == "fits"
    beyond = asked(f"{query}&context={reach + 2048}").shown.plan
    assert beyond.verdict == "tight"
    assert any("some leave more in 16 bit" in said for said in say_all(beyond.notes))
    kept = published_sizes_of(find_any_model("qwen3.8-27b")).kept_bytes
    model = find_any_model("qwen3.8-27b").must_have_model()
    assert kept(model, find_safetensors_level("AWQ-W4A16-g128")) > 1.9e9
    assert kept(model, find_safetensors_level("NVFP4")) > 3e9
    assert kept(model, find_safetensors_level("FP8-dynamic")) == 0  # vLLM packs it while it loads
