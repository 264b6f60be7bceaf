"""Measures speed and memory of one file and prints them as JSON: a process of its own, see steps.py.

`machine` is the catalogue's id of the processor, "" where it is not listed or a GPU could help.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from advisor.foundation.errors import AdvisorError
from advisor.machines.detect_match import match_platform
from advisor.machines.detect_system import cpu_model
from advisor.quantize import native
from advisor.quantize.gguf_quantize import worker_threads
from advisor.quantize.memory_growth import measure_memory
from advisor.quantize.speed import measure_speed


def main(path: str) -> int:
    try:
        memory = measure_memory(Path(path), worker_threads())  # first: speed leaves more behind
        speed = measure_speed(Path(path))
    except AdvisorError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    cpu = cpu_model(Path("/"))
    on_gpu = native.runtime().llama_supports_gpu_offload()
    machine = None if on_gpu else match_platform(cpu)
    sys.stdout.write(
        json.dumps({"speed": asdict(speed), "memory": asdict(memory), "cpu": cpu, "machine": machine or ""})
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
