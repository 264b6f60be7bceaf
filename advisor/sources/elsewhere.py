"""Models from outside the catalogue: a Hub repository, a GGUF link or file, an upload, a config, or a mere size."""

from __future__ import annotations

from dataclasses import replace

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.safetensors_levels import find_safetensors_level
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, sentence
from advisor.models.catalogue import Entry, catalogue
from advisor.models.find import the_only_model
from advisor.models.host_names import VARIANTS, is_routed, without_host
from advisor.models.lookup import unknown_model
from advisor.models.names import find_by_host_name, find_by_name, find_by_repository, split_form, words_of
from advisor.sources.addresses import HubAddress, check_link, hub_file_link, parse_address
from advisor.sources.command_lines import Pasted, unwrap
from advisor.sources.files import from_config_text, from_link, from_path, is_local_file
from advisor.sources.form_in_name import level_in_name
from advisor.sources.free_size import looks_like_size, typical_model
from advisor.sources.from_hub import from_chosen_file, from_hub_file, from_repository, is_folder
from advisor.sources.gguf_model import level_of_name
from advisor.sources.hub_errors import HubError, HubForbidden, HubUnreachable
from advisor.sources.other_hubs import OtherHub, by_ollama_name, entry_of, from_other_hub
from advisor.sources.raw_parts import is_gguf_name
from advisor.sources.resolved import ResolvedModel, from_entry, today
from advisor.sources.uploads import find_upload, is_upload


def find_elsewhere(text: str, *, allow_local: bool = False, endpoint: str | None = None) -> ResolvedModel:
    """The model that `text` names, as `advisor.sources.resolve.find_any_model` describes it."""
    if text.startswith("{"):
        return from_config_text(text)
    if allow_local and "://" not in text and is_local_file(text):
        return from_path(text)
    pasted = unwrap(text)
    text = pasted.name
    if looks_like_size(text):
        return from_size(text)
    if is_upload(text):
        return find_upload(text)
    if allow_local and "://" not in text and (is_local_file(text) or _names_a_file(text)):
        return from_path(text)
    address = _address(pasted)
    if isinstance(address, HubAddress):
        return from_hub(address, endpoint)
    if isinstance(address, OtherHub):
        return from_other_hub(address)
    if address is not None:
        return from_link(address, allow_local)
    entry, level = _must_be_known(pasted, allow_local)
    found, mix = from_entry(entry), _mix_in(text)
    return replace(found, level=level, notes=(*found.notes, _not_chosen(mix)) if mix else found.notes)


def canonical(text: str) -> str:
    """`text` as a link should hold it, short and without what else a pasted address carries, such as a password.

    Raises InputError for what can never be the name of a model. Nothing is asked for, and no local file is read.
    """
    if text.startswith("{"):
        return text
    pasted = unwrap(text)
    text = pasted.name
    if looks_like_size(text) or is_upload(text):
        return text
    address = _address(pasted)
    if isinstance(address, HubAddress):
        if address.path and (is_gguf_name(address.path) or is_folder(address.path)):
            return hub_file_link(address)
        return str(address) if "/" in address.repository else f"https://huggingface.co/{address.repository}"
    if isinstance(address, OtherHub):
        return _with_level(*entry_of(address))
    if address is None:
        entry, level = _must_be_known(pasted, allow_local=False)
        return _with_level(entry, level or _mix_in(text))
    check_link(address)
    return address


def _address(pasted: Pasted) -> HubAddress | OtherHub | str | None:
    """What was pasted as an address, with the file that a command names beside the repository."""
    if is_routed(pasted.name):
        return None
    address = parse_address(pasted.name)
    if isinstance(address, HubAddress) and address.tag.lower() in VARIANTS:
        address = replace(address, tag="")
    if isinstance(address, HubAddress) and pasted.file and not address.path:
        if is_gguf_name(pasted.file) and "*" not in pasted.file:
            return replace(address, path=pasted.file)
        return replace(address, tag=level_of_name(pasted.file.replace("*", "-")) or address.tag)
    return address


def _with_level(entry: Entry, level: str | None) -> str:
    return f"{entry.id}:{level}" if level else entry.id


