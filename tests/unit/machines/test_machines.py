"""The catalogue of machines: what every row must hold, what is known for certain, and what a broken row says."""

import csv
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.foundation.errors import AdvisorError, DataError, InputError
from advisor.foundation.message import Message
from advisor.foundation.units import GIB, MIB
from advisor.machines.capacity import ReportedShare, assumed_capacity
from advisor.machines.catalogue import CATALOGUE, Machine, custom_machine, load, machine, machines, with_memory
from advisor.words import say

CARD_KINDS = {"consumer-gpu", "laptop-gpu", "workstation-gpu", "datacenter-gpu"}
MACHINES = list(machines().values())

# Gbit/s a pin, from the slowest part in use to the fastest.
PIN_RATES = {
    "GDDR5": (7, 9),
    "GDDR5X": (10, 12),
    "GDDR6": (10, 20.5),
    "GDDR6X": (19, 24),
    "GDDR7": (18, 32),
    "HBM2": (1.4, 2.5),
    "HBM2e": (2.4, 3.7),
    "HBM3": (5, 6),
    "HBM3e": (5.8, 8.2),
    "LPDDR4X": (4.2, 4.3),
    "LPDDR5": (6, 6.8),
    "LPDDR5X": (7.4, 10.8),
    "DDR4": (2, 3.3),
    "DDR5": (4, 6.5),
    "MRDIMM": (8, 9),
}


def table() -> list[dict[str, str]]:
    with CATALOGUE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def kinds(*wanted: str) -> list[Machine]:
    return [m for m in MACHINES if m.kind in wanted]


# Every row


@pytest.mark.parametrize("m", MACHINES, ids=lambda m: m.id)
def test_row_holds_together(m: Machine) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", m.id)
    assert m.source.startswith("http")
    assert m.as_of is not None
    assert re.fullmatch(r"20\d\d-\d\d", m.as_of)
    assert say(m.capacity_basis).endswith(".")
    assert say(m.overhead_basis).endswith(".")
    assert 0 <= m.capacity_bytes <= m.memory_bytes
    assert m.bandwidth_bytes_per_s is not None
    assert 40e9 <= m.bandwidth_bytes_per_s <= 30e12
    assert m.needs_memory == (m.kind == "cpu-platform")
    assert m.unified == (m.kind not in CARD_KINDS)
    assert (m.host_memory_bytes is not None) == (m.unified and not m.needs_memory)
    assert m.overhead_bytes > 0
    if not m.needs_memory:
        # A model must find most of what is left to a runtime.
        assert m.overhead_bytes < 0.5 * m.capacity_bytes
        assert m.capacity_bytes >= 0.49 * m.memory_bytes


def test_catalogue_holds_every_row_of_the_file() -> None:
    ids = [row["id"] for row in table()]
    assert len(set(ids)) == len(ids)
    assert set(machines()) == set(ids)
    assert len(ids) >= 280


def test_catalogue_is_ordered_by_vendor_then_kind_then_newest() -> None:
    assert [m.id for m in MACHINES[:1]] == ["rtx-5050"]
    by_group: dict[tuple[str, str], list[int]] = {}
    groups: list[tuple[str, str]] = []
    for m in MACHINES:
        assert m.release_year is not None
        by_group.setdefault((m.vendor, m.kind), []).append(m.release_year)
        if groups[-1:] != [(m.vendor, m.kind)]:
            groups.append((m.vendor, m.kind))
    assert len(groups) == len(set(groups))
    assert all(years == sorted(years, reverse=True) for years in by_group.values())


def test_catalogue_cannot_be_changed_by_a_caller() -> None:
    with pytest.raises(TypeError):
        machines()["mine"] = MACHINES[0]  # type: ignore[index]


def test_bandwidth_agrees_with_bus_and_memory_type() -> None:
    for row in table():
        if row["memory_bus_bits"]:
            low, high = PIN_RATES[row["memory_type"]]
            rate = float(row["memory_bandwidth_gb_s"]) * 8 / float(row["memory_bus_bits"])
            assert low <= rate <= high, (row["id"], rate)


def test_reported_memory_is_no_unit_mistake() -> None:
    for row in table():
        if row["reported_mib"]:
            share = float(row["reported_mib"]) / 1024 / float(row["memory_gib"])
            assert 0.93 <= share <= 1, (row["id"], share)


