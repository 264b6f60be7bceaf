"""Models from the Hub: a repository by its config.json or by its GGUF files, or one GGUF file in it."""

from __future__ import annotations

import re
from dataclasses import replace

from advisor.foundation.errors import InputError, one_line
from advisor.foundation.message import NOTHING, Message, fact, sentence
from advisor.foundation.units import gb
from advisor.models.blueprints import known_to_nobody, model_from_config
from advisor.models.model import Model
from advisor.sources import hub
from advisor.sources.addresses import HubAddress, hub_file_link
from advisor.sources.declared_size import declared_notes
from advisor.sources.files import SPLIT_NAME, from_header
from advisor.sources.gguf_model import model_of
from advisor.sources.quantization import unpacked
from advisor.sources.repository import GgufFile, Repository, RepositoryFile, group_gguf
from advisor.sources.resolved import ResolvedModel
from advisor.sources.tensor_comparison import compare_with_checkpoint
from advisor.sources.unknown_checkpoint import observed_checkpoint


def from_repository(address: HubAddress, endpoint: str | None = None) -> ResolvedModel:
    """A repository, read as far as sizing needs."""
    repository = hub.read_repository(address, endpoint)
    try:
        return _from_config_of(repository)
    except InputError as error:
        if not repository.models:
            if (assumed := _from_tensors_of(repository)) is not None:
                return assumed
            what = _sizes_of(repository)
            if what is None:
                raise
            raise InputError("{error} {sizes}", error.suggestions, error=error.message, sizes=what) from None
    return _from_gguf_repository(repository, endpoint)


def _from_tensors_of(repository: Repository) -> ResolvedModel | None:
    """A repository whose architecture is not known, by what its tensors and its config say all the same."""
    config, how = repository.config, repository.quantization
    if config is None or not repository.text_tensors or (how is not None and not how.readable):
        return None
    if not known_to_nobody(config):
        return None
    names = config.get("architectures")
    name = one_line(names[0] if isinstance(names, list) and names else config.get("model_type", ""), 60)
    model = observed_checkpoint(unpacked(repository.text_tensors, config), config, name)
    if model is None:
        return None
    source = sentence(
        "From the tensors of {repository} (commit {revision}): its architecture '{architecture}' is not known to this "
        "version.",
        repository=repository.id,
        revision=repository.revision[:8],
        architecture=name,
    )
    return _of_repository(repository, model, source, [*repository.notices, *_parts(repository)])


def _sizes_of(repository: Repository) -> Message | None:
    """What is known of a repository even so: how much its files hold."""
    files = [f"{file.level} {gb(file.bytes)}" for file in repository.models if file.level and file.bytes]
    if files:
        return sentence("Its GGUF files: {files}.", files=", ".join(files[:12]))
    if repository.tensors:
        return sentence("Its weights take {size:gb} as published.", size=repository.weight_bytes)
    return None


def _from_config_of(repository: Repository) -> ResolvedModel:
    if repository.config is None:
        raise InputError(
            "{repository} has no config.json and no GGUF files, so the model's shape is not known; "
            "choose another repository.",
            repository=repository.id,
        )
    model = model_from_config(repository.config)
    what = sentence("the repository's own tensors (commit {revision})", revision=repository.revision[:8])
    source = sentence(
        "From the config.json of {repository} (commit {revision}).",
        repository=repository.id,
        revision=repository.revision[:8],
    )
    notes = list(repository.notices)
    how = repository.quantization
    if repository.text_tensors and how is not None and not how.readable:
        source = sentence(
            "{source} How {kind} packs weights is not read here, so its tensors are not compared with it.",
            source=source,
            kind=how.kind,
        )
    elif repository.text_tensors:
        compared = compare_with_checkpoint(model, unpacked(repository.text_tensors, repository.config))
        source = sentence("{source} {compared}", source=source, compared=compared.sentence(what))
        if not compared.agrees:
            notes.append(compared.sentence(what))
    elif not repository.tensors:
        notes.append(sentence("There are no safetensors files to compare with: sizes follow from config.json alone."))
        notes += declared_notes(model, repository.config)
    notes += _parts(repository)
    return _of_repository(repository, model, source, notes)


