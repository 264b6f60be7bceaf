"""`python -m advisor refresh models`: entries of the catalogue, proposed from what is popular on the Hub for review.

Of a repository its card and its config.json are read, never a weight or its header. What a model is, is left to whoever
reviews the difference: a total that does not follow from the tensors is said to be unexplained.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from difflib import unified_diff
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from advisor.foundation.errors import InputError, one_line
from advisor.foundation.places import data_folder
from advisor.models.blueprints import model_from_config
from advisor.models.catalogue import Entry, catalogue
from advisor.models.model import Model
from advisor.models.names import find_by_repository
from advisor.sources.hub_lists import Card, config_text, gguf_of, popular
from advisor.sources.hub_lists import card_of as read_card
from advisor.sources.published_files import REPOSITORIES, USUAL
from advisor.sources.search import Order

_GGUF_REPOSITORIES = 4
_HUB = "https://huggingface.co"
# What of a config shapes nothing: who loads it how, and the numbers of some tokens.
_NEEDLESS = re.compile(
    r"^(_.*|auto_map|transformers_version|.*_token_ids?|.*_token_index|use_cache|torch_dtype|dtype|initializer_.*"
    r"|.*dropout|output_(attentions|hidden_states)|return_dict|label2id|architectures_.*|quantization_config"
    r"|pretraining_tp|gradient_checkpointing)$"
)
_TUNED = re.compile(r"(?<![a-z])(it|chat|instruct\w*|assistant|sft|dpo|rl)(?![a-z])")
_THINKS = re.compile(r"(?<![a-z])(think\w*|reason\w*|r1|qwq)(?![a-z])")


@dataclass(frozen=True)
class Proposed:
    """What one repository came to: an `entry` and lines for `published_repositories.csv`, or a `problem`."""

    repository: str
    entry: Entry | None = None
    gguf: tuple[str, ...] = ()
    problem: str = ""


def propose(
    repositories: Iterable[str],
    today: date,
    endpoint: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Proposed, ...]:
    """An entry for each repository that the catalogue has none of; what goes wrong with one leaves the others alone."""
    found: list[Proposed] = []
    wanted = list(dict.fromkeys(repositories))
    for number, repository in enumerate(wanted, start=1):
        progress(f"{number} of {len(wanted)}: {repository}")
        try:
            found.append(_proposed(repository, today, endpoint))
        except InputError as error:
            found.append(Proposed(repository, problem=str(error)))
    return tuple(found)


def unknown_of(order: Order, limit: int, endpoint: str | None = None) -> tuple[str, ...]:
    """At most `limit` popular repositories that the catalogue has no model of."""
    found: list[str] = []
    for repository in popular(order, max(limit * 2, 20), endpoint):
        if find_by_repository(repository) is None and repository not in found:
            found.append(repository)
    return tuple(found[:limit])


def _proposed(repository: str, today: date, endpoint: str | None) -> Proposed:
    if (known := find_by_repository(repository)) is not None and known.hf_repo.lower() == repository.lower():
        return Proposed(repository, problem=f"the catalogue has it as {known.id}")
    card = read_card(repository, endpoint)
    entry = entry_of(card, config_text(card, endpoint), today)
    return Proposed(repository, entry, gguf_of(card.repository, _GGUF_REPOSITORIES, endpoint))


def entry_of(card: Card, config: str, today: date) -> Entry:
    """The entry that follows from a card and the text of a config.json; raises InputError where none does."""
    try:
        raw = json.loads(config)
    except (ValueError, RecursionError):
        raise InputError("config.json of {repository} is not valid JSON.", repository=card.repository) from None
    if isinstance(raw, dict) and "quantization_config" in raw and not _is_native(raw):
        raise InputError("{repository} holds a quantized copy.", repository=card.repository)
    model = model_from_config(raw)
    owner, _, name = card.repository.partition("/")
    values = {
        "id": re.sub(r"[^a-z0-9.]+|[.]{2,}", "-", name.lower()).strip("-."),
        "name": re.sub(r"[-_]+", " ", name)[:80],
        "publisher": _of_same_owner(owner) or owner,
        "hf_repo": card.repository,
        "license": card.license or "unknown",
        "released": card.created or today.isoformat(),
        "family": _family(card, model, name),
        "variant": _variant(card, name, model),
        "parameters": _parameters(card, model),
        "active_parameters_published": None,
        "confidence": "verified",
        "recalled_fields": [],
        "notes": None,
        "corrections": None,
        "sources": [f"{_HUB}/{card.repository}/blob/{card.revision}/config.json"],
        "as_of": today.isoformat()[:7],
        "config": _shaping(raw),
    }
    try:
        entry = Entry.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InputError(
            "{repository} makes no entry: {field}: {reason}.",
            repository=card.repository,
            field=str(first["loc"][0]) if first["loc"] else "entry",
            reason=one_line(first["msg"], 120),
        ) from None
    if entry.id in catalogue():
        raise InputError("{repository}: the catalogue has another {id}.", repository=card.repository, id=entry.id)
    if entry.model.parameters != model.parameters:
        raise InputError("{repository}: its config says less without what shapes nothing.", repository=card.repository)
    return entry


def _is_native(raw: Mapping[str, Any]) -> bool:
    """Whether the publisher's own weights are stored like this: DeepSeek's FP8, gpt-oss's MXFP4."""
    how = raw.get("quantization_config")
    return isinstance(how, Mapping) and how.get("quant_method") in ("fp8", "mxfp4")


