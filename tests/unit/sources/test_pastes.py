"""Pasted output is read right, whatever a terminal, a chat or a cut made of it.

The samples are written for these tests in the tools' layouts. A folder of real ones, with an `index.csv` of what each
must become, is tried where the environment variable `PASTES` names it.
"""

from __future__ import annotations

import csv
import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.__main__ import main
from advisor.answer.beside_measured import beside, evidence_rows
from advisor.foundation.errors import InputError
from advisor.question.question import Question
from advisor.report.paste_output import evidence_csv, paste_document, paste_table
from advisor.sources.pastes import llama_bench
from advisor.sources.pastes.described_machine import pasted_machine
from advisor.sources.pastes.measured import level_of, pasted_runs
from advisor.sources.pastes.read import read_paste
from advisor.sources.pastes.text import LONGEST

FOLDER = os.environ.get("PASTES", "")

SMI = """\
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 570.10.01              Driver Version: 570.10.01      CUDA Version: 12.8     |
|=========================================+========================+======================|
|   0  NVIDIA GeForce RTX 4090        On  |   00000000:01:00.0  On |                  Off |
|  0%   40C    P8             20W /  450W |    5310MiB /  24564MiB |      3%      Default |
|                                         |                        |                  N/A |
+-----------------------------------------+------------------------+----------------------+
|   1  NVIDIA GeForce RTX 4090        Off |   00000000:02:00.0 Off |                  Off |
|  0%   38C    P8             18W /  450W |      12MiB /  24564MiB |      0%      Default |
|                                         |                        |                  N/A |
+-----------------------------------------+------------------------+----------------------+
"""
CUT_NAME = SMI.replace("GeForce RTX 4090        On ", "GeForce RTX 4060 ...  WDDM ").replace("24564MiB", " 8188MiB")
MIG = """\
|   0  NVIDIA H100 80GB HBM3          On  |   00000000:3B:00.0 Off |                   On |
| N/A   30C    P0             90W /  700W |     120MiB /  81559MiB |     N/A      Default |
| MIG devices:                                                                            |
|  0    1   0   0  |              40MiB / 40448MiB    | 60      0 |  3   0    3    0    3 |
|  0    2   0   1  |              20MiB / 20096MiB    | 32      0 |  2   0    2    0    2 |
"""
SMI_LIST = "name, memory.total [MiB], memory.free [MiB]\nNVIDIA L4, 23034 MiB, 22000 MiB\n"
ROCM = """\
Device  Node  IDs              Temp    Power  Partitions          SCLK  MCLK  Fan  Perf  PwrCap  VRAM%  GPU%
              (DID,     GUID)  (Edge)  (Avg)  (Mem, Compute, ID)
=============================================================================================================
0       [0x744c : 0xc8]        40.0°C  20.0W  N/A, N/A            0Mhz  96Mhz 0%   auto  303.0W  4%     0%
        AMD Radeon RX 7900 XTX
========================================== End of ROCm SMI Log ==============================================
"""
AMD = """\
| AMD-SMI 26.0.0    amdgpu version: 6.14.0    ROCm version: 7.0.0              |
| 0000:03:00.0 AMD Instinct MI300X    | 0 %      35 °C   0           140/750 W |
|   0       0       0        SPX/NPS1 | 0 %        N/A           300/196592 MB |
"""
XPU = """\
| 0         | Device Type: GPU                                                       |
|           | Device Name: Intel(R) Arc(TM) A770 Graphics                            |
|           | Memory Physical Size: 15950.00 MiB                                     |
"""
LSPCI = """\
00:02.0 VGA compatible controller: Intel Corporation Raptor Lake-S GT1 [UHD Graphics 770] (rev 04)
01:00.0 VGA compatible controller: NVIDIA Corporation GA102 [GeForce RTX 3090] (rev a1)
02:00.0 3D controller: NVIDIA Corporation Device 2b85 (rev a1)
03:00.0 VGA compatible controller: Matrox Electronics Systems Ltd. G200eR2 (rev 01)
"""
MAC = "Hardware Overview:\n\n  Model Name: Mac Studio\n  Chip: Apple M2 Ultra\n  Memory: 192 GB\n"
LSCPU = "Model name:  AMD EPYC 9654 96-Core Processor\nCPU(s): 192\nCore(s) per socket:  96\nSocket(s):  1\n"
FREE = """\
               total        used        free      shared  buff/cache   available
Mem:       131690112    40000000    20000000      100000    70000000    90000000
Swap:              0           0           0
"""
DXDIAG = """\
  Operating System: Windows 11 Pro 64-bit
         Processor: AMD Ryzen 7 5800X 8-Core Processor (16 CPUs), ~3.8GHz
            Memory: 32768MB RAM
         Card name: NVIDIA GeForce RTX 3080
  Dedicated Memory: 10053 MB
     Shared Memory: 16336 MB
"""
BENCH = """\
| model                          |       size |     params | backend    | ngl |            test |                  t/s |
| ------------------------------ | ---------: | ---------: | ---------- | --: | --------------: | -------------------: |
| qwen3 8B Q4_K - Medium         |   4.68 GiB |     8.19 B | CUDA       |  99 |           pp512 |      5000.00 ± 10.00 |
| qwen3 8B Q4_K - Medium         |   4.68 GiB |     8.19 B | CUDA       |  99 |   tg128 @ d4096 |        110.00 ± 0.50 |

build: abcdef012 (7000)
"""
ROW = {
    "build_commit": "abcdef012", "build_number": 7000, "gpu_info": "NVIDIA GeForce RTX 4090", "backends": "CUDA",
    "model_filename": "/models/Qwen3-8B-Q4_K_M.gguf", "model_type": "qwen3 8B Q4_K - Medium", "model_size": 5027783488,
    "n_gpu_layers": 99, "n_prompt": 0, "n_gen": 128, "n_depth": 0, "test_time": "2026-09-01T10:00:00Z", "avg_ts": 120.5,
}  # fmt: skip
LOG = """\
print_info: file type   = Q4_K - Medium
print_info: file size   = 4.68 GiB (4.91 BPW)
print_info: general.name          = Qwen3 8B
load_tensors: offloaded 37/37 layers to GPU
load_tensors:   CPU_Mapped model buffer size =   333.84 MiB
load_tensors:        CUDA0 model buffer size =  4455.34 MiB
llama_context: n_ctx         = 8192
llama_kv_cache:      CUDA0 KV buffer size =  1152.00 MiB
llama_kv_cache: size = 1152.00 MiB (  8192 cells,  36 layers,  1/1 seqs), K (f16):  576.00 MiB, V (f16):  576.00 MiB
sched_reserve:      CUDA0 compute buffer size =   304.75 MiB
"""
OLLAMA = (
    'time=2025-05-01T00:00:00Z level=INFO source=memory.go:1 msg="offload to cuda" layers.model=33 layers.offload=20 '
    'memory.available="[7.1 GiB]" memory.required.full="9.0 GiB" memory.required.partial="6.9 GiB" '
    'memory.required.kv="512.0 MiB" memory.weights.total="7.5 GiB"\n'
)
VLLM = """\
INFO 09-01 10:00:00 [gpu_model_runner.py:1] Model loading took 15.27 GiB memory and 3.1 seconds
INFO 09-01 10:00:09 [gpu_worker.py:1] Available KV cache memory: 4.50 GiB
INFO 09-01 10:00:09 [kv_cache_utils.py:1] GPU KV cache size: 32,768 tokens
INFO 09-01 10:00:09 [kv_cache_utils.py:2] Maximum concurrency for 8,192 tokens per request: 4.00x
"""
SERVING = """\
============ Serving Benchmark Result ============
Successful requests:                     100
Maximum request concurrency:             8
Total input tokens:                      102400
Total generated tokens:                  12800
Output token throughput (tok/s):         400.00
Total Token throughput (tok/s):          3600.00
Mean TPOT (ms):                          18.00
Median TPOT (ms):                        17.50
"""
ALL = (SMI, CUT_NAME, MIG, SMI_LIST, ROCM, AMD, XPU, LSPCI, MAC, LSCPU, FREE, DXDIAG, BENCH, LOG, OLLAMA, VLLM, SERVING)