def _from_gguf_repository(repository: Repository, endpoint: str | None) -> ResolvedModel:
    """Without a usable config.json, the smallest complete GGUF file tells the model's shape."""
    chosen = next((file for file in reversed(repository.models) if file.complete), None)
    if chosen is None:
        raise InputError(
            "No GGUF file of {repository} is complete; choose another repository.", repository=repository.id
        )
    remote = hub.read_gguf(repository.id, repository.revision, chosen, endpoint, public=not repository.private)
    found = model_of(remote.header)
    if found.model is None:
        sizes = _sizes_of(repository) or NOTHING
        raise InputError("{repository}: {note} {sizes}", repository=repository.id, note=found.note, sizes=sizes)
    source = sentence(
        "From the header of {chosen} in {repository} (commit {revision}). {note}",
        chosen=chosen.name,
        repository=repository.id,
        revision=repository.revision[:8],
        note=found.note,
    )
    return _of_repository(repository, found.model, source, [*repository.notices, *_parts(repository)])


def _of_repository(repository: Repository, model: Model, source: Message, notes: list[Message]) -> ResolvedModel:
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


def _parts(repository: Repository) -> list[Message]:
    """What the repository holds beside the text model's 16-bit weights."""
    notes = []
    sizes = repository.bytes_by_part
    for part, what in (("vision", sentence("vision part")), ("audio", sentence("audio part"))):
        if sizes.get(part):
            notes.append(
                sentence(
                    "Its {what} takes {size:gb} as published; for llama.cpp it is a file of its own (mmproj).",
                    what=what,
                    size=sizes[part],
                )
            )
    if repository.quantization is not None:
        notes.append(
            sentence(
                "It is published quantized as {level}, {size:gb} on disk exactly; the computed levels are those of the "
                "same model from 16-bit weights.",
                level=repository.quantization.level,
                size=repository.weight_bytes,
            )
        )
    projectors = [file for file in repository.gguf if file.projector]
    if projectors:
        notes.append(fact("projectors_beside", n=len(projectors)))
    return notes


def is_folder(path: str) -> bool:
    """Whether a path within a repository is a folder's, as far as its name tells."""
    return bool(path) and "." not in path.rpartition("/")[2].replace(".gguf", "")


def from_chosen_file(address: HubAddress, endpoint: str | None) -> ResolvedModel:
    """The GGUF file that a tag or a folder names: `org/name:Q4_K_M`, `.../tree/main/Q6_K`."""
    repository = hub.read_repository(address, endpoint)
    inside = tuple(file for file in repository.models if not address.path or file.name.startswith(f"{address.path}/"))
    if not address.tag and not inside:  # a folder of something else: the repository is meant
        return from_repository(replace(address, path=""), endpoint)
    found = [file for file in inside if file.complete and _is_tagged(file, address.tag)]
    # The level itself before a publisher's mix of it, then what lies at the top.
    found.sort(key=lambda file: (file.level.upper() != address.tag.upper(), file.name.count("/"), file.name))
    if not found or (len(found) > 1 and not address.tag):
        raise _no_choice(address, inside)
    return from_hub_file(replace(address, path=found[0].paths[0], tag="", revision=repository.revision), endpoint)


def _is_tagged(file: GgufFile, tag: str) -> bool:
    """As llama.cpp takes `-hf org/name:tag`: what the name holds, whatever its case."""
    return not tag or re.search(rf"(?<![a-z0-9]){re.escape(tag)}(?![a-z0-9_])", file.name, re.IGNORECASE) is not None


def _no_choice(address: HubAddress, files: tuple[GgufFile, ...]) -> InputError:
    name = address.repository
    if not files:
        return InputError(
            "{name} holds no GGUF file, so ':{tag}' names nothing in it; leave it out.",
            (name,),
            name=name,
            tag=address.tag[:40],
        )
    levels = tuple(dict.fromkeys(file.level for file in files if file.level))
    what = (
        f"no complete GGUF file at '{address.tag[:40]}'"
        if address.tag
        else f"several GGUF files in {address.path[:80]}"
    )
    return InputError(
        "{name} has {what}; it has {levels}.",
        [f"{name}:{level}" for level in levels[:12]],
        name=name,
        what=what,
        levels=", ".join(levels[:12]) or "files without a level in their names",
    )


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
