"""The model in formats besides GGUF: exact sizes, by the writer whose layout is counted."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from advisor.formats.safetensors_levels import Scheme
from advisor.formats.safetensors_sizes import SizedSafetensors, size_safetensors_levels
from advisor.foundation.caches import kept_beside
from advisor.foundation.units import GB
from advisor.models.model import Model
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
_USUALLY_KEPT = "Embeddings, output head, norms, routers."


def draw(model: Model) -> None:
    """Draw the table of all levels."""
    table = _table(model)
    if table.empty:
        return
    st.header("Other formats", anchor=False)
    st.markdown(
        "Exact bytes of the tensors, as the named writer lays them out from 16-bit weights. These are for vLLM, "
        "transformers and MLX; the GGUF files of llama.cpp are under Levels."
    )
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    st.dataframe(
        table,
        hide_index=True,
        height=420,
        key="other_formats",
        alt=f"{len(table)} levels of other formats with exact size, bits per weight and writer",
        column_config={
            "level": text("Level", pinned=True),
            "format": text("Format"),
            "size_gb": number("Size (GB)", format="%.2f", help="Sum of the tensor data, exact. 1 GB is 1000³ bytes."),
            "bits_per_weight": number("Bits per weight", format="%.2f"),
            "kept": text("Stays 16-bit", width=260),
            "writer": text("Layout written by", width=330),
            "note": text("Note", width="large"),
        },
    )


@kept_beside
def _table(model: Model) -> pd.DataFrame:
    """The same model is asked about again and again, and its sizes do not depend on anything else on the page."""
    return pd.DataFrame([_row(sized) for sized in size_safetensors_levels(model)])


def _row(sized: SizedSafetensors) -> dict[str, object]:
    return {
        "level": sized.level.name,
        "format": _FAMILIES.get(sized.format, sized.format),
        "size_gb": sized.tensor_bytes / GB,
        "bits_per_weight": sized.bits_per_weight,
        "kept": _KEPT.get(sized.level.scheme, _USUALLY_KEPT),
        "writer": sized.level.writer,
        "note": _note(sized),
    }


def _note(sized: SizedSafetensors) -> str:
    notes = [say(sized.level.note)] if sized.level.note else []
    if sized.kept:
        what = "The writer stops at these unless told to ignore them" if sized.refuses else "Stays 16-bit as well"
        notes.append(f"{what}: {'; '.join(f'{name}: {say(why)}' for name, why in sized.kept)}.")
    if sized.tied_copy_bytes:
        notes.append(f"Older writers add a copy of the embedding, {sized.tied_copy_bytes / GB:.2f} GB.")
    return " ".join(note for note in notes if note)
