"""Models from the Hub: a repository by its config.json or by its GGUF files, or one GGUF file in it."""

from __future__ import annotations

from dataclasses import replace

from advisor.errors import InputError
from advisor.models.blueprints import model_from_config
from advisor.models.model import Model
from advisor.sources import hub
from advisor.sources.addresses import HubAddress, hub_file_link
from advisor.sources.compare import compare_with_checkpoint
from advisor.sources.files import SPLIT_NAME, from_header
from advisor.sources.gguf_model import model_of
from advisor.sources.quantization import unpacked
from advisor.sources.repository import Repository, RepositoryFile, group_gguf
from advisor.sources.resolved import ResolvedModel
from advisor.units import gb

_QUANTIZED_NOTE = (
    "It is published quantized as {level}, {size} on disk exactly; "
    "the computed levels are those of the same model from 16-bit weights."
)


def from_repository(address: HubAddress, endpoint: str | None = None) -> ResolvedModel:
    """A repository, read as far as sizing needs."""
    repository = hub.read_repository(address, endpoint)
    try:
        return _from_config_of(repository)
    except InputError:
        if not repository.models:
            raise
    return _from_gguf_repository(repository, endpoint)


def _from_config_of(repository: Repository) -> ResolvedModel:
    if repository.config is None:
        raise InputError(
            f"{repository.id} has no config.json and no GGUF files, so the model's shape is not known; "
            "choose another repository."
        )
    model = model_from_config(repository.config)
    what = f"the repository's own tensors (commit {repository.revision[:8]})"
    source = f"From the config.json of {repository.id} (commit {repository.revision[:8]})."
    notes = list(repository.notices)
    how = repository.quantization
    if repository.text_tensors and how is not None and not how.readable:
        source = f"{source} How {how.kind} packs weights is not read here, so its tensors are not compared with it."
    elif repository.text_tensors:
        compared = compare_with_checkpoint(model, unpacked(repository.text_tensors, repository.config))
        source = f"{source} {compared.sentence(what)}"
        if not compared.agrees:
            notes.append(compared.sentence(what))
    elif not repository.tensors:
        notes.append("There are no safetensors files to compare with: sizes follow from config.json alone.")
    notes += _parts(repository)
    return _of_repository(repository, model, source, notes)


def _from_gguf_repository(repository: Repository, endpoint: str | None) -> ResolvedModel:
    """Without a usable config.json, the smallest complete GGUF file tells the model's shape."""
    chosen = next((file for file in reversed(repository.models) if file.complete), None)
    if chosen is None:
        raise InputError(f"No GGUF file of {repository.id} is complete; choose another repository.")
    remote = hub.read_gguf(repository.id, repository.revision, chosen, endpoint, public=not repository.private)
    found = model_of(remote.header)
    if found.model is None:
        raise InputError(f"{repository.id}: {found.note}")
    source = f"From the header of {chosen.name} in {repository.id} (commit {repository.revision[:8]}). {found.note}"
    return _of_repository(repository, found.model, source, [*repository.notices, *_parts(repository)])


def _of_repository(repository: Repository, model: Model, source: str, notes: list[str]) -> ResolvedModel:
    owner, _, name = repository.id.rpartition("/")
    return ResolvedModel(
        id=f"{repository.id}@{repository.revision}",
        name=name,
        model=model,
        source=source,
        publisher=owner,
        license=repository.license or "not stated",
        sources=(f"https://huggingface.co/{repository.id}/tree/{repository.revision}",),
        as_of=repository.read_on,
        notes=tuple(notes),
        repository=repository,
    )


def _parts(repository: Repository) -> list[str]:
    """What the repository holds beside the text model's 16-bit weights."""
    notes = []
    sizes = repository.bytes_by_part
    for part, what in (("vision", "vision part"), ("audio", "audio part")):
        if sizes.get(part):
            notes.append(
                f"Its {what} takes {gb(sizes[part])} as published; it is a file of its own (mmproj) and not counted."
            )
    if repository.quantization is not None:
        notes.append(_QUANTIZED_NOTE.format(level=repository.quantization.level, size=gb(repository.weight_bytes)))
    projectors = [file for file in repository.gguf if file.projector]
    if projectors:
        notes.append(
            f"{len(projectors)} projector file(s) for images or sound lie beside the model and are not counted."
        )
    return notes


def from_hub_file(address: HubAddress, endpoint: str | None) -> ResolvedModel:
    """One GGUF file by its link: its header is enough, the rest of the repository is not read."""
    split = SPLIT_NAME.search(address.path)
    paths = [address.path]
    if split is not None:
        stem = address.path[: split.start()]
        paths = [f"{stem}-{number:05}-of-{split[2]}.gguf" for number in range(1, min(int(split[2]), 999) + 1)]
    file = group_gguf(RepositoryFile(path, None) for path in paths)[0]
    remote = hub.read_gguf(address.repository, address.revision or "main", file, endpoint)
    link = hub_file_link(replace(address, revision=remote.revision))
    found = from_header(remote.header, link, address.path.rpartition("/")[2])
    owner = address.repository.partition("/")[0]
    return ResolvedModel(
        **{**vars(found), "publisher": owner, "sources": (link,), "license": found.license or "see its page"}
    )
