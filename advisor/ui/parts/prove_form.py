"""The form of a real run: what to quantize, to which levels, and what it will need before it starts."""

from __future__ import annotations

from typing import Any

import streamlit as st

from advisor.foundation.errors import AdvisorError
from advisor.foundation.quotas import take
from advisor.foundation.units import gb
from advisor.quantize import tinylm
from advisor.quantize.allowed import QuantizeSettings
from advisor.quantize.compress import compress_python
from advisor.quantize.errors import ToolMissing
from advisor.quantize.packaged import packaged_models
from advisor.quantize.run_request import MATRIX_OF_TINYLM, TRY_IT_NOW, RunRequest
from advisor.quantize.tools import find_tool
from advisor.quantize.worker import start_run
from advisor.ui import login
from advisor.ui.ownership import keep_owner
from advisor.ui.parts.prove_sources import (
    MADE_LEVELS,
    Need,
    allowed_sources,
    compressed_levels,
    need_of,
    needs_matrix,
    request_of,
)
from advisor.ui.parts.text import plain, refusal, small

_SOURCES = {
    "tinylm": "Tiny model: try it now",
    "package": "Installed model",
    "folder": "Folder or GGUF file",
    "hub": "Hub repository",
}
_NO_MATRIX, _MAKE, _TINY, _FILE = "", "make", MATRIX_OF_TINYLM, "file"
_MATRICES = {
    _NO_MATRIX: "None",
    _TINY: "The tiny model's own",
    _MAKE: "Made with llama-imatrix",
    _FILE: "A file in an allowed folder",
}
_METHODS = {"gguf": "GGUF", "gptq": "GPTQ", "awq": "AWQ", "rtn": "Rounding (FP8, INT8, INT4)"}
_CHUNKS = 100


def draw(settings: QuantizeSettings, owner: str) -> None:
    """Draw it; a run that was started is on the board below."""
    st.header("Measure", anchor=False)
    st.markdown(
        "Is the prediction true? A model is really quantized (its weights are stored in fewer bits), and size, memory, "
        "loss and speed of the files are measured on this server."
    )
    with st.container(border=True, key="run_form"):
        fields = _source(settings)
        method = _method()
        fields |= {"method": method} | _levels(settings, method)
        with st.expander("More choices"):
            fields |= _more(settings, str(fields["source"]), method)
        request, need = _checked(fields, settings)
        ready = request is not None and need is not None and _possible(need)
        if st.button("Start", type="primary", key="start_run", disabled=not ready) and request is not None:
            try:
                login.require("quantize")
                take("runs")
                with st.spinner("The run is put in the queue …"):
                    start_run(request, owner, settings=settings)
                keep_owner(owner)
            except AdvisorError as error:
                st.error(refusal(str(error)), icon=":material/error:")


def _source(settings: QuantizeSettings) -> dict[str, Any]:
    packaged = packaged_models()
    offered = [
        "tinylm",
        *["package"] * bool(packaged),
        *["folder"] * bool(settings.folders),
        *["hub"] * bool(settings.repositories),
    ]
    chosen = st.segmented_control(
        "What to quantize", offered, format_func=_SOURCES.__getitem__, default="tinylm", key="run_source", required=True
    )
    if chosen == "tinylm":
        st.markdown(
            small("A really trained model of 2.9 M parameters that comes along: half a minute, offline, real losses.")
        )
        return {"source": "tinylm"}
    if chosen == "package":
        name = st.selectbox("Model", packaged, key="run_package")
        st.markdown(
            small(
                "It makes embeddings: the cosine between its vectors before and after is measured, no perplexity. Its "
                "rows of 384 columns do not divide by 256, so that many tensors fall back to other types."
            )
        )
        return {"source": "package", "location": str(name)}
    if chosen == "hub":
        allowed = plain(", ".join(settings.repositories))
        name = st.text_input("Repository", key="run_repository", placeholder="owner/name", max_chars=200)
        st.markdown(small(f"Allowed here: {allowed}"))
        return {"source": "hub", "location": name.strip()}
    found = allowed_sources(settings.folders)
    path = st.selectbox(
        "Folder or GGUF file",
        list(found),
        format_func=lambda path: found.get(path, path),
        index=None,
        accept_new_options=True,
        key="run_path",
        placeholder="Choose one, or write a path inside an allowed folder",
        help="A model folder with safetensors, or a GGUF file in 16 or 32 bits.",
    )
    location = str(path or "")
    return {"source": "gguf" if location.endswith(".gguf") else "folder", "location": location}


