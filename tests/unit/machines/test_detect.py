"""Machine detection: recorded names are matched, real files are read, and this machine is what it is."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pynvml
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.__main__ import main
from advisor.foundation.units import GIB, MIB
from advisor.machines.catalogue import machine, machines
from advisor.machines.detect import detect, match_gpus, question_values
from advisor.machines.detect_match import match_apple, match_card, match_platform, match_unified
from advisor.machines.detect_nvidia import NO_DRIVER, cuda_version, read_nvidia
from advisor.machines.detect_records import Detected, DetectedCpu, DetectedGpu
from advisor.machines.detect_system import (
    amd_smi_names,
    container_limit_bytes,
    lspci_name,
    read_apple_gpu,
    read_pci_gpus,
    run_command,
)
from advisor.question.hardware import hardware_of
from advisor.question.question import Question
from advisor.report.detected import detected_document, detected_table
from advisor.sizing.runtime_id import RuntimeId
from advisor.words import say

# Names as nvidia-smi prints them, its total in MiB, the compute capability, and the row of the catalogue.
NVIDIA = [
    ("NVIDIA H100 80GB HBM3", 81559, "9.0", "h100-sxm5-80gb"),
    ("NVIDIA H100 PCIe", 81559, "9.0", "h100-pcie-80gb"),
    ("NVIDIA H100 NVL", 95830, "9.0", "h100-nvl-94gb"),
    ("NVIDIA H200", 143771, "9.0", "h200-sxm-141gb"),
    ("NVIDIA H200 NVL", 143771, "9.0", "h200-nvl-141gb"),
    ("NVIDIA H20", 97871, "9.0", "h20-sxm5-96gb"),
    ("NVIDIA GH200 480GB", 97871, "9.0", "gh200-96gb"),
    ("NVIDIA B200", 183359, "10.0", "b200-sxm-180gb"),
    ("NVIDIA GB200", 189471, "10.0", "gb200-nvl72-per-gpu"),
    ("NVIDIA B300 SXM6 AC", 275040, "10.3", "b300-sxm"),
    ("NVIDIA A100-SXM4-80GB", 81920, "8.0", "a100-sxm4-80gb"),
    ("NVIDIA A100-SXM4-40GB", 40960, "8.0", "a100-sxm4-40gb"),
    ("NVIDIA A100 80GB PCIe", 81920, "8.0", "a100-pcie-80gb"),
    ("NVIDIA A100-PCIE-40GB", 40960, "8.0", "a100-pcie-40gb"),
    ("Tesla V100-SXM2-32GB", 32768, "7.0", "tesla-v100-sxm2-32gb"),
    ("Tesla V100-PCIE-16GB", 16384, "7.0", "tesla-v100-pcie-16gb"),
    ("Tesla V100S-PCIE-32GB", 32768, "7.0", "tesla-v100s-pcie-32gb"),
    ("Tesla P100-PCIE-16GB", 16384, "6.0", "tesla-p100-pcie-16gb"),
    ("Tesla P40", 23040, "6.1", "tesla-p40"),
    ("Tesla T4", 15360, "7.5", "tesla-t4"),
    ("NVIDIA L4", 23034, "8.9", "nvidia-l4"),
    ("NVIDIA L40S", 46068, "8.9", "nvidia-l40s"),
    ("NVIDIA A10G", 23028, "8.6", "nvidia-a10g"),
    ("NVIDIA A10", 23028, "8.6", "nvidia-a10"),
    ("NVIDIA A16", 15356, "8.6", "nvidia-a16-per-gpu"),
    ("NVIDIA RTX A6000", 49140, "8.6", "rtx-a6000"),
    ("NVIDIA RTX A6000", 46068, "8.6", "rtx-a6000"),
    ("NVIDIA RTX 6000 Ada Generation", 49140, "8.9", "rtx-6000-ada"),
    ("NVIDIA RTX 4000 SFF Ada Generation", 20475, "8.9", "rtx-4000-ada-sff"),
    ("NVIDIA RTX 4000 Ada Generation", 20475, "8.9", "rtx-4000-ada"),
    ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", 97887, "12.0", "rtx-pro-6000-blackwell"),
    ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", 97887, "12.0", "rtx-pro-6000-blackwell-max-q"),
    ("NVIDIA RTX PRO 6000 Blackwell Server Edition", 97887, "12.0", "rtx-pro-6000-blackwell-server"),
    ("NVIDIA RTX PRO 5000 Blackwell", 48935, "12.0", "rtx-pro-5000-blackwell-48gb"),
    ("Quadro RTX 6000", 23040, "7.5", "quadro-rtx-6000"),
    ("NVIDIA TITAN RTX", 24576, "7.5", "titan-rtx"),
    ("NVIDIA GeForce RTX 4090", 24564, "8.9", "rtx-4090"),
    ("NVIDIA GeForce RTX 4090", 49140, "8.9", "rtx-4090-48gb-mod"),
    ("NVIDIA GeForce RTX 4090 D", 24564, "8.9", "rtx-4090-d"),
    ("NVIDIA GeForce RTX 4090 Laptop GPU", 16376, "8.9", "rtx-4090-laptop"),
    ("NVIDIA GeForce RTX 3080 Ti Laptop GPU", 16384, "8.6", "rtx-3080-ti-laptop"),
    ("NVIDIA RTX 5000 Ada Generation Laptop GPU", 16376, "8.9", "rtx-5000-ada-laptop"),
    ("NVIDIA GeForce RTX 5090", 32607, "12.0", "rtx-5090"),
    ("NVIDIA GeForce RTX 5060 Ti", 16311, "12.0", "rtx-5060-ti-16gb"),
    ("NVIDIA GeForce RTX 4070 Ti SUPER", 16376, "8.9", "rtx-4070-ti-super"),
    ("NVIDIA GeForce RTX 3060", 12288, "8.6", "rtx-3060-12gb"),
    ("GeForce RTX 2080 Ti", 11264, "7.5", "rtx-2080-ti"),
    ("NVIDIA GeForce RTX 2080 Ti", 22528, "7.5", "rtx-2080-ti-22gb-mod"),
    ("NVIDIA GeForce GTX 1060 6GB", 6144, "6.1", "gtx-1060-6gb"),
    # Not in the catalogue, or not all of the card.
    ("NVIDIA A800-SXM4-80GB", 81920, "8.0", None),
    ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", 4864, "8.0", None),
    ("NVIDIA GeForce RTX 4090", 24564, "12.0", None),
    ("GRID T4-8Q", 8192, "7.5", None),
    ("NVIDIA Graphics Device", 24576, "8.9", None),
    ("", 24576, None, None),
]
# Names in libdrm's list or from AMD's tools, bytes of mem_info_vram_total in MiB, and the row.
AMD = [
    ("AMD Radeon RX 7900 XTX", 24560, "gfx1100", "rx-7900-xtx"),
    ("AMD Radeon RX 7900 XT", 20464, "gfx1100", "rx-7900-xt"),
    ("AMD Radeon RX 9070 XT", 16304, None, "rx-9070-xt"),
    ("AMD Radeon RX 6800 XT", 16368, None, "rx-6800-xt"),
    ("AMD Radeon VII", 16368, None, "radeon-vii"),
    ("AMD Instinct MI300X", 196592, "gfx942", "mi300x"),
    ("AMD Instinct MI300X OAM", 196592, "gfx942", "mi300x"),
    ("AMD Instinct MI210", 65520, None, "mi210"),
    ("AMD Instinct MI250X / MI250", 65520, "gfx90a", "mi250"),
    ("AMD Instinct MI60 / MI50", 32752, None, "mi50-32gb"),
    ("AMD Radeon RX 7900M", 16368, None, "rx-7900m"),
    ("AMD Radeon Graphics", 16384, None, None),
]
UNIFIED = [
    ("NVIDIA GB10", 122570, "dgx-spark-128gb"),
    ("NVIDIA Jetson AGX Orin Developer Kit", 62800, "jetson-agx-orin-64gb"),
    ("NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super", 7620, "jetson-orin-nano-super-8gb"),
    ("AMD RYZEN AI MAX+ 395 w/ Radeon 8060S", 128000, "ryzen-ai-max-395-128gb"),
    ("AMD RYZEN AI MAX+ PRO 395 w/ Radeon 8060S", 64000, "ryzen-ai-max-395-64gb"),
    ("AMD Ryzen AI 9 HX 370 w/ Radeon 890M", 63000, "ryzen-ai-9-hx-370-64gb"),
    ("Intel(R) Core(TM) Ultra 7 258V", 31800, "core-ultra-258v-32gb"),
    ("AMD RYZEN AI MAX+ 395 w/ Radeon 8060S", 96000, None),
    ("AMD Ryzen 9 9950X 16-Core Processor", 128000, None),
]
APPLE = [
    ("Apple M3 Max", 40, 64, "apple-m3-max-40c-64gb"),
    ("Apple M3 Max", 30, 36, "apple-m3-max-30c-36gb"),
    ("Apple M3 Max", 30, 96, "apple-m3-max-30c-96gb"),
    ("Apple M4 Max", None, 128, "apple-m4-max-40c-128gb"),
    ("Apple M2 Ultra", 60, 192, "apple-m2-ultra-192gb"),
    ("Apple M1", 7, 8, "apple-m1-8gb"),
    ("Apple M4 Pro", 16, 24, "apple-m4-pro-24gb"),
    ("Apple M3 Max", 40, 8, None),
    ("Apple M9 Max", 40, 64, None),
]
CPUS = [
    ("AMD EPYC 9654 96-Core Processor", "epyc-genoa-12ch-ddr5-4800"),
    ("AMD EPYC 9R14", "epyc-genoa-12ch-ddr5-4800"),
    ("AMD EPYC 9755 128-Core Processor", "epyc-turin-12ch-ddr5-6000"),
    ("AMD EPYC 7763 64-Core Processor", "epyc-rome-milan-octa-ddr4-3200"),
    ("AMD EPYC 7R13 Processor", "epyc-rome-milan-octa-ddr4-3200"),
    ("AMD EPYC 7551 32-Core Processor", None),
    ("AMD Ryzen Threadripper PRO 7995WX 96-Cores", "threadripper-pro-7000wx-octa-ddr5-5200"),
    ("Intel(R) Xeon(R) Platinum 8480+", "xeon-spr-octa-ddr5-4800"),
    ("Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz", "xeon-icelake-octa-ddr4-3200"),
    ("Intel(R) Xeon(R) CPU E5-2690 v4 @ 2.60GHz", "xeon-broadwell-quad-ddr4-2400"),
    ("13th Gen Intel(R) Core(TM) i9-13900K", None),
    ("AMD EPYC", None),
]
CPU = DetectedCpu("AMD EPYC 9654 96-Core Processor", 96, 192, "epyc-genoa-12ch-ddr5-4800")


def found(*gpus: DetectedGpu, board: str = "", cpu: DetectedCpu = CPU, ram_gib: float = 256) -> Detected:
    ram = int(ram_gib * GIB)
    return Detected(match_gpus(gpus, cpu.model, board, ram), cpu, ram, ram // 2, "Linux 6.8", ())


def card(name: str, mib: int, capability: str | None = None, mig: bool = False) -> DetectedGpu:
    return DetectedGpu(vendor="NVIDIA", name=name, memory_total_bytes=mib * MIB, compute_capability=capability, mig=mig)


@pytest.mark.parametrize(("name", "mib", "capability", "expected"), [*NVIDIA, *AMD])
def test_recorded_names_of_cards(name: str, mib: int, capability: str | None, expected: str | None) -> None:
    matched = match_card(name, mib * MIB, capability)
    assert (matched.id if matched else None) == expected


@pytest.mark.parametrize(("name", "mib", "expected"), UNIFIED)
def test_recorded_names_of_unified_machines(name: str, mib: int, expected: str | None) -> None:
    matched = match_unified((name,), mib * MIB)
    assert (matched.id if matched else None) == expected


@pytest.mark.parametrize(("chip", "cores", "gib", "expected"), APPLE)
def test_recorded_names_of_macs(chip: str, cores: int | None, gib: int, expected: str | None) -> None:
    matched, _ = match_apple(chip, cores, gib * GIB)
    assert (matched.id if matched else None) == expected


@pytest.mark.parametrize(("cpu", "expected"), CPUS)
def test_recorded_names_of_cpus(cpu: str, expected: str | None) -> None:
    assert match_platform(cpu) == expected


def test_every_platform_of_a_cpu_exists() -> None:
    for cpu, _ in CPUS:
        platform = match_platform(cpu)
        assert platform is None or machine(platform).needs_memory


def test_every_card_of_the_catalogue_is_found_by_its_own_name_and_memory() -> None:
    for option in machines().values():
        if not option.unified:
            matched = match_card(option.name.removesuffix(" Laptop"), option.capacity_bytes, option.compute_capability)
            assert matched is not None, option.id
            # Two rows may be one card to a driver, never with less memory than it has.
            assert abs(matched.capacity_bytes / option.capacity_bytes - 1) < 0.08, (option.id, matched.id)


@given(st.text(max_size=80), st.integers(0, 1 << 45))
def test_any_name_is_matched_or_not_but_never_to_other_memory(name: str, size: int) -> None:
    matched = match_card(name, size)
    assert matched is None or 0.9 < size / matched.memory_bytes < 1.03
    match_unified((name,), size)
    match_apple(name, None, size)
    match_platform(name)


def test_two_equal_cards_in_one_host() -> None:
    values = question_values(found(*[card("NVIDIA GeForce RTX 3090", 24576, "8.6")] * 2, ram_gib=62.75))
    assert values == {"machine": "rtx-3090", "gpus": 2, "host_memory_gib": 62.75}


def test_different_cards_are_two_groups_with_the_most_memory_first() -> None:
    small = card("NVIDIA GeForce RTX 3060", 12288, "8.6")
    large = card("NVIDIA GeForce RTX 4090", 24564, "8.9")
    values = question_values(found(small, large, small))
    assert (values["machine"], values["gpus"]) == ("rtx-3060-12gb", 2)
    assert (values["other_machine"], values["other_gpus"]) == ("rtx-4090", 1)


def test_an_unlisted_card_becomes_a_custom_machine_with_its_own_memory() -> None:
    values = question_values(found(card("NVIDIA A800-SXM4-80GB", 81920, "8.0"), ram_gib=100))
    assert values == {"machine": "custom", "gpus": 1, "memory_gib": 80.0, "host_memory_gib": 100}


def test_memory_that_is_missing_from_a_card_is_not_promised() -> None:
    assert "overhead_mib" not in question_values(found(card("NVIDIA RTX A6000", 49140, "8.6")))
    with_ecc = question_values(found(card("NVIDIA RTX A6000", 46068, "8.6")))
    assert with_ecc["machine"] == "rtx-a6000"
    expected = machine("rtx-a6000").overhead_bytes / MIB + 49140 - 46068
    assert expected <= with_ecc["overhead_mib"] < expected + 1
    mac = read_apple_gpu("Apple M3 Max", 64 * GIB, "20480", None)
    assert question_values(found(mac, ram_gib=64))["overhead_mib"] > 20_000


def test_what_other_programs_hold_of_a_card_is_counted_beyond_the_usual() -> None:
    idle = replace(card("NVIDIA GeForce RTX 3090", 24576, "8.6"), memory_free_bytes=24_000 * MIB)
    busy = replace(idle, memory_free_bytes=16_000 * MIB)
    assert "used_mib" not in question_values(found(idle, idle))
    used = question_values(found(busy, idle))["used_mib"]
    first, second = map(int, used.split(","))
    assert second == 0
    assert first == 24576 - 16_000 - machine("rtx-3090").overhead_bytes // 2 // MIB
    assert Question.from_values(question_values(found(busy, idle))).others.used_mib == (first, 0)


def test_one_part_of_a_partitioned_card_is_planned_with() -> None:
    parts = [card("NVIDIA A100-SXM4-40GB MIG 1g.5gb", 4864, mig=True), card("NVIDIA A100 MIG 3g.20gb", 19968, mig=True)]
    values = question_values(found(*parts))
    assert (values["machine"], values["gpus"], values["memory_gib"]) == ("custom", 1, 19.5)
    assert "other_machine" not in values


def test_two_devices_of_a_double_card_are_one_card() -> None:
    half = DetectedGpu(vendor="AMD", name="AMD Instinct MI250X / MI250", memory_total_bytes=65520 * MIB)
    assert question_values(found(half, half))["gpus"] == 1
    assert question_values(found(half, half, half))["gpus"] == 2


def test_a_gpu_in_the_hosts_memory_has_no_host_memory_beside_it() -> None:
    spark = DetectedGpu(vendor="NVIDIA", name="NVIDIA GB10", compute_capability="12.1", unified=True)
    detected = found(spark, cpu=DetectedCpu("Cortex-X925", 20, 20, "cpu-dual-ddr4-3200"), ram_gib=119.7)
    assert question_values(detected) == {"machine": "dgx-spark-128gb"}
    assert detected.gpus[0].memory_total_bytes == detected.ram_total_bytes


def test_strix_halo_counts_what_firmware_set_aside() -> None:
    halo = DetectedCpu("AMD RYZEN AI MAX+ 395 w/ Radeon 8060S", 16, 32, "cpu-dual-ddr4-3200")
    for carved_mib in (512, 98304):
        gpu = DetectedGpu(vendor="AMD", name="AMD Radeon 8060S Graphics", memory_total_bytes=carved_mib * MIB)
        detected = found(gpu, cpu=halo, ram_gib=125.5 - carved_mib / 1024)
        assert question_values(detected) == {"machine": "ryzen-ai-max-395-128gb"}


def test_a_card_beside_a_strix_halo_stays_a_card() -> None:
    halo = DetectedCpu("AMD RYZEN AI MAX+ 395 w/ Radeon 8060S", 16, 32, "cpu-dual-ddr4-3200")
    other = DetectedGpu(vendor="AMD", name="AMD Radeon RX 9999", memory_total_bytes=40 * GIB)
    assert question_values(found(other, cpu=halo, ram_gib=88))["machine"] == "custom"


def test_graphics_inside_a_desktop_processor_is_no_gpu() -> None:
    desktop = DetectedCpu("AMD Ryzen 9 9950X 16-Core Processor", 16, 32, "cpu-dual-ddr4-3200")
    gpu = DetectedGpu(vendor="AMD", name="AMD Radeon Graphics", memory_total_bytes=512 * MIB, integrated=True)
    assert question_values(found(gpu, cpu=desktop, ram_gib=61.75)) == {
        "machine": "cpu-dual-ddr4-3200",
        "memory_gib": 61.75,
    }


def test_macs_from_recorded_output() -> None:
    displays = '{"SPDisplaysDataType": [{"_name": "Apple M3 Max", "sppci_cores": "40", "sppci_model": "Apple M3 Max"}]}'
    gpu = read_apple_gpu("Apple M3 Max\n", 64 * GIB, "57344\n", displays)
    assert (gpu.gpu_cores, gpu.gpu_limit_bytes) == (40, 56 * GIB)
    assert question_values(found(gpu, ram_gib=64)) == {"machine": "apple-m3-max-40c-64gb"}
    unlisted = read_apple_gpu("Apple M9", 16 * GIB, "0", None)
    assert unlisted.gpu_limit_bytes is None
    values = question_values(found(unlisted, ram_gib=16))
    assert values["machine"] == "custom"
    assert values["memory_gib"] < 0.67 * 16


def test_what_is_found_can_be_planned_with() -> None:
    for detected in (
        detect(),
        found(card("NVIDIA GeForce RTX 4090", 24564)),
        found(card("unknown", 9000)),
        found(DetectedGpu(vendor="NVIDIA", name="NVIDIA GB10", unified=True), ram_gib=119.7),
    ):
        question = Question.from_values({"model": "llama-3.1-8b-instruct", **question_values(detected)})
        assert (
            hardware_of(question.machine, question.runtime.backend, RuntimeId.LLAMA_CPP, question.others).machine.id
            == question.machine.name
        )


def write_tree(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_linux_devices_are_read_from_their_files(tmp_path: Path) -> None:
    pci = "sys/bus/pci/devices"
    write_tree(
        tmp_path,
        {
            f"{pci}/0000:03:00.0/class": "0x030000\n",
            f"{pci}/0000:03:00.0/vendor": "0x1002\n",
            f"{pci}/0000:03:00.0/device": "0x744c\n",
            f"{pci}/0000:03:00.0/revision": "0xc8\n",
            f"{pci}/0000:03:00.0/mem_info_vram_total": f"{24560 * MIB}\n",
            f"{pci}/0000:03:00.0/mem_info_vram_used": f"{560 * MIB}\n",
            f"{pci}/0000:0f:00.0/class": "0x030000\n",
            f"{pci}/0000:0f:00.0/vendor": "0x1002\n",
            f"{pci}/0000:0f:00.0/device": "0x164e\n",
            f"{pci}/0000:0f:00.0/mem_info_vram_total": f"{512 * MIB}\n",
            f"{pci}/0000:05:00.0/class": "0x120000\n",
            f"{pci}/0000:05:00.0/vendor": "0x1002\n",
            f"{pci}/0000:05:00.0/device": "0xffff\n",
            f"{pci}/0000:05:00.0/mem_info_vram_total": f"{196592 * MIB}\n",
            f"{pci}/0000:07:00.0/class": "0x030000\n",
            f"{pci}/0000:07:00.0/vendor": "0x8086\n",
            f"{pci}/0000:07:00.0/device": "0xe20b\n",
            f"{pci}/0000:07:00.0/resource": "0x00000000f0000000 0x00000000f0ffffff 0x0000000000140204\n"
            "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
            "0x0000006000000000 0x00000062ffffffff 0x000000000014220c\n",
            f"{pci}/0000:01:00.0/class": "0x030000\n",
            f"{pci}/0000:01:00.0/vendor": "0x10de\n",
            f"{pci}/0000:02:00.0/class": "0x010802\n",
            f"{pci}/0000:02:00.0/vendor": "0x1002\n",
            "usr/share/libdrm/amdgpu.ids": "# device, revision, name\n1.0.0\n744C,\tC8,\tAMD Radeon RX 7900 XTX\n",
            "sys/class/kfd/kfd/topology/nodes/1/properties": "gfx_target_version 110000\nlocation_id 768\ndomain 0\n",
            "sys/module/amdgpu/version": "6.12.12\n",
        },
    )
    gpus, nvidia = read_pci_gpus(tmp_path, {"0000:05:00.0": "AMD Instinct MI300X"})
    assert nvidia
    radeon, instinct, intel, inside = gpus
    assert radeon.name == "AMD Radeon RX 7900 XTX"
    assert radeon.compute_capability == "gfx1100"
    assert radeon.memory_free_bytes == 24000 * MIB
    assert instinct.name == "AMD Instinct MI300X"
    assert intel.memory_total_bytes == 12 * GIB
    assert inside.integrated
    assert [gpu.machine for gpu in match_gpus(gpus, CPU.model, "", 64 * GIB)] == ["rx-7900-xtx", "mi300x", None, None]
    assert question_values(found(*gpus))["machine"] == "mi300x"


def test_an_empty_or_broken_tree_has_no_devices(tmp_path: Path) -> None:
    assert read_pci_gpus(tmp_path) == ((), False)
    device = "sys/bus/pci/devices/0000:03:00.0"
    write_tree(
        tmp_path,
        {f"{device}/class": "0x03", f"{device}/vendor": "0x1002", f"{device}/mem_info_vram_total": "much"},
    )
    (gpu,), _ = read_pci_gpus(tmp_path)
    assert gpu.memory_total_bytes is None
    assert question_values(found(gpu))["machine"] == CPU.machine


def test_names_from_amds_tools() -> None:
    amd = '[{"gpu": 0, "asic": {"market_name": "AMD Instinct MI300X"}, "bus": {"bdf": "0000:05:00.0"}}]'
    newer = '{"gpu_data": ' + amd + "}"
    assert amd_smi_names(amd, None) == amd_smi_names(newer, None) == {"0000:05:00.0": "AMD Instinct MI300X"}
    rocm = '{"card0": {"Card Series": "Navi 21 [Radeon RX 6800/6800 XT / 6900 XT]", "PCI Bus": "0000:C4:00.0"}}'
    names = amd_smi_names(None, rocm)
    assert names == {"0000:c4:00.0": "Radeon RX 6800/6800 XT / 6900 XT"}
    matched = match_card(names["0000:c4:00.0"], 16368 * MIB)
    assert matched is not None
    assert matched.id.startswith("rx-6")
    for broken in (None, "", "{", "[]", "[1]", "null", "7", '{"card0": 1}', "[" * 100_000):
        assert amd_smi_names(broken, broken) == {}


def test_names_from_lspci() -> None:
    line = '03:00.0 "VGA compatible controller" "Intel Corporation" "Battlemage G21 [Arc B580]" -r00 "ASRock" "Device"'
    assert lspci_name(line) == "Intel Arc B580"
    assert lspci_name(None) is None
    assert lspci_name("nonsense") is None
    matched = match_card("Intel Arc B580", None)
    assert matched is not None
    assert matched.id == "arc-b580"
    assert match_card("Intel Arc A770", None) is None


def test_cuda_versions() -> None:
    assert cuda_version(12080) == "12.8"
    assert cuda_version(13000) == "13.0"
    assert cuda_version(None) is None


def test_a_containers_limit(tmp_path: Path) -> None:
    assert container_limit_bytes(tmp_path) is None
    write_tree(tmp_path, {"sys/fs/cgroup/memory.max": "max\n"})
    assert container_limit_bytes(tmp_path) is None
    write_tree(tmp_path, {"sys/fs/cgroup/memory.max": f"{8 * GIB}\n"})
    assert container_limit_bytes(tmp_path) == 8 * GIB


@pytest.mark.skipif(os.name == "nt", reason="sleep is no program there")
def test_programs_that_fail_or_are_missing_say_nothing() -> None:
    assert run_command("there-is-no-such-program") is None
    assert run_command("false") is None
    assert run_command("echo", "; echo") == "; echo\n"


def has_nvidia_driver() -> bool:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return False
    pynvml.nvmlShutdown()
    return True


@pytest.mark.skipif(has_nvidia_driver(), reason="there is an NVIDIA driver here")
def test_without_nvidias_driver_its_library_says_so() -> None:
    gpus, notes = read_nvidia()
    assert gpus == ()
    assert len(notes) == 1
    assert notes[0] == NO_DRIVER or "does not answer" in say(notes[0])


@pytest.mark.skipif(not has_nvidia_driver(), reason="there is no NVIDIA driver here")
def test_with_nvidias_driver_every_gpu_is_read() -> None:
    gpus, notes = read_nvidia()
    assert gpus or notes
    for gpu in gpus:
        assert gpu.name
        assert gpu.unified or (gpu.memory_total_bytes or 0) > GIB
        assert gpu.driver_version


def test_this_machine() -> None:
    detected = detect()
    assert 0 < detected.ram_total_bytes <= psutil.virtual_memory().total
    assert 0 <= detected.ram_free_bytes <= detected.ram_total_bytes
    assert detected.cpu.logical_cores == os.cpu_count()
    assert machine(detected.cpu.machine).needs_memory
    if sys.platform == "linux" and "model name" in Path("/proc/cpuinfo").read_text():
        assert detected.cpu.model in Path("/proc/cpuinfo").read_text()


@pytest.mark.skipif(has_nvidia_driver(), reason="there is an NVIDIA driver here")
def test_the_command_says_calmly_that_there_is_no_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("detect", "--format", "json")) == 0
    document = json.loads(capsys.readouterr().out)
    if document["gpus"]:
        pytest.skip("there is a GPU here")
    assert any("No GPU" in note for note in document["notes"])
    assert set(document["scenario"]) - {"ram_type", "ram_channels", "ram_sockets"} == {"machine", "memory_gib"}
    assert main(("detect",)) == 0
    output = capsys.readouterr()
    assert "No GPU" in output.out
    assert "machine=" in output.out
    assert not output.err


def test_document_and_table_show_every_device() -> None:
    detected = found(card("NVIDIA GeForce RTX 4090", 24564, "8.9"), card("odd\nname", 9000))
    document = detected_document(detected)
    assert {"os", "cpu", "ram_total_bytes", "ram_free_bytes", "ram", "gpus", "scenario", "notes"} == set(document)
    assert document["gpus"][0]["machine"] == "rtx-4090"
    json.dumps(document)
    table = detected_table(detected)
    assert "GeForce RTX 4090; 24.0 GiB" in table
    assert "odd name" in table
