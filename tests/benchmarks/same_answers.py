"""Whether 500 questions still have the same answers, for changes that must not change any; run by hand:

    python -m tests.benchmarks.same_answers record before.json     # at the commit before
    python -m tests.benchmarks.same_answers compare before.json    # after: lists what differs

An answer is recorded as the hash of its whole JSON, a refusal as its sentence, a fault of the program as what it
raised. Everything but `version` counts. Compared are the questions in the file, whatever would be drawn today; with
each side the CPU seconds that all its answers took.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlencode

from advisor.answer.answer import answer
from advisor.formats.gguf_levels import LEVELS
from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS
from advisor.foundation.errors import InputError
from advisor.machines.catalogue import machines
from advisor.models.catalogue import catalogue
from advisor.question.configuration import RUNTIMES
from advisor.question.question import Question
from advisor.report.as_json import plan_document
from advisor.sizing.settings import CACHE_TYPES

QUESTIONS, SEED = 500, 20261130
_MACHINE_SHARES = ("rtx-3090", "rtx-4090", "a100-sxm4-80gb", "apple-m2-ultra-192gb", "h100-sxm5-80gb", "rtx-3060-12gb")


def questions(count: int = QUESTIONS, seed: int = SEED) -> list[str]:
    """Random query strings over the keys that decide an answer; the same for the same seed and catalogue."""
    draw = random.Random(seed)
    return [_question(draw) for _ in range(count)]


def _question(draw: random.Random) -> str:
    known = machines()
    common = [name for name in _MACHINE_SHARES if name in known]
    one = known[draw.choice(common) if draw.random() < 0.5 else draw.choice(sorted(known))]
    asked: dict[str, object] = {"model": draw.choice(sorted(catalogue())), "machine": one.id}
    if one.needs_memory:
        asked["memory_gib"] = draw.choice((32, 64, 256))
    elif not one.unified:
        asked["gpus"] = draw.choice((1, 1, 1, 2, 4, 8))
        if draw.random() < 0.5:
            asked["host_memory_gib"] = draw.choice((32, 64, 128, 512))
    asked["context"] = draw.choice((512, 4096, 8192, 32_768, 131_072))
    maybe: dict[str, tuple[object, ...]] = {
        "users": (2, 4, 8, 32),
        "runtime": RUNTIMES,
        "level": (*LEVELS, *SAFETENSORS_LEVELS),
        "kv_type_k": tuple(CACHE_TYPES),
        "kv_type_v": ("f16", "q8_0", "q4_0"),
        "ubatch": (128, 2048),
        "flash_attention": ("off",),
        "gpu_layers": ("all", 0, 10, 30),
        "cpu_moe_layers": (5, 40),
        "split": ("tensor",),
        "imatrix": ("on",),
        "mtp": ("on",),
        "min_quality": ("small", "none", 90, 99),
        "min_tokens_per_s": (5, 20, 60),
        "max_first_token_s": (1, 10),
        "task": ("code", "math"),
        "requests_per_day": (100, 10_000),
        "country": ("DE",),
        "currency": ("EUR", "CHF"),
    }
    asked |= {key: draw.choice(values) for key, values in maybe.items() if draw.random() < 0.12}
    return urlencode(asked)


def recorded(query: str) -> str:
    """The hash of an answer, or why there is none."""
    try:
        document = plan_document(answer(Question.from_query(query)))
    except InputError as error:
        return f"refused: {error}"
    except Exception as error:
        return f"crashed: {type(error).__name__}: {error}"
    document.pop("version", None)
    return hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode()).hexdigest()


def main(command: str, file: Path) -> int:
    kept = {} if command == "record" else json.loads(file.read_text())
    before: dict[str, str] = kept.get("answers", {})
    start = time.process_time()
    now = {query: recorded(query) for query in before or questions()}
    seconds = time.process_time() - start
    kinds = Counter(one.partition(": ")[0] for one in now.values() if ": " in one)
    print(
        f"{len(now)} questions in {seconds:.1f} s of CPU time, {kinds['refused']} refused, {kinds['crashed']} crashed"
    )
    if command == "record":
        file.write_text(json.dumps({"seconds": seconds, "answers": now}, indent=0))
        return 0
    changed = [query for query, one in before.items() if now[query] != one]
    for query in changed:
        print(query, before[query][:120], now[query][:120], sep="\n    ")
    print(
        f"{len(before) - len(changed)} of {len(before)} answers are equal; before: {kept['seconds']:.1f} s of CPU time"
    )
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
