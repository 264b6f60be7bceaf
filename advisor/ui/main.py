"""The entry script, run for each visitor and each change: the question first, then the page that was asked for."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from advisor.foundation.quotas import asked_by
from advisor.foundation.turns import TooManyWaiting
from advisor.question.question import LANGUAGE_KEY
from advisor.ui import state, tongue
from advisor.ui.asking import Reply, ask
from advisor.ui.metrics import rerun
from advisor.ui.one_at_a_time import turn
from advisor.ui.parts import bar, local_evidence, login_bar, navigation, overload
from advisor.ui.parts.text import refusal
from advisor.ui.visitor import visitor_of_session

HERE = Path(__file__).parent
VIEWS = {
    navigation.ANSWER: "answer",
    navigation.MODELS: "models_for_machine",
    navigation.MACHINES: "machines_for_model",
    navigation.COMPARE: "compare",
    navigation.REPORT: "share",
    navigation.PROVE: "prove",
    navigation.KNOW: "how_we_know",
}


def view(name: str) -> Callable[[], None]:
    """A page, loaded when somebody opens it: most visits need one of them."""
    return lambda: import_module(f"advisor.ui.views.{name}").draw(reply)


# A local picture: a named icon would be fetched from a font server.
st.set_page_config(page_title="LLM Fit Advisor", page_icon=HERE / "favicon.png", layout="wide")

said_wrong = tongue.follow(st.query_params.get(LANGUAGE_KEY, ""))
if not login_bar.let_in():
    st.stop()
asked_by(visitor_of_session())
link = state.read()
page = st.navigation(
    [
        st.Page(view(name), title=navigation.TITLES[path], url_path=path or "answer", default=not path)
        for path, name in VIEWS.items()
    ],
    position="hidden",
)
st.html(navigation.row("" if page.url_path == "answer" else page.url_path, urlencode(link.written), login_bar.person()))
measured_here = local_evidence.kept()
try:
    with rerun(), turn():
        bar.draw()
        reply: Reply = ask(link, measured_here)
        for problem in (*filter(None, (said_wrong,)), *reply.problems):
            st.warning(refusal(problem), icon=":material/link_off:")
        page.run()
except TooManyWaiting as error:
    overload.draw(error)
