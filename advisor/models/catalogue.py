"""The bundled catalogue: one JSON file per model under `data/models/`.

JSON rather than YAML because an entry is mostly the publisher's own `config.json`, kept under its original
key names, and because 234 files must load in a blink.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from advisor.foundation.errors import DataError
from advisor.foundation.places import data_folder
from advisor.models.blueprints import model_from_config
from advisor.models.model import Model

MODELS_FOLDER = data_folder() / "models"
_ID = r"^[a-z0-9]+([.\-_][a-z0-9]+)*$"


class ParameterCount(BaseModel):
    """`counted` is the text model's weights by our own tensor table, without multi-token-prediction layers.

    `published` is the exact total the publisher or the Hub states; where it differs from ours (with or
    without those layers), `difference` says why in a sentence.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    counted: int = Field(gt=0)
    published: int | None = Field(gt=0)
    published_is_recalled: bool
    difference: str | None


class Entry(BaseModel):
    """A model of the catalogue, with where its figures come from."""

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

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
    config: dict[str, Any]

    @model_validator(mode="after")
    def _verified_by_a_source(self) -> Entry:
        if self.confidence == "verified" and not self.sources:
            raise ValueError("a verified entry needs at least one source")
        return self

    @cached_property
    def model(self) -> Model:
        """The model this entry's config describes."""
        return model_from_config(self.config)


def read_entry(path: Path) -> Entry:
    """One catalogue file; raises DataError with the file's name, the field and the reason."""
    try:
        entry = Entry.model_validate(json.loads(path.read_text("utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise DataError(
            f"Model file {path.name}: field '{field or 'entry'}': {first['msg'].removeprefix('Value error, ').lower()}."
        ) from None
    except ValueError as error:
        raise DataError(f"Model file {path.name} is not valid JSON: {error}.") from None
    if entry.id != path.stem:
        raise DataError(f"Model file {path.name}: field 'id' is '{entry.id}', but it must be the file's name.")
    return entry


def read_catalogue(folder: Path) -> Mapping[str, Entry]:
    """Every entry of a folder by id, sorted by name."""
    entries = sorted((read_entry(path) for path in folder.glob("*.json")), key=lambda entry: entry.name.lower())
    if not entries:
        raise DataError(f"The model catalogue is empty: no *.json files in the folder '{folder.name}'.")
    return MappingProxyType({entry.id: entry for entry in entries})


@cache
def catalogue() -> Mapping[str, Entry]:
    """The bundled catalogue, read once."""
    return read_catalogue(MODELS_FOLDER)