def values(text: str) -> dict[str, Any]:
    """What a paste becomes; the keys are those of a question."""
    found = pasted_machine(read_paste(text))
    assert found is not None
    Question.from_values(found.values)
    return found.values


def told(text: str) -> dict[str, Any]:
    (reading,) = read_paste(text)
    return reading.values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SMI, {"machine": "rtx-4090", "gpus": 2, "used_mib": "4542,0"}),
        (SMI_LIST, {"machine": "nvidia-l4", "gpus": 1, "used_mib": "522"}),
        (CUT_NAME.split("|   1")[0], {"machine": "rtx-4060-laptop", "gpus": 1, "used_mib": "4926"}),
        (MIG, {"machine": "custom", "gpus": 1, "memory_gib": 39.5}),
        (ROCM, {"machine": "rx-7900-xtx", "gpus": 1, "used_mib": "471"}),
        (AMD, {"machine": "mi300x", "gpus": 1}),
        (XPU, {"machine": "arc-a770-16gb", "gpus": 1}),
        (LSPCI.replace("GA102 [GeForce RTX 3090]", "Device 2b85"), {"machine": "rtx-5090", "gpus": 2}),
        (MAC, {"machine": "apple-m2-ultra-192gb"}),
        (LSCPU, {"machine": "epyc-genoa-12ch-ddr5-4800"}),
        (FREE, {"host_memory_gib": 125.59, "host_used_mib": 38666}),
        (DXDIAG, {"machine": "rtx-3080-10gb", "gpus": 1, "host_memory_gib": 32}),
    ],
    ids=["smi", "list", "cut", "mig", "rocm", "amd", "xpu", "lspci", "mac", "lscpu", "free", "dxdiag"],
)
def test_output_becomes_a_machine(text: str, expected: dict[str, Any]) -> None:
    found = values(text)
    assert {key: found.get(key) for key in expected} == expected


