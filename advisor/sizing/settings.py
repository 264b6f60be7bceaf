"""What the runtime is told: llama.cpp's options that decide where memory goes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Split = Literal["layer", "tensor", "row"]

# Storage types llama.cpp accepts for the KV cache (-ctk, -ctv), as (elements, bytes) per block.
CACHE_TYPES: dict[str, tuple[int, int]] = {
    "f32": (1, 4),
    "f16": (1, 2),
    "bf16": (1, 2),
    "q8_0": (32, 34),
    "q5_1": (32, 24),
    "q5_0": (32, 22),
    "q4_1": (32, 20),
    "q4_0": (32, 18),
    "iq4_nl": (32, 18),
}

# Releases of llama.cpp whose memory is known here, by the month of their graph, oldest first.
RELEASES = ("2026-08", "2026-09", "2026-10")
NEWEST_RELEASE = RELEASES[-1]


@dataclass(frozen=True, slots=True)
class Settings:
    """llama.cpp settings of a run.

    `context` is in tokens per user; llama.cpp's `-c` is context x users, `-np` is users. `unified` is
    `--kv-unified`, llama-server's default where `-np` is left out, and what LM Studio does: one cache of `context`
    tokens that all users share; then `-c` is the context. `gpu_layers` None
    means all (`-ngl all`); `cpu_moe_layers` is `-ncmoe`. `micro_batch` is `-ub`. `kv_on_host` is
    `--no-kv-offload`, `split` is `-sm`, `tensor_split` is `-ts` (None: by free memory). `mmap` False is
    `--no-mmap`; it changes how weights get into memory, not how many there are. `op_offload` False is
    `--no-op-offload`: no GPU computes prompts for layers on the host. `release` is one of `RELEASES`. `mtp` is
    `--spec-type draft-mtp`: the model drafts with its multi-token-prediction layers.
    """

    context: int
    users: int = 1
    micro_batch: int = 512
    flash_attention: bool = True
    cache_type_k: str = "f16"
    cache_type_v: str = "f16"
    gpu_layers: int | None = None
    cpu_moe_layers: int = 0
    kv_on_host: bool = False
    split: Split = "layer"
    tensor_split: tuple[float, ...] | None = None
    mmap: bool = True
    op_offload: bool = True
    unified: bool = False
    mtp: bool = False
    release: str = NEWEST_RELEASE

    def since(self, release: str) -> bool:
        """Whether the llama.cpp of this run is of that release or a later one."""
        return self.release >= release

    @property
    def without_placement(self) -> Settings:
        """The same run with nothing said about what lies where: what KV cache and graph depend on."""
        return replace(
            self,
            gpu_layers=None,
            cpu_moe_layers=0,
            kv_on_host=False,
            split="layer",
            tensor_split=None,
            mmap=True,
            op_offload=True,
        )

    @property
    def cells(self) -> int:
        """KV cells of one stream: the context rounded up to 256, as llama.cpp does."""
        return round_up(self.context, 256)

    @property
    def streams(self) -> int:
        """How many KV caches there are: one for each user, or one for all. Recurrent states are always each user's."""
        return 1 if self.unified else self.users

    @property
    def shared_by(self) -> int:
        """How many users share one cache."""
        return self.users // self.streams

    @property
    def total_context(self) -> int:
        """llama.cpp's `-c`: tokens of all streams together."""
        return self.context * self.streams


def round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def cache_bytes(kind: str, elements: int) -> int:
    """Bytes of `elements` in the KV cache type `kind`."""
    block, size = CACHE_TYPES[kind]
    return elements // block * size
