"""The sizes of a model at every level, as JSON (`sizes/1`, a contract: `schemas/sizes.schema.json`) and as text.

Imports nothing that a plan needs beyond them. Besides the contract's keys, `files` are the published files and
checkpoints of the repository or file that was named, and those of which the size is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from advisor.formats.gguf_sizes import SizedLevel, size_levels
from advisor.formats.safetensors_sizes import SizedSafetensors, size_safetensors_levels
from advisor.foundation.units import gb
from advisor.models.model import Model
from advisor.sources.checkpoint_sizes import checkpoint_range
from advisor.sources.published_files import published_files
from advisor.sources.published_sizes import PublishedRange, published_sizes_of
from advisor.sources.resolve import ResolvedModel
from advisor.words import say, told

FORMAT = "gguf"


SCHEMA = "sizes/1"


def sizes_answer(found: ResolvedModel, model: Model | None, *, full: bool = False) -> dict[str, Any]:
    """One sizes object: GGUF levels first, each without an importance matrix and with one where that changes its size.

    `model` is that of `found`, with or without the layers that predict several tokens, and None where only a file's own
    sizes are known. `full` adds what each size is made of: types of tensors, writer, layers left alone.
    """
    rows = [] if model is None else [*_gguf_rows(found, model, full), *_safetensors_rows(found, model, full)]
    named = None if model is None else _model(found, model)
    files = [*published_document(found), *known_document(found)]
    return {"schema": SCHEMA, "error": None, "model": named, "levels": rows, "files": files}


def sizes_refusal(_: str, error: dict[str, Any]) -> dict[str, Any]:
    """What stands for sizes where there are none; `error` has a kind ("input" or "internal") and a message."""
    return {"schema": SCHEMA, "error": error, "model": None, "levels": []}


def _model(found: ResolvedModel, model: Model) -> dict[str, Any]:
    return {
        "id": found.id if not found.id.startswith("{") else found.name,
        "name": found.name,
        "parameters": model.parameters,
        "active_parameters": model.active_parameters,
    }


def _gguf_rows(found: ResolvedModel, model: Model, full: bool) -> Iterator[dict[str, Any]]:
    known = published_sizes_of(found)
    for plain, helped in zip(size_levels(model), size_levels(model, imatrix=True), strict=True):
        published = _range(known.range_of(model, plain.level))
        yield _row(plain, FORMAT, False, sizes_document([plain])[0] if full else {}, published)
        if helped.tensor_bytes != plain.tensor_bytes:
            published = _range(known.range_of(model, plain.level, imatrix=True))
            yield _row(helped, FORMAT, True, sizes_document([helped])[0] if full else {}, published)


def _safetensors_rows(found: ResolvedModel, model: Model, full: bool) -> Iterator[dict[str, Any]]:
    own = () if found.entry is None else found.entry.own_checkpoints
    for sized in size_safetensors_levels(model, own):
        published = _range(checkpoint_range(found.entry, model, sized))
        yield _row(sized, sized.format, False, safetensors_document([sized])[0] if full else {}, published)


def _range(published: PublishedRange) -> dict[str, Any]:
    """`n` files are known of this model; the range holds nine of ten, known or not."""
    return {
        "low_bytes": published.low,
        "typical_bytes": published.typical,
        "high_bytes": published.high,
        "n": len(published.files),
        "uploaders": list(published.uploaders),
    }


def _row(
    sized: SizedLevel | SizedSafetensors,
    kind: str,
    imatrix: bool,
    details: Mapping[str, Any],
    published: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        **details,
        "format": kind,
        "level": sized.level.name,
        "imatrix": imatrix,
        "tensor_bytes": sized.tensor_bytes,
        "file_bytes": sized.file_bytes,
        "bits_per_weight": round(sized.bits_per_weight, 4),
        "published": published,
    }


def sizes_document(levels: Sequence[SizedLevel]) -> list[dict[str, Any]]:
    """`tensor_bytes` is exact; `file_bytes` adds padding and the estimated header with the tokenizer."""
    return [
        {
            "level": sized.level.name,
            "format": FORMAT,
            "origin": "computed",
            "tensor_bytes": sized.tensor_bytes,
            "data_section_bytes": sized.data_bytes,
            "file_bytes": sized.file_bytes,
            "bits_per_weight": round(sized.bits_per_weight, 4),
            "tensor_types": dict(sized.types),
        }
        for sized in levels
    ]


def safetensors_document(levels: Sequence[SizedSafetensors]) -> list[dict[str, Any]]:
    """As `sizes_document`, for the formats besides GGUF: `file_bytes` is the sum of the tensor data.

    `header_bytes` is estimated and comes on top. `kept_16_bit` names the layers that stay unpacked although
    `writer` packs their like; where `refused`, it stops at them unless told to ignore them. `tied_copy_bytes` is
    what a second copy of a tied embedding would add.
    """
    return [
        {
            "level": sized.level.name,
            "format": sized.format,
            "origin": "computed",
            "tensor_bytes": sized.tensor_bytes,
            "data_section_bytes": sized.tensor_bytes,
            "file_bytes": sized.file_bytes,
            "bits_per_weight": round(sized.bits_per_weight, 4),
            "tensor_types": dict(sized.types),
            "header_bytes": sized.header_bytes,
            "nominal_bits": sized.level.nominal_bits,
            "writer": sized.level.writer,
            "note": "" if sized.level.note is None else say(sized.level.note),
            "kept_16_bit": [f"{name}: {say(why)}" for name, why in sized.kept],
            "refused": sized.refuses,
            "tied_copy_bytes": sized.tied_copy_bytes,
        }
        for sized in levels
    ]


def published_document(found: ResolvedModel) -> list[dict[str, Any]]:
    """What is published, in the same keys, under `origin`: "file" (read from its header) or "published" (as listed).

    `level` says "(this file)" or "(published)", because such a file need not be llama.cpp's stock mix of that name;
    what is not known is null.
    """
    rows = []
    if found.file is not None:
        rows.append({**sizes_document([found.file.sized()])[0], "origin": "file", "file": found.file.name})
    repository = found.repository
    if repository is not None and repository.tensors:
        level = repository.quantization.level if repository.quantization is not None else "as published"
        kind = repository.quantization.kind.lower() if repository.quantization is not None else "plain"
        rows.append(
            _published(level, kind, f"{repository.id}, safetensors", repository.weight_bytes, repository.weight_bytes)
        )
    for file in repository.models if repository is not None else ():
        rows.append(_published(file.level or "unknown", FORMAT, file.name, None, file.bytes))
    return rows


def known_document(found: ResolvedModel) -> list[dict[str, Any]]:
    """The files of a model of the catalogue whose bytes are known, in the same keys."""
    rows = published_files(found.entry.id) if found.entry is not None else {}
    return [
        _published(row.level, row.format.lower(), row.repo, None, row.bytes)
        for offered in rows.values()
        for row in offered
        if row.bytes is not None
    ]


def _published(level: str, kind: str, name: str, tensor_bytes: int | None, file_bytes: int | None) -> dict[str, Any]:
    return {
        "level": f"{level} (published)",
        "format": kind,
        "origin": "published",
        "file": name,
        "tensor_bytes": tensor_bytes,
        "data_section_bytes": None,
        "file_bytes": file_bytes,
        "bits_per_weight": None,
        "tensor_types": {},
    }


def sizes_table(levels: Sequence[SizedLevel], found: ResolvedModel, others: Sequence[SizedSafetensors] = ()) -> str:
    """GGUF levels, then the safetensors formats with what stands behind their figures, then what is published."""
    model = found.model
    about = f"{found.name}: "
    about += (
        told(
            "{parameters:count} parameters, architecture {architecture}",
            parameters=model.parameters,
            architecture=model.architecture,
        )
        if model
        else told("weights only")
    )
    notes = (told("Note: {note}", note=say(note)) for note in found.notes if note != found.source)
    header = "\n".join([about, say(found.source), *notes])
    every: list[SizedLevel | SizedSafetensors] = [*levels, *others]
    rows = [
        (sized.level.name, gb(sized.file_bytes), f"{sized.bits_per_weight:.2f}", f"{sized.tensor_bytes:,}")
        for sized in every
    ]
    rows += [
        (row["level"], _gb(row["file_bytes"]), row["file"], _count(row["tensor_bytes"]))
        for row in published_document(found)
    ]
    lines = [header, "", text_table((told("level"), told("file"), told("bits/weight"), told("tensor bytes")), rows)]
    if kept := [sized for sized in others if sized.kept]:
        lines += ["", told("Some layers stay in 16 bit:")]
        lines += [f"  {sized.level.name}: {_kept(sized)}" for sized in kept]
    writers = dict.fromkeys(f"{sized.format}: {sized.level.writer}" for sized in others)
    if writers:
        lines += ["", told("Sizes besides GGUF are those of files written by"), *(f"  {writer}" for writer in writers)]
    return "\n".join(lines)


def _kept(sized: SizedSafetensors) -> str:
    reasons = "; ".join(dict.fromkeys(say(why) for _, why in sized.kept))
    return (
        told("{reasons} (the writer stops unless told to ignore them)", reasons=reasons) if sized.refuses else reasons
    )


def _gb(size: int | None) -> str:
    return "?" if size is None else gb(size)


def _count(size: int | None) -> str:
    return "-" if size is None else f"{size:,}"


def text_table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """First column left-aligned, the others right-aligned."""
    cells = [list(names), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(names))]
    lines = []
    for first, *others in cells:
        numbers = [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join((first.ljust(widths[0]), *numbers)))
    return "\n".join(lines)
