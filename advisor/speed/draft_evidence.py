"""The published measurements in data/drafting.csv: what drafting tokens was seen to bring."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from advisor.foundation.csv_rows import BlankIsNone, Filled, read_rows
from advisor.foundation.places import data_folder

DRAFTING_FILE = data_folder() / "drafting.csv"
Text = Literal["code", "mixed", "prose"]

_Whole = Annotated[int, BeforeValidator(int), Field(ge=1, le=1000)]


class DraftEvidence(BaseModel):
    """One published measurement. `drafted` tokens a step, by `method`: "mtp" are a model's own layers.

    `accepted` is the share of the drafted tokens that were taken, `speed_up` tokens/s with over tokens/s without, for
    each of `users` at once. A blank `backend` is one that the source does not tell.
    """

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    engine: Literal["llama.cpp", "vllm"]
    backend: Literal["cuda", "rocm", "vulkan", "metal", "vllm", ""]
    model: Filled
    model_id: str
    method: Literal["mtp", "drafter", "eagle", "block"]
    drafted: _Whole
    text: Text
    accepted: Annotated[Annotated[float, Field(gt=0, le=1)] | None, BlankIsNone]
    speed_up: Annotated[Annotated[float, Field(gt=0, le=10)] | None, BlankIsNone]
    users: _Whole
    device: str
    version: str
    published: Annotated[str, Field(pattern=r"^(20\d\d-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?$")]
    as_of: Annotated[str, Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")]
    source_url: Annotated[str, Field(pattern=r"^https://\S+$")]
    notes: str

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.accepted is None and self.speed_up is None:
            raise ValueError("give what was accepted, or what was gained")
        return self


def read_draft_evidence(path: Path) -> tuple[DraftEvidence, ...]:
    """Every row of the file; raises DataError naming file, row (the header is row 1), column and reason."""
    return read_rows(path, DraftEvidence)


@cache
def draft_evidence() -> tuple[DraftEvidence, ...]:
    """The bundled measurements, read when first asked for."""
    return read_draft_evidence(DRAFTING_FILE)
