"""From a GGUF header to a model that can be planned for, and to the level its file is at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from advisor.formats.gguf_constants import LlamaFileType
from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.errors import InputError, printable
from advisor.foundation.message import Message, fact, sentence
from advisor.models.blueprints import model_from_config
from advisor.models.catalogue import catalogue
from advisor.models.config import Config
from advisor.models.model import Model
from advisor.models.tensors import Part, Role
from advisor.sources.gguf_config import ARCHITECTURES, config_of
from advisor.sources.gguf_file import GgufHeader
from advisor.sources.other_files import refuse_other_models
from advisor.sources.tensor_comparison import Comparison, compare_with_header
from advisor.sources.unknown_architecture import observed_model

# Small tensors may differ (scales, biases, what a newer converter adds); more, and memory would be computed wrongly.
_TOLERATED = 0.01
_BORNE_OUT = 0.25
_ESSENTIAL = ("block_count", "embedding_length")
_BLOCK = re.compile(r"blk\.(\d{1,6})\.")
_SPLIT_NAME = re.compile(r"-\d{5}-of-\d{5}(?=\.gguf$)", re.IGNORECASE)
_LEVEL_IN_NAME = re.compile(
    r"(?<![A-Za-z0-9])((?:UD-)?(?:I?Q[1-8]_(?:K_XXL|K_XL|K_[SML]|KSS|K[STL]|K|XXS|XS|NL|[01SML])(?:_[LX]L?|_[48]_[48])?|BF16|FP?16|FP?32|TQ[12]_0|MXFP4(?:_MOE)?|NVFP4))"
    r"(?![A-Za-z0-9])",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class GgufModel:
    """`model` is None where only the file's own sizes are known; `note` says how sure the rest is."""

    model: Model | None
    note: Message
    comparison: Comparison | None = None


def level_of_name(name: str) -> str:
    """The level that a file's name tells, in our spelling, or ""; "UD-" and suffixes of publishers' own mixes stay."""
    found = _LEVEL_IN_NAME.findall(_SPLIT_NAME.sub("", name))
    if not found:
        return ""
    level = str(found[-1]).upper()
    return {"FP16": "F16", "FP32": "F32"}.get(level, level)


def level_of(header: GgufHeader) -> str:
    """The level that the file states and its tensors bear out, else the one its name tells, else its commonest type."""
    named = level_of_name(header.name)
    if named and named not in LEVELS:
        return named  # a publisher's own mix states the stock level nearest to it
    try:
        stated = LlamaFileType(header.number("general.file_type", -1)).name.removeprefix("MOSTLY_").removeprefix("ALL_")
    except ValueError:
        stated = ""
    for level in (stated, named):
        if level in LEVELS and header.bytes_by_type.get(LEVELS[level].base.name, 0) > _BORNE_OUT * header.tensor_bytes:
            return level
    return named or next(iter(header.bytes_by_type), "")


def model_of(header: GgufHeader) -> GgufModel:
    """The model in the file; raises InputError when the file holds no language model."""
    refuse_other_models(header)
    if header.architecture == "":
        raise InputError(
            "{header} does not say which architecture it holds ('general.architecture' is missing).", header=header.name
        )
    best: tuple[Model, Comparison, Message] | None = None
    for model, how in _candidates(header):
        comparison = compare_with_header(model, header)
        if best is None or comparison.off_by < best[1].off_by:
            best = model, comparison, how
        if comparison.agrees:
            break
    if best is None or best[1].off_by > _TOLERATED * header.elements or len(best[0].layers) != _blocks(header):
        lacks = header.architecture in ARCHITECTURES and _missing(header)
        if not lacks and (observed := observed_model(header)) is not None:
            return GgufModel(observed, _why_assumed(header, best is None))
        return GgufModel(None, _why_unknown(header, best), best[1] if best else None)
    model, comparison, how = best
    what = comparison.sentence(sentence("the tensors in the file"))
    return GgufModel(model, sentence("{how} {compared}", how=how, compared=what), comparison)


