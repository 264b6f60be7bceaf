"""What a line of a batch costs: a thousand mixed questions in one process, beside `import pandas` on the same machine.

`python -m tests.benchmarks.batch [LINES] [SEED]`; exit status 1 where a line ends in an error of our own.
"""

from __future__ import annotations

import json
import random
import resource
import statistics
import subprocess
import sys
import time
from collections import Counter
from urllib.parse import urlencode

from advisor.machines.catalogue import machines
from advisor.models.catalogue import catalogue
from advisor.report.asking import answer_plan
from advisor.report.batch import INTERNAL, answer_line
from advisor.report.compact import refusal_document

POPULAR = (
    "llama-3.1-8b-instruct",
    "llama-3.3-70b-instruct",
    "qwen3-30b-a3b",
    "qwen3-32b",
    "gpt-oss-120b",
    "gpt-oss-20b",
)
CARDS = ("rtx-4090", "rtx-3090", "rtx-3060-12gb", "h100-sxm5-80gb", "a100-sxm4-80gb", "rtx-a6000")
ASKED: tuple[dict[str, object], ...] = (
    {},
    {"users": 4},
    {"host_memory_gib": 64},
    {"host_memory_gib": 256},
    {"gpus": 2},
    {"gpus": 4, "context": 16384},
    {"gpus": 8, "context": 65536, "users": 8},
    {"runtime": "vllm"},
    {"runtime": "ollama"},
    {"runtime": "lm-studio"},
    {"level": "Q4_K_M"},
    {"level": "Q2_K", "context": 2048},
    {"other_machine": "rtx-3060-12gb"},
    {"kv_type_k": "q8_0", "kv_type_v": "q8_0"},
    {"min_quality": "99"},
    {"min_tokens_per_s": 20},
    {"currency": "EUR", "country": "DE"},
    {"gpu_layers": 20, "host_memory_gib": 128},
    {"cpu_moe_layers": 10, "host_memory_gib": 128},
    {"levle": "Q4_K_M"},
)


def mixed(lines: int, seed: int) -> list[str]:
    """Half of the usual models on the usual cards, half of any on any; what cannot be asked is refused."""
    draw = random.Random(seed)
    models, kinds = sorted(catalogue()), sorted(id for id, one in machines().items() if not one.needs_memory)
    found = []
    for _ in range(lines):
        usual = draw.random() < 0.5
        values = {"model": draw.choice(POPULAR if usual else models), "machine": draw.choice(CARDS if usual else kinds)}
        found.append(urlencode(values | draw.choice(ASKED) | {"prompt_tokens": draw.randint(100, 4000)}))
    return found


def pandas_ms() -> float:
    """CPU milliseconds of a process that only imports pandas; the least of three."""
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", "import pandas"], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    return min(times)


def main(lines: int = 1000, seed: int = 13) -> int:
    times, kinds, largest = [], Counter[str](), 0
    for query in mixed(lines, seed):
        start = time.process_time()
        line, status = answer_line(query, answer_plan, refusal_document)
        times.append(1000 * (time.process_time() - start))
        document = json.loads(line)
        kinds[
            document["decision"]["status"] if document["error"] is None else f"refused: {document['error']['kind']}"
        ] += 1
        largest = max(largest, len(line))
        if status == INTERNAL:
            print(f"internal: {query}")
    warm = times[len(times) // 5 :]
    median, base = statistics.median(warm), pandas_ms()
    print(f"{lines} lines, seed {seed}: {dict(kinds.most_common())}, largest {largest:,} bytes")
    print(
        f"CPU ms a line: median {median:.1f}, p90 {statistics.quantiles(warm, n=10)[-1]:.1f}, most {max(warm):.0f}",
        end="",
    )
    print(f" (after the first fifth; of all: median {statistics.median(times):.1f}, sum {sum(times) / 1000:.1f} s)")
    print(f"import pandas: {base:.0f} CPU ms; a line costs {median / base:.3f} of it")
    return 1 if kinds["refused: internal"] else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