def test_several_outputs_are_one_machine() -> None:
    found = values(SMI + FREE + LSCPU)
    assert found["machine"] == "rtx-4090"
    assert found["host_memory_gib"] == pytest.approx(125.59)
    assert found["host_used_mib"] == 38666


def test_a_list_of_devices_leaves_out_what_no_runtime_uses() -> None:
    listed = told(LSPCI)
    assert listed["ignored"] == ["G200eR2"]
    assert [gpu["name"] for gpu in listed["gpus"]] == ["UHD Graphics 770", "GeForce RTX 3090", None]
    machine = pasted_machine(read_paste(LSPCI))
    assert machine is not None
    assert {gpu.name for gpu in machine.detected.gpus if gpu.integrated} == {"UHD Graphics 770"}


@pytest.mark.parametrize(
    "worn",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text.replace(" |", "\u00a0|"),
        lambda text: "\x1b[1;32m" + text.replace("\n", "\x1b[0m\n\x1b[36m") + "\x1b[K",
        lambda text: "user@host:~$ nvidia-smi\n" + text + "user@host:~$ ",
        lambda text: text[: text.index("8564MiB") if "8564MiB" in text else -90],
    ],
)
def test_terminals_leave_traces(worn: Any) -> None:
    assert values(worn(SMI))["machine"] == "rtx-4090"


def test_bench_in_every_format_is_the_same_measurement() -> None:
    row = ROW | {"n_prompt": 512, "n_gen": 0, "avg_ts": 5000.0}
    texts = (
        json.dumps([ROW, row], indent=1),
        f"{json.dumps(ROW)}\n{json.dumps(row)}",
        json.dumps([ROW, row], indent=1).rstrip("]"),
        ",".join(ROW) + "\n" + "\n".join(",".join(f'"{value}"' for value in one.values()) for one in (ROW, row)),
    )
    for text in texts:
        (run,) = pasted_runs(read_paste(text))
        assert [(rate.kind, rate.test, rate.tokens_per_s) for rate in run.rates] == [
            ("decode", "tg128", 120.5), ("prefill", "pp512", 5000.0),
        ]  # fmt: skip
        assert (run.model_id, run.level, run.backend, run.machine) == ("qwen3-8b", "Q4_K_M", "cuda", None)
        assert (run.date, run.file_gib) == ("2026-09-01", 4.68)


def test_the_size_of_a_model_is_gib_whatever_it_is_printed_in() -> None:
    for size, gib in (("4.68 GiB", 4.68), ("512.00 MiB", 0.5), ("1.50GiB", 1.5)):
        (run,) = pasted_runs(read_paste(BENCH.replace("4.68 GiB", size)))
        assert run.file_gib == gib


