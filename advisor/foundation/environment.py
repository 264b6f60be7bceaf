"""The environment variables that the program reads, all of them; the README shows the same table.

They are read anew each time they are asked for. An empty one counts as not set, but for LLM_FIT_ADVISOR_CACHE.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, ClassVar, Literal, TypeVar, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, sentence
from advisor.foundation.often_read import CACHE, LANGUAGE

_Settings = TypeVar("_Settings", bound="Settings")
_Resolved = Annotated[Path, AfterValidator(lambda path: path.expanduser().resolve())]


def _separated_by(separator: str) -> BeforeValidator:
    def split(given: object) -> object:
        return [part.strip() for part in given.split(separator) if part.strip()] if isinstance(given, str) else given

    return BeforeValidator(split)


def _empty_is(default: int | None) -> BeforeValidator:
    return BeforeValidator(lambda given: default if given == "" else given)


QUOTAS: Mapping[str, int] = {"uploads": 30, "freezes": 60, "reads": 200, "runs": 10}


def _quotas(given: object) -> object:
    """ "uploads=5,runs=0" with the others as they are."""
    if not isinstance(given, str):
        return given
    told = dict(part.split("=", 1) for part in given.replace(" ", "").split(",") if part)
    if unknown := told.keys() - QUOTAS.keys():
        raise ValueError(f"no quotas: {unknown}")
    found = {name: int(number) for name, number in told.items()}
    if any(number < 0 for number in found.values()):
        raise ValueError("below zero")
    return {**QUOTAS, **found}


class Settings(BaseModel):
    """Fields by the variables that are their aliases; `empty_is_given` says whether an empty one is a value."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore", str_strip_whitespace=True)
    empty_is_given: ClassVar[bool] = False


class Environment(Settings):
    """What every part of the program may need. `title` says what a value must be, `description` what it does."""

    empty_is_given: ClassVar[bool] = True

    database: SecretStr = Field(
        SecretStr(""),
        alias="LLM_FIT_ADVISOR_DATABASE",
        title="an address like postgresql://user:password@host/database or sqlite:////path/to/file.sqlite3",
        description="Where frozen recommendations and runs are kept; unset: an SQLite file in the user's data folder",
    )
    cache: str | None = Field(
        None,
        alias=CACHE,
        title="a folder, or nothing",
        description="Where what was read from the Hub is kept; unset: the user's cache folder; nothing: not on disk",
    )
    url: str = Field(
        "",
        alias="LLM_FIT_ADVISOR_URL",
        title="an address like https://advisor.example.org",
        description="What links begin with where the server stands behind a proxy; unset: what the visitor used",
    )
    visible_gpus: str | None = Field(
        None,
        alias="CUDA_VISIBLE_DEVICES",
        title="numbers of GPUs",
        description="NVIDIA's own; where it is set, `detect` says that it lists all GPUs all the same",
    )

    quotas: Annotated[Mapping[str, int], BeforeValidator(_quotas)] = Field(
        QUOTAS,
        alias="LLM_FIT_ADVISOR_QUOTAS",
        title="numbers an hour, such as uploads=30,freezes=60,reads=200,runs=10",
        description="What one user may have an hour, an address five times as much: `uploads=30` (large ones count "
        "several times), `freezes=60`, "
        "`reads=200` of the Hub and of links, `runs=10`; unset: these",
    )
    proxies: Annotated[int | None, _empty_is(None)] = Field(
        None,
        ge=0,
        le=10,
        alias="LLM_FIT_ADVISOR_PROXIES",
        title="a number from 0 to 10",
        description="How many proxies of yours stand before the server: the visitor's address is told by them; unset: "
        "one, where it is on the same machine",
    )
    most_frozen: Annotated[int, _empty_is(20_000)] = Field(
        20_000,
        ge=0,
        alias="LLM_FIT_ADVISOR_MOST_FROZEN",
        title="a whole number",
        description="How many frozen recommendations are kept at the same time, of all visitors; 20000 unless set",
    )
    log: Literal["", "json"] = Field(
        "",
        alias="LLM_FIT_ADVISOR_LOG",
        title="json, or nothing",
        description="`json` writes logs as one object a line, without questions, names of files or secrets",
    )
    metrics_token: SecretStr = Field(
        SecretStr(""),
        alias="LLM_FIT_ADVISOR_METRICS_TOKEN",
        title="a secret of your own",
        description="Who sends it as `Authorization: Bearer ...` may read `/metrics`; unset: this machine alone",
    )
    roles: str = Field(
        "",
        alias="LLM_FIT_ADVISOR_ROLES",
        title="the path of a file that says who may do what, or anonymous",
        description="A file that says who may do what; where it is set people log in. Unset: nobody does; `anonymous` "
        "says so where `[auth]` is configured",
    )
    reports: Literal["", "here"] = Field(
        "",
        alias="LLM_FIT_ADVISOR_REPORTS",
        title="here, or nothing",
        description="`here`: reports are made in the server's own process alone; unset: where there are two cores, a "
        "second process helps while many are wanted",
    )
    language: str = Field(
        "",
        alias=LANGUAGE,
        title="the name of a language that there is, such as en or de-CH",
        description="The language of sentences, reports and errors where a link names none, such as `de-CH`; "
        "unset: `en`",
    )


