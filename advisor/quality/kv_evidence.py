"""The published measurements in data/kv_quality.csv: what a type of KV cache costs, with the weights as they are."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from advisor.foundation.csv_rows import BlankIsNone, Filled, read_rows
from advisor.foundation.places import data_folder
from advisor.quality.tasks import DIVERGENCE, PERPLEXITY, TASKS
from advisor.sizing.settings import CACHE_TYPES

KV_FILE = data_folder() / "kv_quality.csv"
KLD_MEAN, KLD_MEDIAN = "kld-mean", "kld-median"
# vLLM's words for a cache in 8 bits (the second is what the first means), and those of any engine for 16 and more.
FP8 = ("fp8", "fp8_e4m3", "fp8_e5m2")
LOSSLESS = frozenset({"f32", "f16", "bf16", "auto", "float16", "bfloat16"})
KINDS = frozenset({*CACHE_TYPES, *FP8, *LOSSLESS})


def _known_kind(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"the type must be one of {', '.join(sorted(KINDS))}")
    return kind


def _known_task(task: str) -> str:
    if task not in TASKS:
        raise ValueError(f"the task must be one of {', '.join(TASKS)}")
    return task


_Kind = Annotated[str, BeforeValidator(_known_kind)]
_Figure = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]


class KvEvidence(BaseModel):
    """One published measurement of a model with its cache in `kind_k` and `kind_v`.

    `family` is spelled as in the model catalogue. `value` is in nats where the task is divergence, else the benchmark's
    own unit. `baseline` is the same figure with the cache in 16 bits: for divergence what the comparison itself shows,
    0 where the source does not say. `error` is the standard error that the source prints. `published` is the source's
    date, as far as it is known; `as_of` is when it was read.
    """

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    engine: Literal["llama.cpp", "vllm"]
    model: Filled
    family: Filled
    kind_k: _Kind
    kind_v: _Kind
    context: Annotated[Annotated[int, Field(gt=0)] | None, BlankIsNone]
    benchmark: Filled
    task: Annotated[str, BeforeValidator(_known_task)]
    baseline: _Figure
    value: _Figure
    error: Annotated[Annotated[float, Field(gt=0, le=100)] | None, BlankIsNone]
    source_url: Annotated[str, Field(pattern=r"^https://\S+$")]
    published: Annotated[str, Field(pattern=r"^(20\d\d-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?$")]
    as_of: Annotated[str, Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")]
    notes: str

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if {self.kind_k, self.kind_v} <= LOSSLESS:
            raise ValueError("keys or values must be in a type that loses something")
        if self.engine == "llama.cpp" and {self.kind_k, self.kind_v} & set(FP8):
            raise ValueError("llama.cpp has no cache in fp8")
        if (self.task == DIVERGENCE) != (self.benchmark in (KLD_MEAN, KLD_MEDIAN)):
            raise ValueError(f"divergence, and nothing else, is measured by {KLD_MEAN} or {KLD_MEDIAN}")
        if self.task == DIVERGENCE and self.value <= self.baseline:
            raise ValueError("a divergence must exceed what the comparison shows with a cache in 16 bits")
        if self.task != DIVERGENCE and self.baseline == 0:
            raise ValueError("a score or perplexity needs the one with a cache in 16 bits as its baseline")
        if self.task == PERPLEXITY and self.value < 1:
            raise ValueError("perplexity is 1 or more")
        return self


_SAME = ("source_url", "model", "kind_k", "kind_v", "context", "benchmark", "value")


def read_kv_evidence(path: Path) -> tuple[KvEvidence, ...]:
    """Every row of the file; raises DataError naming file, row (the header is row 1), column and reason."""
    return read_rows(path, KvEvidence, _SAME)


@cache
def kv_evidence() -> tuple[KvEvidence, ...]:
    """The bundled measurements, read when first asked for."""
    return read_kv_evidence(KV_FILE)