def test_rates_rise_as_bits_fall() -> None:
    for m in MACHINES:
        if m.fp16_tflops and m.fp8_tflops:
            assert m.fp8_tflops >= 0.99 * m.fp16_tflops, m.id
        if m.fp8_tflops and m.fp4_tflops:
            assert m.fp4_tflops >= 0.99 * m.fp8_tflops, m.id
        assert (m.fp16_tflops is None) == (m.fp16_basis is None), m.id


def test_watts_and_prices_are_plausible() -> None:
    for m in MACHINES:
        if m.tdp_w is not None:
            assert 5 <= m.tdp_w <= 1500, m.id
        if m.idle_w is not None:
            assert m.tdp_w is not None, m.id
            assert m.idle_w < 0.4 * m.tdp_w, m.id
        for price in m.prices:
            assert 50 <= price.low <= price.typical <= price.high <= 60_000, m.id
            assert price.seen.source.startswith("https://"), m.id


def test_weak_rows_say_why() -> None:
    assert all(m.notes for m in MACHINES if m.confidence == "weak")


# What drivers and systems report


@pytest.mark.parametrize(
    ("machine_id", "mib"),
    [
        ("rtx-4090", 24564),
        ("rtx-3090", 24576),
        ("rtx-5090", 32607),
        ("a100-sxm4-80gb", 81920),
        ("h100-sxm5-80gb", 81559),
        ("h200-sxm-141gb", 143771),
        ("nvidia-l4", 23034),
        ("tesla-t4", 15360),
        ("mi300x", 196592),
        ("arc-a770-16gb", 15473),
    ],
)
def test_capacity_is_what_the_driver_reports(machine_id: str, mib: int) -> None:
    assert machine(machine_id).capacity_bytes == mib * MIB


# Totals that CUDA can allocate, and free memory with a context, in public logs: a plan may not count on more.
@pytest.mark.parametrize(
    ("machine_id", "usable_mib"),
    [
        ("rtx-4090", 24080 - 456),
        ("rtx-5090", 32106 - 555),
        ("rtx-pro-6000-blackwell-max-q", 97247 - 753),
        ("rtx-3090", 24124 - 456),
        ("a100-sxm4-40gb", int(39.25 * 1024) - 456),
        ("b200-sxm-180gb", int(178.35 * 1024) - 555),
        ("rx-9070-xt", 16140),
        ("rx-7900-xt", 20464 - 242),
        ("arc-pro-b50", 15593),
        ("dgx-spark-128gb", 118548),
    ],
)
def test_overhead_covers_what_logs_show(machine_id: str, usable_mib: int) -> None:
    m = machine(machine_id)
    assert m.capacity_bytes - m.overhead_bytes <= usable_mib * MIB
    assert m.capacity_bytes - m.overhead_bytes >= 0.93 * usable_mib * MIB


def test_metal_budget_of_a_mac_that_runs_only_current_macos_is_the_measured_one() -> None:
    # llama.cpp on an M5 with 24 GB: "MTL0 ... 18186" MiB.
    assert machine("apple-m5-24gb").capacity_bytes // MIB == 18186
    assert machine("apple-m5-max-40c-128gb").capacity_bytes == pytest.approx(107.52 * GIB, rel=1e-4)


def test_metal_budget_of_a_mac_that_may_run_older_macos_is_the_lower_one() -> None:
    # 2023-2024 logs: 38654.71 MB on 48 GB, 154618.82 MB on 192 GB.
    assert machine("apple-m3-max-40c-48gb").capacity_bytes == pytest.approx(38654.71e6, rel=1e-5)
    assert machine("apple-m2-ultra-192gb").capacity_bytes == pytest.approx(154618.82e6, rel=1e-5)
    assert "older releases" in say(machine("apple-m2-ultra-192gb").capacity_basis)


def test_macs_may_use_more_the_more_they_have_but_never_all() -> None:
    for m in kinds("apple-silicon"):
        assert 0.66 <= m.capacity_bytes / m.memory_bytes <= 0.91, m.id