def test_so_many_rows_of_a_table_are_read_and_no_more() -> None:
    columns = {**ROW, "n_prompt": 1}
    most = llama_bench._MOST_ROWS
    for rows in (most, most + 3):
        text = "\n".join(",".join(f'"{value}"' for value in row) for row in (columns, *[columns.values()] * rows))
        assert len(llama_bench._columns(text.splitlines())) == most


def test_words_for_levels() -> None:
    assert level_of("Q4_K - Medium") == "Q4_K_M"
    assert level_of("Q3_K - Large") == "Q3_K_L"
    assert level_of("Q8_0") == "Q8_0"
    assert level_of("MXFP4 MoE") == "MXFP4_MOE"
    assert level_of("all F32") == "F32"
    assert level_of("Q9_9") is None
    assert level_of(None) is None


ASKED = {"model": "qwen3-8b", "machine": "rtx-4090"}


def test_a_measurement_stands_beside_what_the_question_says() -> None:
    (run,) = pasted_runs(read_paste(BENCH))
    rows = beside(run, ASKED)
    assert [row.what for row in rows] == ["pp512", "tg128@d4096"]
    for row in rows:
        assert row.query is not None
        assert row.predicted is not None
        asked = Question.from_query(row.query)
        assert asked.model.level == "Q4_K_M"
        assert row.inside is (row.predicted.low <= row.measured <= row.predicted.high)
    assert Question.from_query(rows[1].query or "").workload.context_used == 4096


def test_a_log_says_what_memory_was_taken() -> None:
    (run,) = pasted_runs(read_paste(LOG))
    rows = {row.what: row for row in beside(run, ASKED)}
    assert rows["kv_cache"].measured == 1152 * 2**20
    assert rows["kv_cache"].inside
    assert rows["weights"].inside
    assert told(LOG)["offloaded"] == [37, 37]
    assert told(LOG)["compute_mib"] == {"CUDA0": 304.75}
    assert told(LOG)["model_mib"] == {"CPU_Mapped": 333.84, "CUDA0": 4455.34}


def test_a_cache_is_what_the_log_sums_up_else_the_sum_of_its_parts() -> None:
    parts, whole = LOG.splitlines(), [line for line in LOG.splitlines() if "llama_kv_cache: size" not in line]
    for line in (r"CUDA0 KV buffer size =  1152", r"CUDA0 KV buffer size =  1000"):
        assert told("\n".join(parts).replace("CUDA0 KV buffer size =  1152", line))["kv_mib"] == 1152
    assert told("\n".join(whole))["kv_mib"] == 1152
    assert "kv_mib" not in told("\n".join(line for line in whole if "KV buffer" not in line))


def test_the_context_of_a_log_is_shared_by_its_sequences() -> None:
    for text, context in ((LOG, 8192), (LOG.replace("1/1 seqs", "4/4 seqs"), 2048)):
        (run,) = pasted_runs(read_paste(text))
        assert run.conditions["context"] == context
    (run,) = pasted_runs(read_paste("\n".join(line for line in LOG.splitlines() if "n_ctx" not in line)))
    assert "context" not in run.conditions


def test_logs_of_servers() -> None:
    assert told(OLLAMA)["layers"] == [20, 33]
    assert told(OLLAMA)["partial_gib"] == 6.9
    (run,) = pasted_runs(read_paste(VLLM))
    assert (run.kv_tokens, run.max_concurrency, run.conditions["context"]) == (32768, 4.0, 8192)
    (run,) = pasted_runs(read_paste(SERVING))
    assert [(rate.kind, rate.users, rate.tokens_per_s) for rate in run.rates] == [
        ("decode", 8, 55.56), ("batch", 8, 400.0),
    ]  # fmt: skip
    assert run.conditions["prompt_tokens"] == 1024


