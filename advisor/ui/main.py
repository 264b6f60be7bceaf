"""The entry script, run for each visitor and each change: inputs first, then the page that was asked for."""

from pathlib import Path

import streamlit as st

from advisor.ui.asking import Reply
from advisor.ui.parts import frozen_view, inputs, report_view
from advisor.ui.parts.text import refusal, small
from advisor.ui.views import compare as compare_page
from advisor.ui.views import cost as cost_page
from advisor.ui.views import explore as explore_page
from advisor.ui.views import fit as fit_page
from advisor.ui.views import how_we_know as how_page
from advisor.ui.views import machines as machines_page
from advisor.ui.views import prove as prove_page
from advisor.ui.views import quality as quality_page
from advisor.ui.views import share as share_page

HERE = Path(__file__).parent

# A local picture: a named icon would be fetched from a font server.
st.set_page_config(page_title="LLM Fit Advisor", page_icon=HERE / "favicon.png", layout="wide")
st.html(HERE / "style.css")

# Links for readers open a report: no inputs, no other pages.
if (frozen := frozen_view.wanted()) is not None:
    frozen_view.draw(frozen)
    st.stop()
if report_view.is_wanted():
    report_view.draw_link()
    st.stop()

# Inputs first: they need to exist whatever the page, and nobody should move on before they are read (`keep_in_link`).
# What may take longer comes last.
given = inputs.draw()
reply: Reply
page = st.navigation(
    [
        st.Page(lambda: fit_page.draw(reply), title="Fit", url_path="fit", default=True),
        st.Page(lambda: quality_page.draw(reply), title="Quality", url_path="quality"),
        st.Page(lambda: cost_page.draw(reply), title="Cost", url_path="cost"),
        st.Page(lambda: explore_page.draw(reply), title="What runs here", url_path="what-runs-here"),
        st.Page(lambda: machines_page.draw(reply), title="What to buy", url_path="what-to-buy"),
        st.Page(lambda: compare_page.draw(reply), title="Compare", url_path="compare"),
        st.Page(lambda: share_page.draw(reply), title="Share", url_path="share"),
        st.Page(lambda: prove_page.draw(reply), title="Prove it", url_path="prove-it"),
        st.Page(lambda: how_page.draw(reply), title="How we know", url_path="how-we-know"),
    ],
    position="top",
)
reply = given.ask()
with st.container(key="phone_hint"):
    st.markdown(small("Model, machine and context: tap » at the top left."))
for problem in reply.problems:
    st.warning(refusal(problem), icon=":material/link_off:")
page.run()
given.model.show_results()
