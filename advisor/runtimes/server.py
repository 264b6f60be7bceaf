"""What servers are told that take all of a GPU's memory and share it out themselves: vLLM and SGLang."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """As the question has them; each of these runtimes reads what it knows.

    `memory_share` is vLLM's `--gpu-memory-utilization`, `static_share` SGLang's `--mem-fraction-static` (None: its own
    choice). `batch_tokens` are the tokens of the largest step, `requests` how many are served at once (None: the
    runtime's own choice, and the users). `eager` does without CUDA graphs. `pipeline` is how many stages of layers
    there are, `data` how many replicas of what is no routed expert; experts are split over all replicas, with
    `expert_parallel` each is whole on one GPU.
    """

    memory_share: float = 0.92
    static_share: float | None = None
    kv_fp8: bool = False
    batch_tokens: int | None = None
    requests: int | None = None
    eager: bool = False
    pipeline: int = 1
    data: int = 1
    expert_parallel: bool = False

    @property
    def ranks(self) -> int:
        """How many groups of GPUs there are, each of which splits every tensor it holds."""
        return self.pipeline * self.data