def _method() -> str:
    """GGUF, unless llmcompressor is there and was chosen."""
    try:
        compress_python()
    except ToolMissing:
        return "gguf"
    return str(
        st.segmented_control(
            "Method", list(_METHODS), format_func=_METHODS.__getitem__, default="gguf", key="run_method", required=True
        )
    )


def _levels(settings: QuantizeSettings, method: str) -> dict[str, Any]:
    gguf = method == "gguf"
    offered = MADE_LEVELS if gguf else compressed_levels(method)
    levels = st.multiselect(
        "Levels",
        offered,
        default=tinylm.QUICK_LEVELS if gguf else offered[:1],
        max_selections=settings.most_levels,
        format_func=lambda name: f"{name} (importance matrix)" if needs_matrix(name) else name,
        key="run_levels" if gguf else f"run_levels_{method}",
    )
    if not gguf:  # llmcompressor's levels are always measured, on the text's probabilities
        return {"levels": tuple(levels)}
    measure = st.toggle(
        "Measure perplexity, KL divergence, speed and memory",
        value=True,
        key="run_measure",
        help="Against the unquantized model, over a text that comes along. Without it only the bytes are compared.",
    )
    return {"levels": tuple(levels), "measure": measure}


def _more(settings: QuantizeSettings, source: str, method: str) -> dict[str, Any]:
    first = TRY_IT_NOW.chunks if source == "tinylm" else _CHUNKS
    chunks = st.number_input(
        "Text to measure with (chunks of up to 512 tokens)", 2, 10_000, first, key=f"run_chunks_{source}"
    )
    if method != "gguf":
        return {"chunks": int(chunks)}
    offered = [_NO_MATRIX, *[_TINY] * (source == "tinylm"), *[_FILE] * bool(settings.folders)]
    if find_tool("llama-imatrix") is not None:
        offered.append(_MAKE)
    matrix = st.selectbox("Importance matrix", offered, format_func=_MATRICES.__getitem__, key="run_matrix")
    if matrix == _FILE:
        matrix = st.text_input("Path of the importance matrix", key="run_matrix_path", max_chars=4096).strip()
    program = "library"
    if find_tool("llama-quantize") is not None:
        program = st.selectbox("Quantized by", ["library", "llama-quantize"], key="run_program")
    keep = st.toggle("Keep the files on the server", value=True, key="run_keep")
    return {"matrix": matrix, "chunks": int(chunks), "program": program, "keep_files": keep}


def _checked(fields: dict[str, Any], settings: QuantizeSettings) -> tuple[RunRequest | None, Need | None]:
    """The request and what it needs, or the sentence why there is none."""
    if fields["source"] != "tinylm" and not fields["location"]:
        return None, None
    try:
        request = request_of(**fields)
        return request, need_of(request, settings)
    except AdvisorError as error:
        st.warning(refusal(str(error)), icon=":material/info:")
        return None, None


def _possible(need: Need) -> bool:
    """Say what the run needs; whether it can be had."""
    if need.bytes is None:
        st.markdown(f"How much disk it needs is known once its headers are read; {gb(need.free)} are free.")
    else:
        st.markdown(f"Needs at most {gb(need.bytes)} of disk; {gb(need.free)} are free.")
        if need.bytes > need.free:
            st.warning(
                "There is too little disk: choose fewer levels, or remove old runs.", icon=":material/disc_full:"
            )
            return False
    if need.without_matrix:
        st.warning(
            plain(
                f"{', '.join(need.without_matrix)} can only be made with an importance matrix: choose one under "
                "More choices."
            ),
            icon=":material/info:",
        )
        return False
    return True
