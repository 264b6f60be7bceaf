"""The model in formats besides GGUF: exact sizes, by the writer whose layout is counted."""

from __future__ import annotations

import streamlit as st

from advisor.formats.safetensors_levels import Scheme
from advisor.formats.safetensors_sizes import SizedSafetensors, size_safetensors_levels
from advisor.foundation.caches import kept_beside
from advisor.foundation.units import GB
from advisor.models.catalogue import Entry
from advisor.models.model import Model
from advisor.ui.parts.html_table import html_table
from advisor.words import say

_FAMILIES = {
    "plain": "Plain",
    "fp8": "FP8",
    "int8": "INT8",
    "gptq": "GPTQ",
    "awq": "AWQ",
    "nvfp4": "NVFP4",
    "mxfp4": "MXFP4",
    "bnb": "bitsandbytes",
    "mlx": "MLX",
}
_KEPT = {
    Scheme.PLAIN: "Nothing is packed.",
    Scheme.NATIVE_MXFP4: "Everything but the experts.",
    Scheme.NATIVE_FP4: "Embeddings, output head, norms, routers; all but the experts is in FP8.",
    Scheme.NF4: "Embeddings, output head, norms.",
    Scheme.LLM_INT8: "Embeddings, output head, norms.",
    Scheme.MLX: "Norms; routers at 8 bits.",
}
_KEPT_OF_PUBLISHERS = {
    "FP8-fbgemm": "Embeddings, output head, norms, attention, the first and the last block.",
    "INT4-native": "Everything but the experts.",
    "MXFP4-experts": "Everything but the experts.",
}
_HEADS = ("Level", "Format", "Size (GB)", "Bits per weight", "Stays 16-bit", "Layout written by", "Note")
_USUALLY_KEPT = "Embeddings, output head, norms, routers."


def draw(model: Model, entry: Entry | None) -> None:
    """Draw the table of all levels, the publisher's own among them."""
    sizes = _sizes(model, () if entry is None else entry.own_checkpoints)
    if not sizes:
        return
    st.header("Other formats", anchor=False)
    st.markdown(
        "Exact bytes of the tensors, as the named writer lays them out from 16-bit weights. These are for vLLM, "
        "transformers and MLX; the GGUF files of llama.cpp are under Levels."
    )
    name = f"{len(sizes)} levels of other formats with exact size, bits per weight and writer"
    st.html(html_table(name, _HEADS, [_row(sized) for sized in sizes], _HEADS[2:4]))


@kept_beside
def _sizes(model: Model, own: tuple[str, ...]) -> tuple[SizedSafetensors, ...]:
    """The same model is asked about again and again, and its sizes do not depend on anything else on the page."""
    return tuple(size_safetensors_levels(model, own))


def _row(sized: SizedSafetensors) -> tuple[str, ...]:
    kept = _KEPT_OF_PUBLISHERS.get(sized.level.name) or _KEPT.get(sized.level.scheme, _USUALLY_KEPT)
    return (
        sized.level.name,
        _FAMILIES.get(sized.format, sized.format),
        f"{sized.tensor_bytes / GB:,.2f}",
        f"{sized.bits_per_weight:.2f}",
        kept,
        sized.level.writer,
        _note(sized),
    )


def _note(sized: SizedSafetensors) -> str:
    notes = [say(sized.level.note)] if sized.level.note else []
    if sized.kept:
        what = "The writer stops at these unless told to ignore them" if sized.refuses else "Stays 16-bit as well"
        notes.append(f"{what}: {'; '.join(f'{name}: {say(why)}' for name, why in sized.kept)}.")
    if sized.tied_copy_bytes:
        notes.append(f"Older writers add a copy of the embedding, {sized.tied_copy_bytes / GB:.2f} GB.")
    return " ".join(note for note in notes if note)