def _missing(header: GgufHeader) -> list[str]:
    return [key for key in _ESSENTIAL if not header.number(f"{header.architecture}.{key}")]


def _why_assumed(header: GgufHeader, unknown: bool) -> Message:
    known = (
        sentence("is not known to this version")
        if unknown
        else sentence("is stored in a form that this version does not know")
    )
    return sentence(
        "Architecture '{architecture}' {known}: sizes from the file's header are exact ({size:gb}), its cache follows "
        "from them, and what computing takes is a range.",
        architecture=printable(header.architecture[:40]),
        known=known,
        size=header.header_bytes + header.data_bytes,
    )


def _why_unknown(header: GgufHeader, best: tuple[Model, Comparison, Message] | None) -> Message:
    architecture = printable(header.architecture[:40])
    exact = sentence("sizes from the file's header are exact ({size:gb})", size=header.header_bytes + header.data_bytes)
    missing = _missing(header)
    if best is None and missing and header.architecture in ARCHITECTURES:
        names = tuple(f"'{architecture}.{key}'" for key in missing)
        return sentence(
            "The file's metadata lacks {names:and}, without which no runtime loads it: {exact}, but memory "
            "beyond the weights is not computed; convert the model again.",
            names=names,
            exact=exact,
        )
    if best is None:
        return sentence(
            "Architecture '{architecture}' is not known to this version: {exact}, but memory beyond the weights is not "
            "computed.",
            architecture=architecture,
            exact=exact,
        )
    return sentence(
        "Architecture '{architecture}' is stored in a form that this version does not know: {exact}, but memory beyond "
        "the weights is not computed.",
        architecture=architecture,
        exact=exact,
    )


def _blocks(header: GgufHeader) -> int:
    """How many blocks the tensors belong to."""
    numbers = (_BLOCK.match(tensor.name) for tensor in header.tensors)
    return max((int(found[1]) + 1 for found in numbers if found), default=0)


def _candidates(header: GgufHeader) -> Iterator[tuple[Model, Message]]:
    """Models this could be: from its own metadata, then whatever of the catalogue has the same outline."""
    context = header.number(f"{header.architecture}.context_length") or None
    config = config_of(header)
    if config is not None:
        try:
            model = model_from_config(config)
        except InputError:
            pass
        else:
            model = _with_head(replace(model, context_length=model.context_length or context), header)
            yield from (
                (variant, sentence("Rebuilt from the file's metadata."))
                for variant in _with_and_without_drafts(model, header)
            )
    for entry in catalogue().values():
        shape = Config(entry.config)
        width, layers = shape.get("hidden_size"), shape.get("num_hidden_layers")
        if width != header.number(f"{header.architecture}.embedding_length") or not isinstance(layers, int):
            continue
        if layers > header.number(f"{header.architecture}.block_count"):
            continue
        if entry.model.architecture == header.architecture:
            model = replace(entry.model, context_length=context or entry.model.context_length)
            how = sentence(
                "Its metadata is not enough to rebuild the model, but it has the shape of {entry}.", entry=entry.name
            )
            yield from ((variant, how) for variant in _with_and_without_drafts(model, header))


def _with_head(model: Model, header: GgufHeader) -> Model:
    """The model with the head that gives scores, where the file has one."""
    head = tuple(Part(one.name, one.shape, Role.OTHER) for one in header.tensors if one.name.startswith("cls."))
    if not head:
        return model
    notes = (*model.notes, fact("no_text_head")) if model.causal else model.notes
    return replace(model, globals=(*model.globals, *head), notes=notes)


def _with_and_without_drafts(model: Model, header: GgufHeader) -> Iterator[Model]:
    """Files of some publishers carry the multi-token-prediction layers, others leave them out."""
    if model.mtp_layers and any(tensor.name.startswith(f"blk.{len(model.layers)}.") for tensor in header.tensors):
        yield model.with_mtp()
    else:
        yield replace(model, mtp_layers=())