class RealRunEnvironment(Settings):
    """What the real run needs besides: who may have what quantized, and with which programs."""

    enabled: bool = Field(
        False,
        alias="LLM_FIT_ADVISOR_QUANTIZE",
        title="on or off",
        description="Whether real runs are offered; off unless set",
    )
    folders: Annotated[tuple[_Resolved, ...], _separated_by(os.pathsep)] = Field(
        (),
        alias="LLM_FIT_ADVISOR_QUANTIZE_FOLDERS",
        title="folders separated as in PATH",
        description="Models in these folders may be quantized",
    )
    repositories: Annotated[tuple[str, ...], _separated_by(",")] = Field(
        (),
        alias="LLM_FIT_ADVISOR_QUANTIZE_REPOS",
        title="repositories separated by commas",
        description="Hub repositories that may be quantized; `owner/*` allows all of one owner",
    )
    output: Path | None = Field(
        None,
        alias="LLM_FIT_ADVISOR_QUANTIZE_OUTPUT",
        title="a folder",
        description="Where runs write their files; unset: `runs` in the user's data folder",
    )
    most_gb: float = Field(
        40.0,
        gt=0,
        lt=1e6,
        alias="LLM_FIT_ADVISOR_QUANTIZE_MAX_GB",
        title="a number of gigabytes, such as 40",
        description="How large a source's weights may be; 40 unless set",
    )
    queue: SecretStr = Field(
        SecretStr(""),
        alias="LLM_FIT_ADVISOR_QUEUE",
        title="an address that begins with postgresql:// or redis://",
        description="Hands runs to workers on several machines; `redis://...` needs `pip install redis`; "
        "unset: the database where it is PostgreSQL, else a file",
    )
    workers: Literal["", "elsewhere"] = Field(
        "",
        alias="LLM_FIT_ADVISOR_WORKERS",
        title="elsewhere, or nothing",
        description="`elsewhere`: the dashboard starts no worker, other machines have them; unset: one of its own",
    )
    compress_python: Path | None = Field(
        None,
        alias="LLM_FIT_ADVISOR_COMPRESS_PYTHON",
        title="the path of a Python",
        description="A Python that has `advisor/quantize/requirements-compress.txt`, for GPTQ, AWQ, FP8 and INT8",
    )
    llama_cpp_programs: Path | None = Field(
        None,
        alias="LLAMA_CPP_BIN",
        title="a folder",
        description="Holds `llama-quantize`, `llama-imatrix` and `llama-fit-params`; unset: looked for on PATH",
    )
    llama_cpp_tree: Path | None = Field(
        None,
        alias="LLAMA_CPP_DIR",
        title="a folder",
        description="llama.cpp's source tree, whose converter reads the architectures that are not written here",
    )
    llama_cpp_python: Path | None = Field(
        None,
        alias="LLAMA_CPP_PYTHON",
        title="the path of a Python",
        description="A Python that has what that converter imports, such as PyTorch; unset: the one that runs here",
    )


SETTINGS: tuple[type[Settings], ...] = (Environment, RealRunEnvironment)


def environment() -> Environment:
    """The variables that any part may need; raises InputError."""
    return _read(Environment, {})


def real_run_environment(given: Mapping[str, str] | None = None) -> RealRunEnvironment:
    """The variables of the real run, those in `given` before the process's own; raises InputError."""
    return _read(RealRunEnvironment, given or {})


def variable(settings: type[Settings], name: str) -> str:
    """The environment variable behind a field: variable(Environment, "url") is "LLM_FIT_ADVISOR_URL"."""
    return settings.model_fields[name].alias or name


def must_be(settings: type[Settings], name: str) -> Message:
    """What is said of a field whose variable holds something else."""
    title = settings.model_fields[name].title or ""
    return sentence("{variable} must be {title}.", variable=variable(settings, name), title=title)


def _read(settings: type[_Settings], given: Mapping[str, str]) -> _Settings:
    # Pages ask for them again and again; reading takes as long as a small page.
    names = ("HOME", *(field.alias or name for name, field in settings.model_fields.items()))
    found: _Settings = _read_once(settings, tuple(given.items()), tuple(map(os.environ.get, names)))
    return found


@lru_cache(maxsize=16)
def _read_once(
    settings: type[_Settings], given: tuple[tuple[str, str], ...], _held: tuple[str | None, ...]
) -> _Settings:
    # Those of the process are read here and not asked of the caller: he only says when they have changed.
    names = [field.alias or name for name, field in settings.model_fields.items()]
    held = {name: os.environ[name] for name in names if name in os.environ}
    set_there = {name: value for name, value in held.items() if value or settings.empty_is_given}
    if not set_there and not given:
        return cast(_Settings, settings.model_construct())  # which needs no schema: defaults are not validated either
    try:
        return settings.model_validate({**set_there, **dict(given)})
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]["loc"][0]
        # The value stays unsaid: it may be an address with a password.
        name = next(name for name, field in settings.model_fields.items() if field.alias == wrong)
        raise InputError.saying(must_be(settings, name)) from None
