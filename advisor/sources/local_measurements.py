"""What was measured on this server and kept as evidence, with the conditions it was measured under.

Plain values: whoever asks the engine hands them in, so that the same question with the same evidence has the same
answer. They are no part of the data release; an answer that shows one names it as "measured here" with its date.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

from pydantic import BaseModel, ConfigDict, Field

from advisor.foundation.ranges import Range
from advisor.models.catalogue import catalogue
from advisor.models.model import Model
from advisor.sources.resolved import ResolvedModel

MEASURED_HERE = "measured here"
_DIGITS = 12


class LocalSpeed(BaseModel):
    """Rates of one user in tokens/s: slowest, median and fastest sample.

    `machine` is the catalogue's id of the processor, "" where it is not listed or a GPU helped. `prompt_tokens` were
    read at once before the first one was written.
    """

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    prefill: Range
    decode: Range
    prompt_tokens: int = Field(ge=1)
    cpu: str
    machine: str
    threads: int = Field(ge=1)
    busy: bool


class LocalMeasurement(BaseModel):
    """One level of one model, measured against the unquantized file. `model` is what `model_key` says.

    `kl_divergence` in nats per token; errors are standard errors, `increase_error` that of ln(perplexity / reference),
    None where it was not measured. `same_top` is the fraction of tokens with the same first choice.
    """

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    run: str
    measured_on: str = Field(pattern=r"^20\d\d-[01]\d-[0-3]\d$")
    model: str = Field(min_length=1, max_length=200)
    name: str
    level: str
    made_by: str
    imatrix: bool
    engine: str
    text: str
    context: int = Field(ge=0)
    tokens: int = Field(ge=1)
    file_bytes: int = Field(ge=1)
    perplexity: float = Field(gt=0, allow_inf_nan=False)
    reference_perplexity: float = Field(gt=0, allow_inf_nan=False)
    increase_error: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    kl_divergence: float = Field(allow_inf_nan=False)
    kl_error: float = Field(ge=0, allow_inf_nan=False)
    same_top: float = Field(ge=0, le=1)
    speed: LocalSpeed | None = None

    @property
    def source(self) -> str:
        """Where a list of sources says it comes from."""
        return f"{MEASURED_HERE}, run {self.run}, {self.engine}"


def tensors_key(model: Model) -> str:
    """Tells models apart that have no public name: by the names and shapes of all their tensors."""
    table = "\n".join(sorted(f"{tensor.name} {list(tensor.shape)}" for tensor in model.tensors))
    return f"tensors-{hashlib.sha256(table.encode()).hexdigest()[:_DIGITS]}"


def model_key(found: ResolvedModel) -> str | None:
    """What a model's measurements are kept under: its catalogue id, its repository, else its tensors.

    None for a mere size, which is no model that could be measured.
    """
    if found.entry is not None:
        return found.entry.id
    if found.repository is not None:
        return found.repository.id
    return None if found.model is None or found.size_range is not None else tensors_key(found.model)


def repository_key(repository: str) -> str:
    """The same for a model that was fetched from the Hub: the catalogue's id where it lists the repository."""
    return next((entry.id for entry in catalogue().values() if entry.hf_repo == repository), repository)


@lru_cache(64)
def same_tensors(key: str, parameters: int) -> tuple[str, ...]:
    """Ids of the catalogue's models with these tensors: a file on disk may be any of them, or another fine-tune.

    `parameters` spares working out the tensors of all the others.
    """
    alike = (entry for entry in catalogue().values() if entry.parameters.counted == parameters)
    return tuple(entry.id for entry in alike if tensors_key(entry.model) == key)


def measured_of(found: ResolvedModel, kept: Sequence[LocalMeasurement]) -> tuple[LocalMeasurement, ...]:
    """Those of this very model, newest first."""
    key = model_key(found) if kept else None
    rows = [row for row in kept if row.model == key]
    return tuple(sorted(rows, key=lambda row: (row.measured_on, row.run), reverse=True))