def _shaping(raw: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in raw.items() if not _NEEDLESS.fullmatch(key)}
    return {key: _shaping(value) if isinstance(value, dict) else value for key, value in kept.items()}


def _parameters(card: Card, model: Model) -> dict[str, Any]:
    published, difference = card.parameters, None
    if published is None:
        difference = "The Hub has not counted its weights."
    elif published not in (model.parameters, model.parameters + model.mtp_parameters):
        more = published - model.parameters
        parts = "the vision part" if model.tower is not None else "what is not looked into yet"
        difference = f"The Hub counts {abs(more):,} {'more' if more > 0 else 'less'}: {parts}."
    values = {"counted": model.parameters, "published": published, "published_is_recalled": False}
    return {**values, "difference": difference}


def _of_same_owner(owner: str) -> str:
    owned = (entry.publisher for entry in catalogue().values() if entry.hf_repo.partition("/")[0] == owner)
    return next(owned, "")


def _family(card: Card, model: Model, name: str) -> str:
    """That of the newest model of this owner with the same architecture; else the first words of the name."""
    owner = card.repository.partition("/")[0]
    like = [
        entry
        for entry in catalogue().values()
        if entry.hf_repo.partition("/")[0] == owner and entry.model.architecture == model.architecture
    ]
    if like:
        return max(like, key=lambda entry: entry.released).family
    return re.split(r"[-_]", name)[0]


def _variant(card: Card, name: str, model: Model) -> str:
    if not model.writes or card.pipeline in ("feature-extraction", "text-ranking", "sentence-similarity"):
        return "embedding"
    if card.pipeline in ("image-text-to-text", "any-to-any"):
        return "vision"
    if _THINKS.search(name.lower()):
        return "reasoning"
    return "instruct" if _TUNED.search(name.lower()) or "conversational" in card.tags else "base"


def difference_of(found: Iterable[Proposed], today: date, folder: Path | None = None) -> str:
    """What --write would change, as a difference to review: new files, and rows at the end of a table."""
    folder = folder or data_folder()
    lines: list[str] = []
    rows: list[str] = []
    for one in found:
        if one.entry is not None:
            lines += unified_diff((), _text_of(one.entry).splitlines(), "/dev/null", _path_of(one.entry), lineterm="")
            rows += _rows_of(one, today)
    if rows:
        table = (folder / REPOSITORIES.name).read_text("utf-8").splitlines()
        name = f"data/{REPOSITORIES.name}"
        lines += unified_diff(table, [*table, *rows], name, name, n=1, lineterm="")
    return "\n".join(lines)


def write_all(found: Iterable[Proposed], today: date, folder: Path | None = None) -> tuple[str, ...]:
    """Write the entries and rows; the paths that were. An entry that is there already is never replaced."""
    folder = folder or data_folder()
    written: list[str] = []
    rows: list[str] = []
    for one in found:
        if one.entry is None or (path := folder / "models" / f"{one.entry.id}.json").exists():
            continue
        path.write_text(_text_of(one.entry) + "\n", "utf-8")
        written.append(_path_of(one.entry))
        rows += _rows_of(one, today)
    if rows:
        with (folder / REPOSITORIES.name).open("a", encoding="utf-8", newline="") as table:
            table.write("".join(f"{row}\n" for row in rows))
        written.append(f"data/{REPOSITORIES.name}")
    return tuple(written)


def _path_of(entry: Entry) -> str:
    return f"data/models/{entry.id}.json"


def _text_of(entry: Entry) -> str:
    """As the other files of the catalogue are written."""
    return json.dumps(entry.model_dump(exclude={"own_files"}), indent=1, ensure_ascii=False)


def _rows_of(one: Proposed, today: date) -> Iterator[str]:
    if one.entry is not None:
        for repository in one.gguf:
            if repository.partition("/")[0] not in USUAL:  # nobody here knows which levels they offer
                continue
            held = io.StringIO()
            source = f"{_HUB}/models?other=base_model:quantized:{one.repository}"
            csv.writer(held, lineterminator="").writerow((one.entry.id, repository, source, today.isoformat()))
            yield held.getvalue()


def report(found: Iterable[Proposed]) -> str:
    """What each repository came to, for people: one line each."""
    told = []
    for one in found:
        if one.entry is None:
            told.append(f"{one.repository}: {one.problem}")
            continue
        counts = one.entry.parameters
        said = f"{counts.counted:,} weights" + (f"; {counts.difference}" if counts.difference else ", as published")
        told.append(f"{one.repository}: {one.entry.id}, {said}; GGUF repositories: {', '.join(one.gguf) or 'none'}")
    return "\n".join(told)
