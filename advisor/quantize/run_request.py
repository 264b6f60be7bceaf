"""What a run is asked to do, checked before it is queued and again before it starts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from advisor.formats.gguf_levels import LEVELS, Level
from advisor.foundation.errors import InputError, choose_one_of, nearest, one_line
from advisor.quantize import tinylm
from advisor.quantize.allowed import QuantizeSettings
from advisor.quantize.packaged import packaged_folder

MATRIX_OF_TINYLM = "tinylm"


class RunRequest(BaseModel):
    """One run. `location` is a path, a repository or the name of an installed model; `matrix` a path, "make" (with
    llama-imatrix) or "".

    `method` says what makes the levels: our GGUF quantizer, or llmcompressor with one of its modifiers. `text` is the
    evaluation text's path, "" the one that comes along. `program` says who does GGUF's arithmetic.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Literal["tinylm", "package", "folder", "gguf", "hub"]
    location: str = Field(default="", max_length=4096)
    levels: tuple[str, ...] = Field(min_length=1)
    method: Literal["gguf", "gptq", "awq", "rtn"] = "gguf"
    matrix: str = Field(default="", max_length=4096)
    text: str = Field(default="", max_length=4096)
    chunks: int = Field(default=100, ge=2, le=10_000)
    measure: bool = True
    keep_files: bool = True
    program: Literal["library", "llama-quantize"] = "library"

    @property
    def chosen_levels(self) -> tuple[Level, ...]:
        return tuple(LEVELS[name] for name in self.levels)

    @property
    def name(self) -> str:
        """What the source is called, without its folder."""
        return "tinylm" if self.source == "tinylm" else one_line(Path(self.location).name, 60)


def parse_request(text: str) -> RunRequest:
    try:
        return RunRequest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError("The run's '{where}' cannot be used: {first}.", where=where, first=first["msg"]) from None


def check_request(request: RunRequest, settings: QuantizeSettings) -> None:
    """Raise InputError for whatever can be seen before anything is read or downloaded."""
    settings.check_enabled()
    if len(request.levels) > settings.most_levels or len(set(request.levels)) != len(request.levels):
        raise InputError("A run makes at most {most_levels} levels, each once.", most_levels=settings.most_levels)
    if request.method != "gguf" and request.source == "gguf":
        raise InputError("llmcompressor needs a model folder or a repository, not a GGUF file.")
    for name in request.levels if request.method == "gguf" else ():
        if name not in LEVELS or LEVELS[name].native_only:
            raise InputError(
                "'{name}' is no level that can be made; {hint}",
                name=one_line(name),
                hint=nearest(name, LEVELS) or choose_one_of(LEVELS),
            )
    if request.source == "hub":
        settings.allowed_repository(request.location)
    elif request.source == "package":
        packaged_folder(request.location)
    elif request.source != "tinylm":
        settings.allowed_path(request.location)
    text_of(request, settings)
    matrix_of(request, settings)


def local_folder(request: RunRequest, settings: QuantizeSettings) -> Path:
    """The folder of a model that is on this machine already."""
    if request.source == "package":
        return packaged_folder(request.location)
    return tinylm.FOLDER if request.source == "tinylm" else settings.allowed_path(request.location)


def text_of(request: RunRequest, settings: QuantizeSettings) -> Path:
    """The evaluation text."""
    return settings.allowed_path(request.text) if request.text else tinylm.EVALUATION_TEXT


def matrix_of(request: RunRequest, settings: QuantizeSettings) -> Path | None:
    """The importance matrix to be read, None where there is none or it is yet to be made."""
    if request.matrix in ("", "make"):
        return None
    if request.matrix == MATRIX_OF_TINYLM and request.source == "tinylm":
        return tinylm.IMPORTANCE_MATRIX
    return settings.allowed_path(request.matrix)


TRY_IT_NOW = RunRequest(source="tinylm", levels=tinylm.QUICK_LEVELS, chunks=52)
