"""The catalogue as lists for programs: models and machines, all of them or those that some words mean."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from advisor.machines.catalogue import machines
from advisor.machines.find import MachineFinder
from advisor.machines.machine import Machine
from advisor.models.catalogue import Entry, catalogue
from advisor.models.find import find_models
from advisor.words import told

MODELS, MACHINES = "models/1", "machines/1"
MOST = 1000  # more than there are


def models_document(words: str = "", limit: int = MOST) -> dict[str, Any]:
    """Models of the catalogue, those that `words` may mean with the likeliest first; bytes and counts are integers."""
    known = catalogue()
    ids = [found.id for found in find_models(words, limit)] if words.strip() else list(known)[:limit]
    return {"schema": MODELS, "words": words, "models": [_model(known[id]) for id in ids]}


def machines_document(words: str = "", limit: int = MOST) -> dict[str, Any]:
    """Machines of the catalogue, those that `words` may mean with the likeliest first.

    `gpus` is how many of it the words ask for ("2x 3090"), null where they do not say.
    """
    known = machines()
    if not words.strip():
        rows = [_machine(one, None) for one in list(known.values())[:limit]]
    else:
        rows = [_machine(known[found.id], found.count) for found in _finder().find(words, limit)]
    return {"schema": MACHINES, "words": words, "machines": rows}


def models_table(document: Mapping[str, Any]) -> str:
    """The same for people: a line a model."""
    return "\n".join(
        f"{row['id']:44} {row['parameters'] / 1e9:>8.1f} B  {row['released']:10}  {row['name']}"
        for row in document["models"]
    ) or told("No model of the catalogue is called like {words}.", words=repr(document["words"]))


def machines_table(document: Mapping[str, Any]) -> str:
    """The same for people: a line a machine."""
    return "\n".join(
        f"{row['id']:36} {(row['memory_bytes'] or 0) / 2**30:>8.1f} GiB  {row['kind']:18} {row['name']}"
        for row in document["machines"]
    ) or told("No machine of the catalogue is called like {words}.", words=repr(document["words"]))


@cache
def _finder() -> MachineFinder:
    return MachineFinder(machines())


def _model(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "name": entry.name,
        "publisher": entry.publisher,
        "family": entry.family,
        "variant": entry.variant,
        "parameters": entry.model_parameters,
        "active_parameters": entry.active_parameters,
        "context_length": entry.context_length,
        "licence": entry.license,
        "released": entry.released,
        "repository": entry.hf_repo,
    }


def _machine(one: Machine, gpus: int | None) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "vendor": one.vendor,
        "kind": one.kind,
        "release_year": one.release_year,
        "memory_bytes": one.memory_bytes or None,
        "devices": one.count,
        "unified": one.unified,
        "bandwidth_bytes_per_s": None if one.bandwidth_bytes_per_s is None else int(one.bandwidth_bytes_per_s),
        "price_usd": None if (price := one.price_on(None)) is None else price.typical,
        "gpus": gpus,
    }