def test_unreported_cards_are_taken_no_larger_than_similar_ones() -> None:
    rows = {row["id"]: row for row in table()}
    for m in kinds(*CARD_KINDS):
        similar = [
            other.capacity_bytes / other.memory_bytes
            for other in kinds(m.kind)
            if other.vendor == m.vendor and other.memory_type == m.memory_type and rows[other.id]["reported_mib"]
        ]
        if not rows[m.id]["reported_mib"]:
            assert m.capacity_bytes / m.memory_bytes <= min([1.0, *similar]) + 1e-9, m.id
            assert say(m.capacity_basis).startswith("No driver report found"), m.id


def test_ecc_is_deducted_where_a_card_may_have_it_on() -> None:
    assert machine("quadro-rtx-8000").capacity_bytes == 48 * GIB * 15 // 16
    assert "ECC" in say(machine("rtx-a6000").capacity_basis)


def test_cards_with_two_gpus_are_two_devices() -> None:
    mi250 = machine("mi250")
    assert mi250.count == 2
    assert mi250.memory_bytes == 64 * GIB
    assert mi250.bandwidth_bytes_per_s == pytest.approx(3277e9 / 2)
    assert mi250.tdp_w == 560
    assert {m.id for m in MACHINES if m.count > 1} == {"mi250", "mi250x", "arc-pro-b60-dual-48gb"}


def test_the_screen_takes_memory_of_consumer_cards_only() -> None:
    consumer, laptop = machine("rtx-4070"), machine("rtx-5070-ti-laptop")
    assert consumer.overhead_bytes > laptop.overhead_bytes
    assert "screen" in say(consumer.overhead_basis)
    assert "screen" not in say(laptop.overhead_basis)


# Looking one up


def test_unknown_machine_names_similar_ones() -> None:
    with pytest.raises(InputError, match=r"^There is no machine 'rtx 4090' in the catalogue: did you mean 'rtx-4090'"):
        machine("rtx 4090")


def test_unknown_machine_without_similar_ones_is_still_a_sentence() -> None:
    with pytest.raises(InputError, match=r"^There is no machine 'ÿ+\.\.\.' in the catalogue; describe it: "):
        machine("ÿ" * 10_000)


# Machines that the user describes


@given(st.floats(min_value=1e-9, max_value=100_000), st.none() | st.floats(min_value=1, max_value=1_000_000))
def test_custom_machine_has_what_was_given(memory_gib: float, bandwidth_gb_s: float | None) -> None:
    m = custom_machine(memory_gib, bandwidth_gb_s)
    assert m.memory_bytes == m.capacity_bytes == max(1, int(memory_gib * GIB))
    assert (m.bandwidth_bytes_per_s is None) == (bandwidth_gb_s is None)
    if bandwidth_gb_s is not None:
        assert m.bandwidth_bytes_per_s == bandwidth_gb_s * 1e9
    assert not m.needs_memory
    assert m.overhead_bytes > 0


@given(st.floats(max_value=0) | st.floats(min_value=100_000, exclude_min=True) | st.just(math.nan))
def test_custom_machine_refuses_impossible_memory(memory_gib: float) -> None:
    with pytest.raises(InputError, match=r"^The memory must be a number of GiB above 0 and at most 100,000\.$"):
        custom_machine(memory_gib)


@given(
    st.floats(max_value=1, exclude_max=True)
    | st.floats(min_value=1_000_000, exclude_min=True)
    | st.just(math.nan)
    | st.integers(min_value=10**400)
)
def test_custom_machine_refuses_impossible_bandwidth(bandwidth_gb_s: float) -> None:
    with pytest.raises(InputError, match=r"^The memory bandwidth must be a number of GB/s from 1 to 1,000,000\.$"):
        custom_machine(24, bandwidth_gb_s)


@pytest.mark.parametrize("value", ["24", None, True, [24]])
def test_custom_machine_refuses_what_is_no_number(value: object) -> None:
    with pytest.raises(InputError):
        custom_machine(value)  # type: ignore[arg-type]


@given(st.floats(min_value=1, max_value=1000), st.floats(min_value=0, max_value=1000))
def test_a_larger_custom_machine_never_offers_less(gib: float, more: float) -> None:
    small, large = custom_machine(gib), custom_machine(gib + more)
    assert large.capacity_bytes - large.overhead_bytes >= small.capacity_bytes - small.overhead_bytes
    assert large.overhead_bytes >= small.overhead_bytes


