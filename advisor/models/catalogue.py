"""The bundled catalogue: one JSON file per model under `data/models/`.

JSON rather than YAML because an entry is mostly the publisher's own `config.json`, kept under its original
key names, and because 234 files must load in a blink.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from advisor.foundation.compiled import compiled_folder, of_the_program
from advisor.foundation.errors import DataError
from advisor.foundation.kept_rows import Lazily, unchecked
from advisor.foundation.places import data_folder
from advisor.models.blueprints import model_from_config
from advisor.models.model import Model
from advisor.models.projectors import published_tower

MODELS_FOLDER = data_folder() / "models"
_ID = r"^[a-z0-9]+([.\-_][a-z0-9]+)*$"


class ParameterCount(BaseModel):
    """`counted` is the text model's weights by our own tensor table, without multi-token-prediction layers.

    `published` is the exact total the publisher or the Hub states; where it differs from ours (with or
    without those layers), `difference` says why in a sentence.
    """

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    counted: int = Field(gt=0)
    published: int | None = Field(gt=0)
    published_is_recalled: bool
    difference: str | None


class OwnFile(BaseModel):
    """A level in which the publisher offers the model, as no quantizer makes it from the 16-bit weights.

    "native" is how the model was trained and published: nothing is lost. "qat" was trained for the level afterwards
    and loses `loss_share` of what the level loses elsewhere. "published" was rounded by its publisher and loses
    what the level loses. Its bytes need not be those of the level.
    """

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    format: str = Field(min_length=1)
    level: str = Field(min_length=1)
    repo: str = Field(pattern=r"^[\w.\-]+/[\w.\-]+$")
    kind: Literal["native", "qat", "published"]
    loss_share: float = Field(default=0.0, ge=0, lt=1)
    source: str = Field(pattern=r"^https://\S+$")
    as_of: str = Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")
    note: str

    @model_validator(mode="after")
    def _only_training_for_it_loses(self) -> OwnFile:
        if (self.kind == "qat") != (self.loss_share > 0):
            raise ValueError("a file trained for its level has a loss_share above 0, a native one has none")
        return self


class Entry(BaseModel):
    """A model of the catalogue, with where its figures come from."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True, ignored_types=(cached_property,))

    id: str = Field(pattern=_ID, max_length=80)
    name: str = Field(min_length=1, max_length=80)
    publisher: str
    hf_repo: str
    license: str
    released: str
    family: str
    variant: Literal["base", "instruct", "reasoning", "vision", "embedding"]
    parameters: ParameterCount
    active_parameters_published: str | None
    confidence: Literal["verified", "recalled"]
    recalled_fields: list[str]
    notes: str | None
    corrections: str | None
    sources: list[str]
    as_of: str
    own_files: tuple[OwnFile, ...] = ()
    config: dict[str, Any]

    @model_validator(mode="after")
    def _verified_by_a_source(self) -> Entry:
        if self.confidence == "verified" and not self.sources:
            raise ValueError("a verified entry needs at least one source")
        return self

    @model_validator(mode="after")
    def _one_own_file_a_level(self) -> Entry:
        levels = [(file.format, file.level) for file in self.own_files]
        if len(levels) > len(set(levels)):
            raise ValueError("own_files must name a level only once")
        return self

    @cached_property
    def model(self) -> Model:
        """The model this entry's config describes."""
        model = model_from_config(self.config)
        if model.tower is None and (published := published_tower(self.id)) is not None:
            return replace(model, tower=published)
        return model

    @property
    def own_checkpoints(self) -> tuple[str, ...]:
        """The levels besides GGUF's that its publisher offers it in."""
        return tuple(file.level for file in self.own_files if file.format != "GGUF")

    @property
    def published_in_fp4(self) -> bool:
        """Whether its experts were published in blocks of 4 bits, as GGUF's MXFP4 has them."""
        return any(file.kind == "native" and file.format == "mxfp4" for file in self.own_files)

    @property
    def active_parameters(self) -> int:
        """Weights that one token uses; of its `model`, which takes longer to make than to look this up."""
        return self.model.active_parameters if (known := self._kept(_SIZES)) is None else known[1]

    @property
    def model_parameters(self) -> int:
        """Weights of its `model`."""
        return self.model.parameters if (known := self._kept(_SIZES)) is None else known[0]

    @property
    def context_length(self) -> int | None:
        """The longest context of its `model`, in tokens; None where its config does not say."""
        return self.model.context_length if (known := self._kept(_ABOUT)) is None else known[0]

    @property
    def runs(self) -> bool:
        """Whether runtimes run its `model` without a note."""
        return not self.model.runtime_note if (known := self._kept(_ABOUT)) is None else known[1]

    def _kept(self, what: str) -> tuple[Any, Any] | None:
        """What is kept of the bundled entry of this id; None of others, and where nothing is kept."""
        return _about_all(what).get(self.id) if catalogue().get(self.id) is self else None


_ABOUT, _SIZES = "models-about", "models-sizes"


@cache
def _about_all(what: str) -> Mapping[str, tuple[Any, Any]]:
    def made() -> dict[str, tuple[Any, Any]]:
        if what == _ABOUT:
            return {one.id: (one.model.context_length, not one.model.runtime_note) for one in catalogue().values()}
        return {one.id: (one.model.parameters, one.model.active_parameters) for one in catalogue().values()}

    # Where nothing can be kept, each model is asked when it is needed, and not all for one.
    found: Mapping[str, tuple[Any, Any]] = {} if compiled_folder() is None else of_the_program(what, made)
    return found


def read_entry(path: Path) -> Entry:
    """One catalogue file; raises DataError with the file's name, the field and the reason."""
    try:
        entry = Entry.model_validate(json.loads(path.read_text("utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise DataError(
            "Model file {path}: field '{field}': {first}.",
            path=path.name,
            field=field or "entry",
            first=first["msg"].removeprefix("Value error, ").lower(),
        ) from None
    except ValueError as error:
        raise DataError("Model file {path} is not valid JSON: {error}.", path=path.name, error=str(error)) from None
    if entry.id != path.stem:
        raise DataError(
            "Model file {path}: field 'id' is '{entry}', but it must be the file's name.",
            path=path.name,
            entry=entry.id,
        )
    return entry


def read_catalogue(folder: Path) -> Mapping[str, Entry]:
    """Every entry of a folder by id, sorted by name."""
    entries = sorted((read_entry(path) for path in folder.glob("*.json")), key=lambda entry: entry.name.lower())
    if not entries:
        raise DataError("The model catalogue is empty: no *.json files in the folder '{folder}'.", folder=folder.name)
    return MappingProxyType({entry.id: entry for entry in entries})


@cache
def catalogue() -> Mapping[str, Entry]:
    """The bundled catalogue: checked as a whole where it has changed, its entries made when they are asked for."""
    return Lazily(of_the_program("models", _plain), _entry)


def _plain() -> dict[str, dict[str, Any]]:
    return {model_id: entry.model_dump() for model_id, entry in read_catalogue(MODELS_FOLDER).items()}


def _entry(plain: dict[str, Any]) -> Entry:
    """An entry that was checked before."""
    own_files = tuple(unchecked(OwnFile, file) for file in plain["own_files"])
    parameters = unchecked(ParameterCount, plain["parameters"])
    return unchecked(Entry, {**plain, "parameters": parameters, "own_files": own_files})
