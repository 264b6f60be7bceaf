"""RAM in people's words: how fast it is read, and what systems say of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from advisor.answer.answer import answer
from advisor.answer.machines_for_model import _machine_for, on_any_machine
from advisor.foundation.errors import InputError
from advisor.machines.catalogue import machine
from advisor.machines.detect import question_values
from advisor.machines.detect_ram import detected_ram, ram_of_systemd, ram_of_windows
from advisor.machines.detect_records import Detected, DetectedCpu
from advisor.machines.ram import Ram, ram_type
from advisor.question.question import Question
from advisor.sources.resolve import find_any_model
from advisor.words import say_all

BIG = "model=qwen3-235b-a22b&machine=rtx-3090&host_memory_gib=512&level=Q6_K"


@pytest.mark.parametrize(
    ("written", "type", "name"),
    [
        ("DDR5-6000", "ddr5-6000", "DDR5-6000"),
        ("ddr4 3200", "ddr4-3200", "DDR4-3200"),
        ("DDR5 5600 ", "ddr5-5600", "DDR5-5600"),
        ("ddr5-6400MT/s", "ddr5-6400", "DDR5-6400"),
        ("PC5-48000", "ddr5-6000", "DDR5-6000"),
        ("PC4-25600U", "ddr4-3200", "DDR4-3200"),
        ("LPDDR5X-8533", "lpddr5x-8533", "LPDDR5X-8533"),
    ],
)
def test_types_as_people_write_them(written: str, type: str, name: str) -> None:
    assert ram_type(written) == type
    assert Ram(type, 2).name == name
    assert ram_type(Ram(type, 2).name) == type


@pytest.mark.parametrize("written", ["fast", "DDR5", "6000", "DDR5-60", "DDR9-6000", "DDR5-99999", "", "GDDR6-20000"])
def test_what_is_no_memory_is_one_sentence(written: str) -> None:
    with pytest.raises(InputError, match=r"is no type of memory: .* as DDR5-6000"):
        ram_type(written)


def test_bandwidth_follows_from_type_and_channels() -> None:
    assert Ram("ddr5-5600", 2).rated == 89.6e9
    assert Ram("ddr5-5600", 2).bandwidth == 89.6e9
    assert Ram("ddr4-3200", 8).bandwidth == 204.8e9
    server = Ram("ddr5-6000", 12)
    assert server.rated == 576e9
    # Read with 0.29 to 0.5 of that, where desktops' experts are read with 0.71.
    assert 0.29 <= server.bandwidth * 0.71 / server.rated <= 0.5
    assert server.bandwidth < Ram("ddr5-6000", 12, 2).bandwidth < 2 * server.bandwidth


def test_words_are_as_good_as_a_bandwidth() -> None:
    def speed(query: str) -> float:
        found = answer(Question.from_query(f"{BIG}&{query}")).shown.tokens_per_s
        assert found
        return found.typical

    assert speed("ram_type=DDR5-6000") == pytest.approx(speed("host_bandwidth_gb_s=96"))
    assert speed("ram_channels=4") == pytest.approx(speed("host_bandwidth_gb_s=179.2"))
    assert speed("ram_type=ddr4-3200&host_bandwidth_gb_s=96") == pytest.approx(speed("host_bandwidth_gb_s=96"))
    # 12.2 tokens/s were measured on an EPYC 9355 with twelve channels (ik_llama.cpp discussion 357).
    assert speed("ram_type=DDR5-6000&ram_channels=12") == pytest.approx(12.2, rel=0.15)


def test_what_is_assumed_is_said() -> None:
    def notes(query: str) -> str:
        return " ".join(say_all(answer(Question.from_query(f"{BIG}{query}")).notes))

    assert "assumes memory rated at 89.6 GB/s (two channels of DDR5-5600)" in notes("")
    assert "DDR5-6000 in 2 channels, rated at 96 GB/s." in notes("&ram_type=ddr5-6000")
    many = notes("&ram_type=ddr5-6000&ram_channels=12")
    assert "DDR5-6000 in 12 channels, rated at 576 GB/s; it counts as 317 GB/s" in many


def test_a_machine_without_cards_is_read_as_fast_as_its_ram() -> None:
    def speed(query: str) -> float:
        found = answer(Question.from_query(f"model=qwen3-8b&level=Q4_K_M&memory_gib=32&{query}")).shown.tokens_per_s
        assert found
        return found.typical

    slow = speed("machine=cpu-dual-ddr5-5600&ram_channels=1")
    assert slow < speed("machine=cpu-dual-ddr5-5600")
    assert speed("machine=cpu-dual-ddr4-3200&ram_type=ddr5-5600") == pytest.approx(
        speed("machine=cpu-dual-ddr4-3200&ram_type=ddr5-5600&ram_channels=2")
    )


def test_a_mac_has_no_other_memory() -> None:
    with pytest.raises(InputError, match=r"^ram_type: Apple .* shares one memory between host and GPU"):
        answer(Question.from_query("model=qwen3-8b&machine=apple-m4-max-40c-128gb&ram_channels=2"))


def test_a_key_that_is_not_given_is_in_no_link() -> None:
    assert "ram" not in Question.from_query(BIG).to_query()
    assert (
        "ram_type=ddr5-6000&ram_channels=12"
        in Question.from_query(f"{BIG}&ram_channels=12&ram_type=DDR5 6000").to_query()
    )


def _udev(*modules: dict[str, str]) -> str:
    lines = [f"E:MEMORY_DEVICE_{n}_{key}={value}" for n, one in enumerate(modules) for key, value in one.items()]
    return "\n".join(["I:1", "E:MEMORY_ARRAY_NUM_DEVICES=4", *lines])


def _module(place: str, speed: str = "6000", kind: str = "DDR5") -> dict[str, str]:
    return {"TYPE": kind, "SPEED_MTS": "6400", "CONFIGURED_SPEED_MTS": speed, "SIZE": "34359738368", "LOCATOR": place}


def test_what_systemd_found_is_read_as_the_board_runs_it(tmp_path: Path) -> None:
    desktop = _udev(_module("DIMM A1"), _module("DIMM A2", "5600"), {"PRESENT": "0", "TYPE": "Unknown"})
    assert ram_of_systemd(desktop) == Ram("ddr5-5600", 2)
    server = _udev(*(_module(f"P{socket} CHANNEL {letter}") for socket in (0, 1) for letter in "ABCDEFGHIJKL"))
    assert ram_of_systemd(server) == Ram("ddr5-6000", 12, 2)
    assert ram_of_systemd(_udev(_module("DIMM 0"))) == Ram("ddr5-6000", 1)
    assert ram_of_systemd(_udev(_module("DIMM 0", kind="Unknown"))) is None
    assert ram_of_systemd("") is None
    assert detected_ram(tmp_path) is None


def test_what_windows_says() -> None:
    said = "34|5600|P0 CHANNEL A DIMM 1\n34|5600|P0 CHANNEL B DIMM 1\n"
    assert ram_of_windows(said) == Ram("ddr5-5600", 2)
    assert ram_of_windows("0|0|BANK 0 DIMM 0\n") is None
    assert ram_of_windows(None) is None


def test_detected_ram_is_planned_with() -> None:
    cpu = DetectedCpu("AMD Ryzen 7 7700X", 8, 16, "cpu-dual-ddr4-3200")
    found = Detected((), cpu, 64 << 30, 60 << 30, "Linux", (), Ram("ddr5-6000", 2))
    values = question_values(found)
    assert values["ram_type"] == "ddr5-6000"
    assert values["ram_channels"] == 2
    assert "ram_sockets" not in values
    assert Question.from_values({"model": "qwen3-8b", **values}).machine.ram == Ram("ddr5-6000", 2)


def test_machines_with_memory_of_their_own_are_offered_whatever_ram_is_asked_about() -> None:
    today = date(2026, 11, 30)
    asked = on_any_machine(Question.from_query("model=qwen3-8b&level=Q4_K_M&ram_type=ddr4-2666&ram_channels=2"))
    entry = find_any_model("qwen3-8b")
    found = [
        _machine_for(asked, entry, machine(one), today) for one in ("apple-m4-max-40c-128gb", "cpu-dual-ddr5-6000")
    ]
    assert None not in found