def test_cpu_gets_the_memory_that_is_given() -> None:
    cpu = with_memory(machine("cpu-dual-ddr5-6000"), 64)
    assert cpu.memory_bytes == cpu.capacity_bytes == cpu.host_memory_bytes == 64 * GIB
    assert not cpu.needs_memory
    assert machine("cpu-dual-ddr5-6000").needs_memory


def test_a_card_takes_no_other_memory() -> None:
    with pytest.raises(InputError, match=r"RTX 4090 comes with its memory"):
        with_memory(machine("rtx-4090"), 48)


def test_a_price_is_that_of_its_market_and_new_where_none_is_asked_for() -> None:
    one = machine("rtx-5090")
    assert [price.market for price in one.prices] == ["new", "used"]
    assert one.price_on(None) == one.price_on("new") != one.price_on("used")
    used = machine("rtx-3090")
    assert used.price_on(None) == used.price_on("used") is not None
    assert used.price_on("new") is None
    assert replace(used, launch_price_usd=1499, prices=()).price_on(None) is None


def test_what_is_not_sold_any_more_or_was_only_priced_at_its_launch_has_no_price() -> None:
    for gone in ("apple-m3-ultra-80c-512gb", "apple-m4-max-40c-128gb", "gtx-1080", "mi50-16gb", "nvidia-a16-per-gpu"):
        assert machine(gone).prices == (), gone
    assert all(
        price.seen.as_of or "no date" in price.seen.source or price.seen.checked for m in MACHINES for price in m.prices
    )


# Broken files


@pytest.fixture
def write(tmp_path: Path) -> Callable[[list[dict[str, str]]], Path]:
    def write_rows(rows: list[dict[str, str]]) -> Path:
        path = tmp_path / "machines.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return path

    return write_rows


def three_rows() -> list[dict[str, str]]:
    wanted = ("rtx-4090", "apple-m4-16gb", "cpu-dual-ddr5-6000")
    return [row for row in table() if row["id"] in wanted]


def test_a_small_file_loads(write: Callable[..., Path]) -> None:
    assert set(load(write(three_rows()))) == {"rtx-4090", "apple-m4-16gb", "cpu-dual-ddr5-6000"}


@pytest.mark.parametrize(
    ("row", "column", "value", "reason"),
    [
        (0, "id", "RTX 4090", "column id: "),
        (1, "id", "rtx-4090", "column id: an earlier row has the same id ('rtx-4090')"),
        (0, "name", " ", "column name: "),
        (0, "vendor", "Nvidia", "column vendor: "),
        (0, "kind", "gpu", "column kind: "),
        (0, "release_year", "22", "column release_year: "),
        (0, "devices", "0", "column devices: "),
        (0, "memory_gib", "-24", "column memory_gib: Input should be greater than 0 (it is '-24')"),
        (0, "memory_gib", "nan", "column memory_gib: "),
        (0, "memory_gib", "1e999", "column memory_gib: "),
        (0, "memory_gib", "24 GB", "column memory_gib: "),
        (0, "memory_gib", "", "memory_gib must be given, except for a cpu-platform"),
        (2, "memory_gib", "64", "memory_gib must be given, except for a cpu-platform"),
        (0, "reported_mib", "24577", "reported_mib must not exceed memory_gib"),
        (0, "gpu_memory_fraction", "0.75", "gpu_memory_fraction must be given where memory is shared"),
        (1, "gpu_memory_fraction", "", "gpu_memory_fraction must be given where memory is shared"),
        (1, "gpu_memory_fraction", "75", "column gpu_memory_fraction: "),
        (0, "gpu_memory_fraction_older_os", "0.5", "gpu_memory_fraction_older_os needs gpu_memory_fraction"),
        (0, "memory_bandwidth_gb_s", "", "column memory_bandwidth_gb_s: "),
        (0, "memory_bandwidth_gb_s", "inf", "column memory_bandwidth_gb_s: "),
        (0, "tdp_w", "0", "column tdp_w: "),
        (0, "confidence", "sure", "column confidence: "),
        (0, "as_of", "November 2026", "column as_of: "),
        (0, "source_url", "", "column source_url: "),
        (0, "source_url", "techpowerup", "column source_url: "),
    ],
)
def test_a_broken_cell_is_named(write: Callable[..., Path], row: int, column: str, value: str, reason: str) -> None:
    rows = sorted(three_rows(), key=lambda r: ["rtx-4090", "apple-m4-16gb", "cpu-dual-ddr5-6000"].index(r["id"]))
    rows[row][column] = value
    with pytest.raises(DataError) as caught:
        load(write(rows))
    message = str(caught.value)
    assert message.startswith(f"machines.csv, row {row + 2}")
    assert reason in message
    assert message.endswith(".")
    assert len(message) < 300