def _must_be_known(pasted: Pasted, allow_local: bool) -> tuple[Entry, str | None]:
    """The model of the catalogue that a name means, and the level that its tag names."""
    text = pasted.name
    if not allow_local and _names_a_file(text):
        raise InputError("Files are not read by path here: upload the file, or give a Hub repository or a link.")
    known = catalogue()
    name, _, tag = text.partition(":")
    if name.lower() in known and (named := _level_called(tag)) is not None:
        return known[name.lower()], named
    if not pasted.ollama and (found := known.get(text.lower())) is not None:
        return found, None
    if not pasted.ollama and not tag:
        for spelt in (text, split_form(text)[0]):
            if (exact := _spelt(spelt)) is not None:
                return exact, None if spelt == text else level_in_name(text, exact)
    if not pasted.ollama and (served := find_by_host_name(text)) is not None:
        return served, None
    meant, level = by_ollama_name(text)
    meant = meant or find_by_repository(text) or the_only_model(text)
    if meant is None:
        raise unknown_model(text)
    return meant, level if level in LEVELS else None


def _spelt(text: str) -> Entry | None:
    """The model that is called so, but for case and what stands between the words."""
    found = find_by_name(text)
    if found is None:
        return None
    names = (found.id, found.name, found.hf_repo.rpartition("/")[2])
    return found if any(set(words_of(text)) == {*words_of(name)} for name in names) else None


def _level_called(tag: str) -> str | None:
    """The level of this name, whatever the case of llama.cpp's; None for what is no level."""
    if tag.upper() in LEVELS:
        return tag.upper()
    try:
        return find_safetensors_level(tag).name
    except InputError:
        return None


def _mix_in(name: str) -> str:
    """The publisher's own mix that a name ends in, as UD-Q4_K_XL, or "": only its file tells its bytes."""
    level = level_of_name(name)
    return "" if level in LEVELS else level


def _not_chosen(mix: str) -> Message:
    return sentence("What its file {file} holds is not known; no level was chosen.", file=mix[:40])


def _names_a_file(text: str) -> bool:
    return (
        text.lower().endswith((".json", ".gguf", ".safetensors"))
        or text.startswith(("/", "./", "../", "~"))
        or "\\" in text
    )


def from_size(text: str) -> ResolvedModel:
    """A typical model of a size."""
    found = typical_model(text)
    return ResolvedModel(
        id=text.strip(),
        name=found.name,
        model=found.model,
        source=found.sentence,
        as_of=today(),
        notes=(found.sentence,),
        size_range=(found.low, found.high),
    )


def from_hub(address: HubAddress, endpoint: str | None = None) -> ResolvedModel:
    """A repository on the Hub, or one GGUF file in it; where it cannot be read, the catalogue may know it."""
    try:
        found = _read_hub(address, endpoint)
    except (HubForbidden, HubUnreachable) as error:
        known, level = _known_repository(address)
        if known is None:
            raise
        note = sentence(
            "The catalogue's figures are shown for {repository}, because it could not be read: {error}",
            repository=address.repository,
            error=error.message,
        )
        if level is None and (named := level_of_name(address.path) or address.tag):
            note = sentence("{note} {file}", note=note, file=_not_chosen(named))
        return replace(from_entry(known), notes=(note,), level=level)
    except HubError as error:
        if (known := _known_repository(address)[0]) is None:
            raise
        raise HubError(
            "{error} The catalogue knows {name} as {known}.",
            (known.id,),
            error=error.message,
            name=known.name,
            known=known.id,
        ) from None
    if not address.mirror:
        return found
    note = sentence(
        "{mirror} is not read: this is {repository} on the Hugging Face Hub itself.",
        mirror=address.mirror,
        repository=address.repository,
    )
    return replace(found, notes=(note, *found.notes))


def _read_hub(address: HubAddress, endpoint: str | None) -> ResolvedModel:
    if is_gguf_name(address.path):
        return from_hub_file(address, endpoint)
    if address.tag or is_folder(address.path):
        return from_chosen_file(address, endpoint)
    return from_repository(address, endpoint)


def _known_repository(address: HubAddress) -> tuple[Entry | None, str | None]:
    """The model of the catalogue that a repository holds, or was made from by quantizing, and the level asked for."""
    known, level = find_by_repository(address.repository), level_of_name(address.path) or address.tag.upper()
    if known is None and without_host(address.repository) != address.repository:
        known = find_by_host_name(address.repository)
    if level:
        return known, level if level in LEVELS else None
    return known, level_in_name(address.repository, known)
