"""Reading the reference tables of `tests/truth/` as the engine's own types."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from advisor.models.catalogue import catalogue
from advisor.models.model import Model
from advisor.runtimes.llama_cpp.compute.buffer import PIPELINE_COPIES, compute_buffer_bytes, pipelined
from advisor.runtimes.llama_cpp.compute.frame import reserved_tokens
from advisor.sizing.placement import HOST, Placement, place
from advisor.sizing.settings import Settings

TRUTH = Path(__file__).resolve().parents[1] / "truth"
SIZE_FILES = ("gguf_sizes.csv", "more_gguf_sizes.csv")
TABLES_OF = "2026-09"  # commit 0c1e57098 lays its buffers out as the release before it
MEMORY_FILES = ("llamacpp_memory.csv", "more_llamacpp_memory.csv")


@dataclass(frozen=True)
class MemoryRow:
    """One device of one run of `llama-fit-params`. Sizes in MiB, whole numbers as printed."""

    model_id: str
    level: str
    settings: Settings
    gpus: int
    device: int
    model_mib: int
    context_mib: int
    compute_mib: int

    @property
    def model(self) -> Model:
        return catalogue()[self.model_id].model

    @property
    def placement(self) -> Placement:
        return place(len(self.model.layers), (1.0,) * self.gpus, self.settings.gpu_layers, self.settings.cpu_moe_layers)


def compute_bytes(row: MemoryRow) -> int:
    """The compute buffer of the row's device by our rules; that commit already copies the input that tokens replace."""
    size = compute_buffer_bytes(row.model, row.settings, row.placement)[row.device]
    if row.device == HOST and pipelined(row.placement):
        streams = 1 + row.model.wiring.graph.image_layers
        size += (PIPELINE_COPIES - 1) * 4 * row.model.width * reserved_tokens(row.settings) * streams
    return size


def size_rows(name: str) -> list[dict[str, str]]:
    with (TRUTH / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def memory_rows(name: str) -> Iterator[MemoryRow]:
    with (TRUTH / name).open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            users = int(row["n_parallel"])
            yield MemoryRow(
                model_id=row["model_id"],
                level=row["level"],
                settings=Settings(
                    context=int(row["n_ctx"]) // users,
                    users=users,
                    micro_batch=int(row["n_ubatch"]),
                    flash_attention=row["flash_attn"] != "off",
                    cache_type_k=row["cache_k"],
                    cache_type_v=row["cache_v"],
                    gpu_layers=None if row["gpu_layers"] == "all" else int(row["gpu_layers"]),
                    cpu_moe_layers=int(row["n_cpu_moe"]),
                    release=TABLES_OF,
                ),
                gpus=int(row["n_gpus"]),
                device=HOST if row["device"] == "Host" else int(row["device"].removeprefix("GPU")),
                model_mib=int(row["model_mib"]),
                context_mib=int(row["context_mib"]),
                compute_mib=int(row["compute_mib"]),
            )
