"""What is really published: the repository's own tensors, its parts, and every file with its real size.

A computed stock size and the size of a published file stand side by side; neither is passed off as the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from advisor.formats.gguf_sizes import SizedLevel, size_levels
from advisor.foundation.caches import kept_beside
from advisor.foundation.units import GB, gb
from advisor.models.model import Model
from advisor.sources.resolve import ResolvedModel
from advisor.sources.tensor_comparison import agrees_with
from advisor.ui.parts import model_input
from advisor.ui.parts.html import go
from advisor.ui.parts.pickers import search_button
from advisor.ui.parts.text import plain
from advisor.words import say

_PARTS = {"text": "language model", "vision": "vision", "audio": "audio", "mtp": "draft layers (MTP)"}


def draw(found: ResolvedModel, model: Model | None, imatrix: bool = False) -> None:
    """Draw what is known of published files; `model` None: there is nothing computed to compare with."""
    if found.file is None and found.repository is None and (found.entry is None or not found.entry.hf_repo):
        return
    compared = found.file is not None or _has_gguf(found)
    stock = _stock_sizes(model, imatrix) if model is not None and compared else {}
    st.header("Published files", anchor=False)
    if found.file is not None:
        _file(found, stock)
    elif found.repository is not None:
        _repository(found, stock)
    elif found.entry is not None:
        st.markdown("All figures are computed from the catalogue; nothing was fetched.")
        read = go(model_input.href_of(found.entry.hf_repo), f"Read {found.entry.hf_repo} on the Hub")
        st.html(f"<p>{read}: its own tensors beside the catalogue's, and its files. Only headers are read.</p>")
    if found.file is None and not _has_gguf(found):
        name = found.entry.hf_repo.rpartition("/")[2] if found.entry is not None else found.name
        st.html(search_button(f"{name} GGUF", "Search the Hub for its GGUF files"))


@kept_beside
def _stock_sizes(model: Model, imatrix: bool) -> Mapping[str, SizedLevel]:
    return {sized.level.name: sized for sized in size_levels(model, imatrix)}


def _has_gguf(found: ResolvedModel) -> bool:
    return found.repository is not None and bool(found.repository.models)


def _file(found: ResolvedModel, stock: Mapping[str, SizedLevel]) -> None:
    file = found.file
    assert file is not None  # noqa: S101
    exact = f"{gb(file.file_bytes)} ({file.file_bytes:,} bytes)"
    lines = [f"**{plain(file.name)}**: {exact} exactly, by its own header."]
    if (computed := stock.get(file.level)) is not None:
        difference = _percent(file.file_bytes, computed.file_bytes)
        lines.append(
            f"llama.cpp's stock {file.level} of this model, computed: {gb(computed.file_bytes)}. "
            f"The file is {difference:+.1f} % against it."
        )
    elif file.level:
        lines.append(
            f"{plain(file.level)} is none of llama.cpp's stock levels, so there is no computed size beside it."
        )
    types = ", ".join(f"{name} {gb(size)}" for name, size in file.header.bytes_by_type.items())
    lines.append(f"Its tensors by type: {types}.")
    st.markdown("\n".join(f"- {line}" for line in lines))
    if (repository := _repository_of(found)) is not None:
        st.button(
            f"All files of {plain(repository.partition('@')[0])}",
            on_click=model_input.choose,
            args=(repository,),
            key="whole_repository",
        )


def _repository_of(found: ResolvedModel) -> str | None:
    """The repository of a file on the Hub, as a name for the model input."""
    from advisor.sources.addresses import HubAddress, parse_address

    address = parse_address(found.id)
    return f"{address.repository}@{address.revision}" if isinstance(address, HubAddress) else None


def _repository(found: ResolvedModel, stock: Mapping[str, SizedLevel]) -> None:
    repository = found.repository
    assert repository is not None  # noqa: S101
    icon = {True: "✔ ", False: "▲ ", None: ""}[agrees_with(found.source)]
    st.markdown(f"{icon}{plain(say(found.source))}")
    if len(repository.bytes_by_part) > 1:
        parts = ", ".join(f"{_PARTS.get(part, part)} {gb(size)}" for part, size in repository.bytes_by_part.items())
        st.markdown(f"Its safetensors files hold: {parts}.")
    if repository.tensors:
        _ready_made(found)
    if repository.models:
        _gguf_files(found, stock)


def _ready_made(found: ResolvedModel) -> None:
    """The safetensors files as they are."""
    repository = found.repository
    assert repository is not None  # noqa: S101
    how = repository.quantization
    size = gb(repository.weight_bytes)
    if how is None:
        st.markdown(f"**Safetensors as published:** {size} of tensor data exactly, not quantized.")
        return
    st.markdown(
        f"**Ready-made, as published: {plain(how.level)}**, {size} of tensor data exactly, by the files' own headers. "
        "The levels above are computed for the same model from 16-bit weights."
    )


def _gguf_files(found: ResolvedModel, stock: Mapping[str, SizedLevel]) -> None:
    repository = found.repository
    assert repository is not None  # noqa: S101
    files = repository.models
    st.markdown("**GGUF files.** Tick one to size it from its own header.")
    key = f"published_{repository.revision[:12]}"

    def take() -> None:
        rows: Sequence[int] = st.session_state[key].selection.rows
        if rows and rows[0] < len(files):
            model_input.choose(_link(repository.id, repository.revision, files[rows[0]].paths[0]))

    number = st.column_config.NumberColumn
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "file": file.name,
                    "level": file.level or "not named",
                    "published_gb": None if file.bytes is None else file.bytes / GB,
                    "stock_gb": stock[file.level].file_bytes / GB if file.level in stock else None,
                    "difference": _percent(file.bytes, stock[file.level].file_bytes)
                    if file.bytes is not None and file.level in stock
                    else None,
                    "parts": len(file.paths),
                    "note": _note(file.complete, file.level in stock, file.level),
                }
                for file in files
            ]
        ),
        hide_index=True,
        height="content",
        key=key,
        on_select=take,
        selection_mode="single-row",
        placeholder="–",
        alt=f"{len(files)} GGUF files of {repository.id}: real sizes beside computed stock sizes",
        column_config={
            "file": st.column_config.TextColumn("File", width="medium"),
            "level": st.column_config.TextColumn("Level by its name"),
            "published_gb": number("Published (GB)", format="%.3f", help="Real size, all parts. 1 GB is 1000³ bytes."),
            "stock_gb": number("Stock, computed (GB)", format="%.3f", help="llama.cpp's own mix of that level."),
            "difference": number("Difference (%)", format="%+.1f", help="Published against computed."),
            "parts": number("Parts"),
            "note": st.column_config.TextColumn("Note", width="medium"),
        },
    )
    projectors = [f"{plain(file.name)} {gb(file.bytes or 0)}" for file in repository.gguf if file.projector]
    if projectors:
        st.markdown(f"Projectors for images or sound, extra: {', '.join(projectors)}.")


def _note(complete: bool, is_stock: bool, level: str) -> str:
    if not complete:
        return "Parts are missing."
    return "" if is_stock or not level else "The publisher's own mix."


def _link(repository: str, revision: str, path: str) -> str:
    from advisor.sources.addresses import HubAddress, hub_file_link

    return hub_file_link(HubAddress(repository, revision, path))


def _percent(published: int, computed: int) -> float:
    return round((published / computed - 1) * 100, 1) + 0.0  # + 0.0: never "-0.0"
