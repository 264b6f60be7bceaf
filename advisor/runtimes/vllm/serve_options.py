"""What `vllm serve` is told, checked as it checks it."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.foundation.errors import InputError
from advisor.runtimes.vllm.overheads import Batch
from advisor.runtimes.vllm.split import Split, even_split
from advisor.sizing.request import RuntimeOptions

UTILISATION = 0.92  # the default since version 0.21
_LONGEST_BATCH = 1 << 20
SMALLEST_CHOICE, _USUAL_LARGE_BATCH = 2048, 8192  # tokens


@dataclass(frozen=True, slots=True)
class VllmOptions(RuntimeOptions):
    """`max_batched_tokens` None is vLLM's own choice, which depends on the GPU's memory.

    `max_requests` (`--max-num-seqs`) None means the users, as in the commands given: vLLM's own is 256 or 1024, and it
    keeps room for sampling of so many at once. `tensor_parallel` None means all devices of a stage and replica,
    `kv_dtype` is `--kv-cache-dtype`. Of `pipeline_parallel` stages each holds some of the layers; `data_parallel`
    replicas share only the routed experts.
    """

    utilisation: float = UTILISATION
    tensor_parallel: int | None = None
    pipeline_parallel: int = 1
    data_parallel: int = 1
    expert_parallel: bool = False
    kv_dtype: str = "auto"
    max_batched_tokens: int | None = None
    max_requests: int | None = None
    enforce_eager: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.utilisation <= 1:
            raise InputError(
                "GPU memory utilisation is a share between 0 and 1, such as 0.92; got {utilisation}.",
                utilisation=self.utilisation,
            )
        if self.tensor_parallel is not None and self.tensor_parallel < 1:
            raise InputError(
                "A model is split over at least 1 GPU; {tensor_parallel} were asked for.",
                tensor_parallel=self.tensor_parallel,
            )
        for name in ("max_batched_tokens", "max_requests"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= _LONGEST_BATCH:
                raise InputError(
                    "{name} must be between 1 and {most:,}; got {value}.", name=name, most=_LONGEST_BATCH, value=value
                )

    def batch_of(self, usual_tokens: int, users: int) -> Batch:
        """The largest batch; raises InputError for one that it does not start with: more requests than tokens.

        Where so many requests are more than the tokens of its own choice, the commands tell it of more tokens.
        """
        requests = self.max_requests or users
        tokens = self.max_batched_tokens or (usual_tokens if requests <= usual_tokens else told_tokens(requests))
        if tokens < requests:
            raise InputError(
                "max_num_batched_tokens={tokens:,} is less than the {requests:,} requests at once (max_num_seqs, else "
                "the users), with which it does not start: give at least as many tokens as requests.",
                tokens=tokens,
                requests=requests,
            )
        return Batch(tokens, requests)

    def split_of(self, gpus: int) -> Split:
        """How so many GPUs share the model; raises InputError where they do not evenly."""
        if self.tensor_parallel is not None:
            return Split(self.tensor_parallel, self.pipeline_parallel, self.data_parallel, self.expert_parallel)
        return even_split(gpus, self.pipeline_parallel, self.data_parallel, self.expert_parallel)


def told_tokens(requests: int) -> int:
    """Tokens of a step that it is told where its own choice may be too few for so many requests."""
    return max(_USUAL_LARGE_BATCH, requests)


DEFAULTS = VllmOptions()
