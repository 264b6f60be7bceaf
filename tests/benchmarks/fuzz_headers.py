"""Throws broken headers at the GGUF and safetensors readers: `python -m tests.benchmarks.fuzz_headers [CASES] [SEED]`.

Only our own error may come out, no case may take longer than a second, and memory must stay below 200 MB.
"""

from __future__ import annotations

import random
import resource
import struct
import sys
import time
from collections import Counter

from advisor.formats.ggml_types import Type
from advisor.foundation.errors import InputError
from advisor.sources.files import from_gguf_bytes
from advisor.sources.reading import read_from_bytes
from advisor.sources.safetensors_header import read_safetensors_header
from tests.support.model_files import gguf_file, gguf_header, safetensors_file

HUGE = (0, 1, 3, 9, 255, 2**16, 2**22, 2**25, 2**31, 2**32 - 1, 2**32, 2**40, 2**62, 2**63, 2**64 - 1)
SLOWEST_S = 1.0
MOST_BYTES = 200_000_000


def seeds() -> list[bytes]:
    small = gguf_header(
        {
            "general.architecture": "llama",
            "general.alignment": 32,
            "llama.block_count": 1,
            "a": [1, 2],
            "b": ["x", "yy"],
        },
        [("token_embd.weight", (32, 8), Type.Q8_0), ("blk.0.attn_q.weight", (32, 32), Type.Q4_0)],
    )
    real = ("llama-3.1-8b-instruct", "gemma-3n-e2b-it", "lfm2-8b-a1b", "qwen3-30b-a3b")
    return [small] * 6 + [gguf_file(name)[0] for name in real]


def broken(content: bytes, chance: random.Random) -> bytes:
    """Between one and six changes: bytes, numbers, cuts, repetitions, insertions."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 6)):
        # Most of what matters stands at the beginning.
        at = chance.randrange(min(len(data), chance.choice((64, 512, 4096, 1 << 20))) or 1) if data else 0
        kind = chance.randrange(7)
        if kind == 0:
            data[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            data[at : at + 8] = struct.pack("<Q", chance.choice(HUGE))
        elif kind == 2:
            data[at : at + 4] = struct.pack("<I", chance.choice(HUGE) & 0xFFFFFFFF)
        elif kind == 3:
            del data[at:]
        elif kind == 4:
            data[at:at] = chance.randbytes(chance.randrange(40))
        elif kind == 5:
            data[at:at] = data[at : at + chance.randrange(200)]
        else:
            del data[at : at + chance.randrange(20)]
    return bytes(data)


def main(cases: int, seed: int) -> int:
    chance = random.Random(seed)
    gguf_seeds = seeds()
    json_seed = safetensors_file([("a.weight", "BF16", (4, 8)), ("b", "F32", (3,)), ("c", "I64", ())])[0]
    begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    for number in range(cases):
        kind = chance.randrange(5)
        started = time.perf_counter()
        try:
            if kind < 3:
                from_gguf_bytes(broken(chance.choice(gguf_seeds), chance), "fuzz.gguf")
            elif kind == 3:
                read_safetensors_header(read_from_bytes(broken(json_seed, chance)), "fuzz.safetensors")
            else:
                from_gguf_bytes(b"GGUF\x03\0\0\0" + chance.randbytes(chance.randrange(300)), "fuzz.gguf")
            outcomes["read"] += 1
        except InputError as error:
            assert "\n" not in str(error), repr(error)
            outcomes["refused"] += 1
        taken = time.perf_counter() - started
        slowest = max(slowest, taken)
        if taken > SLOWEST_S:
            print(f"case {number} of seed {seed} took {taken:.1f} s")
            return 1
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"{cases:,} cases: {dict(outcomes)}, slowest {slowest * 1000:.0f} ms")
    print(f"memory {begin / 1e6:.0f} -> {used / 1e6:.0f} MB")
    return int(used > MOST_BYTES)


if __name__ == "__main__":
    cases, seed = [*map(int, sys.argv[1:]), 60_000, 1][:2] if len(sys.argv) != 2 else (int(sys.argv[1]), 1)
    sys.exit(main(cases, seed))
