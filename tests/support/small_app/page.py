"""Shows what is asked, with links and buttons as the pages draw them."""

import time

import streamlit as st

from advisor.ui.parts.html import copyable, go, question_href

asked = st.query_params.get("n", "0")
if asked == "slow":
    time.sleep(4)


def draw(place: str) -> None:
    runs = st.session_state["runs"] = st.session_state.get("runs", 0) + 1
    st.html(
        f'<div class="answer" id="asked">{place} {asked}, run {runs}</div>'
        + go(question_href("n=1"), "One")
        + go(question_href("n=2"), "Two")
        + go(question_href("n=slow"), "Slow")
        + go(question_href("n=3", "other"), "Other")
        + copyable("llama-server -m <file>\n", "the command")
        + '<button type="button" data-copy="the value">Value</button>'
        + '<button type="button" data-keep-machine="machine=mine&gpus=2&model=x" data-name="2 x Mine">Keep</button>'
        + '<a data-kept-machine="machine gpus" href="./" hidden>My machine</a>'
        + '<button type="button" data-forget-machine="1" hidden>Forget</button>'
    )


st.navigation(
    [
        st.Page(lambda: draw("main"), title="Main", url_path="main", default=True),
        st.Page(lambda: draw("other"), title="Other", url_path="other"),
    ],
    position="hidden",
).run()
