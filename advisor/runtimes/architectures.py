"""Which models a runtime has code for: data/runtime_architectures.csv, read from the registries of its releases.

vLLM and SGLang look a model up by the class that its config names, and may run what they have no code for by that of
the transformers library, which need not work; mlx-lm looks up its `model_type` and refuses what it does not find.
llama.cpp has no rows here: a model that it does not load says so itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from advisor.foundation.compiled import of_the_program
from advisor.foundation.csv_rows import Filled
from advisor.foundation.errors import InputError
from advisor.foundation.kept_rows import Lazily, kept_rows
from advisor.foundation.message import Message, fact, sentence
from advisor.foundation.places import data_folder
from advisor.models.model import Model, Names
from advisor.sizing.runtime_id import RuntimeId

TABLE = data_folder() / "runtime_architectures.csv"
KEY = ("runtime", "name")
# What vLLM takes a class for that it has no code for, by how its name ends: another head on the same network.
_HEADS = (
    *("ForCausalLM", "ForConditionalGeneration", "ChatModel", "LMHeadModel", "ForTextEncoding", "EmbeddingModel"),
    *("ForSequenceClassification", "ForTokenClassification", "ClassificationModel", "ForRewardModeling"),
    *("RewardModel", "Model"),
)

Loads = Literal["yes", "no", "unsure"]


class Row(BaseModel):
    """A class, or of mlx-lm a model type, that the release `version` of a runtime loads or no longer does.

    `until` is the last release that had code of its own for it; since then it is run, if at all, by transformers' code.
    """

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    runtime: RuntimeId
    name: Filled
    loads: Loads
    until: str
    version: Filled
    source_url: Annotated[str, Field(pattern=r"^https://\S+$")]
    as_of: Annotated[str, Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")]


@dataclass(frozen=True, slots=True)
class Loading:
    """Whether a runtime has code for a model; `why` says why not, or why that is not known, without a full stop."""

    loads: Loads
    why: Message | None = None


_LOADED = Loading("yes")


@cache
def table() -> Mapping[RuntimeId, Mapping[str, Row]]:
    """Rows by runtime and name; raises DataError naming file, row, column and reason for a broken one."""
    rows = kept_rows(TABLE, Row, KEY)

    def made() -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for place, row in enumerate(rows):
            found.setdefault(row.runtime.value, {})[row.name] = place
        return found

    kept = of_the_program("architectures", made)
    return {RuntimeId(name): Lazily(places, rows.__getitem__) for name, places in kept.items()}


def loading_of(runtime: RuntimeId, model: Model) -> Loading:
    """Whether a runtime loads the model; what no config names, such as a GGUF file's, is not looked up."""
    return _LOADED if model.names is None else _loading(runtime, model.names)


def check_architecture(runtime: RuntimeId, model: Model) -> None:
    """Raise InputError where a runtime certainly has no code for the model."""
    found = loading_of(runtime, model)
    if found.loads == "no" and found.why is not None:
        raise InputError("{why}: use llama.cpp, or another model.", why=found.why)


@cache
def _loading(runtime: RuntimeId, names: Names) -> Loading:
    rows = table().get(runtime)
    if rows is None:
        return _LOADED
    version = next(iter(rows.values())).version
    if runtime is RuntimeId.MLX:
        if names.model_type in rows or not names.model_type:
            return _LOADED
        why = sentence(
            "{loader} {version} has no code for models of type {type}",
            loader=runtime.loader,
            version=version,
            type=names.model_type,
        )
        return Loading("no", why)
    if not names.architecture:
        return _LOADED
    row = next((rows[name] for name in _tried(runtime, names.architecture) if name in rows), None)
    if row is None:
        why = fact("loader_unknown", loader=runtime.loader, version=version, architecture=names.architecture)
        return Loading("unsure", why)
    if row.loads == "yes":
        return _LOADED
    loader, until = runtime.loader, row.until
    if row.loads == "unsure":
        why = fact("loader_gone", loader=loader, version=version, until=until, architecture=row.name)
        return Loading("unsure", why)
    why = sentence(
        "{loader} {version} no longer loads {architecture}, {until} was the last that did",
        loader=loader,
        version=version,
        until=until,
        architecture=row.name,
    )
    return Loading("no", why)


def _tried(runtime: RuntimeId, name: str) -> Iterator[str]:
    yield name
    if runtime is RuntimeId.VLLM and (ending := next((one for one in _HEADS if name.endswith(one)), None)):
        stem = name.removesuffix(ending)
        yield from (stem + head for head in _HEADS)
