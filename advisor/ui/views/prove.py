"""The page that checks the predictions: llama.cpp is asked, and files are really made and measured.

What it needs is optional and imported only where it is there and switched on.
"""

from __future__ import annotations

import streamlit as st

from advisor.foundation.errors import InputError
from advisor.quantize.allowed import QuantizeSettings, read_settings
from advisor.ui import login, ownership
from advisor.ui.asking import Reply
from advisor.ui.parts import paste_box
from advisor.ui.parts.prove_parts import INSTALL, missing_parts
from advisor.ui.parts.text import refusal


def draw(reply: Reply) -> None:
    """Draw the page."""
    _draw_proofs(reply)
    paste_box.draw_measured()


def _draw_proofs(reply: Reply) -> None:
    st.title("Prove it", anchor=False)
    st.markdown(
        "The other pages predict. Here they are put to the test: llama.cpp itself, the program that runs the "
        "files, is asked what it would take, and real files are made and measured."
    )
    try:
        settings = read_settings()
    except InputError as error:
        st.error(refusal(str(error)), icon=":material/error:")
        return
    missing = missing_parts()
    if not settings.enabled:
        _explain(missing, settings)
        return
    if not login.may("quantize"):
        st.info(
            "Your login does not allow asking llama.cpp or quantizing on this server: ask whoever runs it for the "
            "right.",
            icon=":material/lock:",
        )
        return
    from advisor.quantize.ask import can_ask
    from advisor.ui.parts import prove_ask

    asks = can_ask()  # llama.cpp's own program needs none of the packages
    owner = ownership.owner()
    ask_here, measure_here = st.columns(2, gap="large")
    if asks or not missing:
        with ask_here:
            prove_ask.draw(reply, owner)
    if missing:
        with measure_here if asks else st.container():
            _explain(missing, settings, asks)
        ownership.draw_keeper()
        return
    from advisor.ui.parts import prove_board, prove_evidence, prove_form, prove_results

    with measure_here:
        prove_form.draw(settings, owner)
    ended = prove_board.draw(owner)
    prove_results.draw(ended, settings, owner)
    prove_evidence.draw_list(owner)
    ownership.draw_keeper()


def _explain(missing: tuple[str, ...], settings: QuantizeSettings, asks: bool = False) -> None:
    """What would be possible, and what switches it on; `asks` says that llama.cpp can be asked already."""
    what = (
        "Quantizing and measuring is optional and not installed"
        if asks
        else "This part is optional and not switched on"
    )
    st.info(f"{what} here. Everything else works without it.", icon=":material/info:")
    asking = (
        "- **Ask llama.cpp**: its own planner gets a file with a real header and no weights, and says within seconds "
        "what a model of any size would take. Nothing is downloaded.\n"
    )
    st.markdown(
        "**What it adds**\n"
        f"{'' if asks else asking}"
        "- **Quantize and measure**: a model becomes real GGUF files, whose bytes, perplexity, KL divergence, speed "
        "and memory are measured and put beside the prediction. A tiny model for a first try comes along; no compiler "
        "is needed."
    )
    st.markdown("**How to get it**, where the dashboard runs:")
    if missing:
        st.markdown(f"- Install the optional packages (not there: {', '.join(missing)}):")
        st.code(INSTALL, language=None)
    if not settings.enabled:
        st.markdown("- Set this environment variable and start the dashboard again:")
        st.code("LLM_FIT_ADVISOR_QUANTIZE=on", language=None)
    st.markdown(
        "Only what is allowed is read: folders by `LLM_FIT_ADVISOR_QUANTIZE_FOLDERS`, Hub repositories by "
        "`LLM_FIT_ADVISOR_QUANTIZE_REPOS`. Without them, only the tiny model can be quantized."
    )