def test_all_that_ollama_says_of_one_model_is_read_and_of_a_card_nothing_is_said_of_the_host() -> None:
    host = 'time=x level=INFO source=server.go:1 msg="system memory" total="62.7 GiB" free="50.0 GiB" free_swap="0 B"\n'
    card = 'time=x level=INFO source=server.go:1 msg="gpu memory" id=GPU-1 total="24.0 GiB" available="23.0 GiB"\n'
    expected = {
        "library": "cuda", "layers": [20, 33], "available_gib": [7.1], "required_gib": 9.0, "partial_gib": 6.9,
        "weights_gib": 7.5, "kv_mib": 512.0,
    }  # fmt: skip
    assert told(OLLAMA) == told(card + OLLAMA) == expected
    assert told(card + host + OLLAMA) == told(host + card + OLLAMA) == expected | {"ram_gib": 62.7}
    whole = OLLAMA.replace("6.9 GiB", "9.0 GiB").replace("512.0 MiB", "2.0 GiB")
    whole = whole.replace("7.1 GiB", "512.0 MiB 512.0 KiB")
    assert told(whole) == {name: value for name, value in expected.items() if name not in ("partial_gib", "kv_mib")} | {
        "kv_gib": 2.0, "available_gib": [0.5, 0.0005],
    }  # fmt: skip
    for nothing in (host, OLLAMA.replace("layers.model=33 ", "")):
        with pytest.raises(InputError, match="Nothing in this text is known"):
            read_paste(nothing)


def test_rows_of_evidence_are_rows_of_the_table() -> None:
    with Path("data/speed_measurements.csv").open(encoding="utf-8", newline="") as file:
        columns = next(csv.reader(file))
    (run,) = pasted_runs(read_paste(BENCH))
    rows = evidence_rows(run, ASKED, "https://example.org/run.txt", date(2026, 10, 1))
    assert [list(row) for row in rows] == [columns] * 2
    assert (rows[1]["kind"], rows[1]["depth"], rows[1]["tokens_per_s"]) == ("decode", 4096, 110.0)
    other = BENCH.replace("qwen3 8B", "llama 7B").replace("4.68 GiB", "3.80 GiB")
    with pytest.raises(InputError, match="ask about the model that was measured"):
        evidence_csv(other, ASKED, "", date(2026, 10, 1))
    with pytest.raises(InputError, match="https://"):
        evidence_csv(BENCH, ASKED, "ftp://x", date(2026, 10, 1))
    with pytest.raises(InputError, match="no measured speed"):
        evidence_csv(SMI, {}, "", date(2026, 10, 1))


def test_text_that_is_none_of_it() -> None:
    for text in ("", "hello", "machine=rtx-4090", "| a | b |", "{}", "x" * 10_000):
        with pytest.raises(InputError, match="Nothing in this text is known"):
            read_paste(text)
    with pytest.raises(InputError, match="at most"):
        read_paste("x" * (LONGEST + 1))


@given(st.data())
def test_a_piece_of_any_paste_is_read_or_refused(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(ALL))
    start, end = sorted(data.draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
    piece = text[:start] + data.draw(st.text(max_size=5)) + text[end:]
    try:
        paste_table(piece, {})
        json.dumps(paste_document(piece, {}), allow_nan=False)
    except InputError:
        pass


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    windows = tmp_path / "smi.txt"
    windows.write_bytes(SMI.encode("utf-16"))  # as PowerShell writes what is redirected
    assert main(["detect", "--from", str(windows), "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["query"] == "machine=rtx-4090&gpus=2&used_mib=4542%2C0"
    assert document["machine"]["ram_total_bytes"] is None
    assert document["measurements"] == []
    bench = tmp_path / "bench.md"
    bench.write_text(BENCH, "utf-8")
    assert main(["detect", "--from", str(bench), "--beside", "model=qwen3-8b&machine=rtx-4090"]) == 0
    assert "pp512: 5,000 tokens/s; predicted" in capsys.readouterr().out
    assert main(["detect", "--from", str(tmp_path / "none")]) == 2
    with pytest.raises(SystemExit):
        main(["detect", "--evidence"])


@pytest.mark.skipif(not FOLDER, reason="real output is tried where PASTES names a folder of it")
def test_real_output() -> None:
    with (Path(FOLDER) / "index.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            expected = json.loads(row["expected"])
            expected.pop("note", None)
            text = (Path(FOLDER) / row["file"]).read_bytes().decode()
            found = {key: value for reading in read_paste(text) for key, value in reading.values.items()}
            for key, value in expected.items():
                assert _alike(value, found.get(key)), (row["file"], key, value, found.get(key))


def _alike(expected: Any, found: Any) -> bool:
    """Equal, where what is found may say more of each device."""
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and all(map(_alike, expected, found))
    if isinstance(expected, dict) and isinstance(found, dict):
        return all(key in found and _alike(value, found[key]) for key, value in expected.items())
    return bool(expected == found)