def test_a_long_broken_cell_is_cut(write: Callable[..., Path]) -> None:
    rows = three_rows()
    rows[0]["tdp_w"] = "x" * 100_000
    with pytest.raises(DataError, match=r"column tdp_w: .{,200}$"):
        load(write(rows))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: "", "row 1, column id: the column is missing."),
        (lambda text: text.splitlines()[0], "holds no row."),
        (lambda text: text.replace("tdp_w", "tdp"), "row 1, column tdp_w: the column is missing."),
        (lambda text: text.replace("notes", "notes,extra", 1), "row 1, column extra: no such column is known."),
        (lambda text: text.replace("idle_w", "tdp_w", 1), "row 1, column tdp_w: the column is there twice."),
        (lambda text: text + "one,two\n", "row 5: it has 2 cells, but the header has"),
        (lambda text: text + '"never closed', "is not a CSV file in UTF-8"),
        (lambda text: text.replace("GeForce", "\udcff", 1), "is not a CSV file in UTF-8"),
    ],
)
def test_a_damaged_file_is_named(write: Callable[..., Path], damage: Callable[[str], str], reason: str) -> None:
    path = write(three_rows())
    text = path.read_text(encoding="utf-8")
    path.write_bytes(damage(text.replace("RTX 4090", "GeForce")).encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError) as caught:
        load(path)
    assert reason in str(caught.value)
    assert str(path.parent) not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^machines\.csv cannot be read: No such file or directory\.$"):
        load(tmp_path / "machines.csv")


def test_the_projects_own_file_is_named_by_its_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = CATALOGUE.with_name("no-such.csv")
    with pytest.raises(AdvisorError, match=r"^data/no-such\.csv cannot be read"):
        load(missing)


def test_byte_order_mark_and_empty_lines_do_no_harm(write: Callable[..., Path]) -> None:
    path = write(three_rows())
    path.write_text("\ufeff" + path.read_text(encoding="utf-8") + "\n\n", encoding="utf-8")
    assert len(load(path)) == 3


@pytest.mark.parametrize(
    ("rows", "share", "of"),
    [
        ([], 1.0, "capacity_as_sold"),
        ([("NVIDIA", "card", "GDDR6", 0.9)], 1.0, "capacity_as_sold"),  # one says nothing about others
        ([("NVIDIA", "card", "GDDR6", 0.9), ("NVIDIA", "card", "GDDR6", 0.8)], 0.8, "cards_of_type"),
        ([("NVIDIA", "card", "GDDR6", 0.9), ("NVIDIA", "card", "GDDR5", 0.8)], 0.8, "cards_of_kind"),
        ([("NVIDIA", "card", "GDDR6", 0.9), ("NVIDIA", "laptop", "GDDR6", 0.8)], 0.8, "cards_of_vendor"),
        ([("NVIDIA", "card", "GDDR6", 0.9), ("AMD", "card", "GDDR6", 0.8)], 0.8, "cards_of_any"),
        # The nearest two, not the lowest of all.
        ([("NVIDIA", "card", "GDDR6", 0.9)] * 2 + [("AMD", "card", "GDDR6", 0.5)] * 2, 0.9, "cards_of_type"),
        ([("NVIDIA", "card", "GDDR6", 1.2)] * 2, 1.0, "cards_of_type"),
    ],
)
def test_two_reports_of_the_nearest_cards_tell_what_another_may_use(
    rows: list[tuple[str, str, str, float]], share: float, of: str
) -> None:
    found = assumed_capacity(1000, "NVIDIA", "card", "GDDR6", [ReportedShare(*row) for row in rows])
    assert found.bytes == int(1000 * share)
    kinds_said = [found.basis.kind, *(value.kind for _, value in found.basis.figures if isinstance(value, Message))]
    assert of in kinds_said
