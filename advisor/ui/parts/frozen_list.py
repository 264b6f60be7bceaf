"""Freezing a recommendation, and the list of those this browser has frozen."""

from __future__ import annotations

import streamlit as st

from advisor.access.roles import login_required, roles
from advisor.foundation.errors import AdvisorError
from advisor.foundation.quotas import take
from advisor.report.document import ReportDocument
from advisor.report.frozen import report_to_result
from advisor.store import Sharing, Summary, Visibility
from advisor.ui import login
from advisor.ui.address import frozen_link
from advisor.ui.ownership import draw_keeper, keep_owner, owner
from advisor.ui.parts.frozen_links import store
from advisor.ui.parts.text import plain, refusal, small

# The first one is taken unless something else is chosen: what nobody looks at any more must not stay for ever.
_EXPIRIES = {365: "after a year", 7: "after a week", 30: "after a month", 90: "after three months", 0: "never"}
_MOST_SHOWN = 20


def draw(query: str, document: ReportDocument) -> None:
    """Draw both; a database that is away costs this section only."""
    st.header("Freeze this recommendation", anchor=False)
    if not login.may("freeze"):
        st.info("Your login does not allow freezing: ask whoever runs this server for it.", icon=":material/lock:")
        return
    read_by = "" if login_required() else " Whoever has the link can read it."
    st.markdown(
        "Keeps these numbers, with title, names, note and logo, under a link that shows them unchanged, whatever data "
        f"and prices do later.{read_by}"
    )
    secret = owner()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        days = st.selectbox(
            "Link stops working", list(_EXPIRIES), format_func=_EXPIRIES.__getitem__, key="expiry", width=220
        )
        sharing = _sharing()
        pressed = st.button("Freeze", type="primary", icon=":material/ac_unit:", key="freeze")
    try:
        if pressed:
            login.require("freeze")
            take("freezes")
            made = store().freeze(query, report_to_result(document), secret, document.cover, days or None, sharing)
            st.session_state["frozen_id"] = made.id
            keep_owner(secret)
        own = store().list_own(secret)
    except AdvisorError as error:
        st.warning(refusal(str(error)), icon=":material/cloud_off:")
        return
    draw_keeper()
    new = st.session_state.get("frozen_id")
    if any(summary.id == new for summary in own):
        st.success("Frozen. The link:", icon=":material/ac_unit:")
        st.code(frozen_link(str(new)), language=None, wrap_lines=True)
    if own:
        _list(own, secret)


def _list(own: tuple[Summary, ...], secret: str) -> None:
    with st.expander(f"Your frozen links ({len(own)})"):
        if not login_required():
            st.markdown(small("A cookie keeps the list in this browser. Without cookies it is lost with this visit."))
        for summary in own[:_MOST_SHOWN]:
            until = "" if summary.expires_at is None else f", until {summary.expires_at:%Y-%m-%d}"
            with st.container(border=True):
                what = summary.title.strip() or summary.query
                st.markdown(f"**{plain(what)}**  \n{small(plain(f'{summary.created_at:%Y-%m-%d %H:%M} UTC{until}'))}")
                st.code(frozen_link(summary.id), language=None, wrap_lines=True)
                if login_required():
                    _read_by(summary, secret)
                st.button("Delete", key=f"delete_{summary.id}", on_click=_delete, args=(summary.id, secret))
        if len(own) > _MOST_SHOWN:
            st.markdown(small(f"And {len(own) - _MOST_SHOWN} older ones."))


def _sharing() -> Sharing:
    """Who may read what is frozen now: where people log in, at first nobody else."""
    person = login.here()
    if person is None:
        return Sharing()
    offered = _offered()
    chosen = st.selectbox("Who may read it", list(offered), format_func=offered.__getitem__, key="read_by", width=280)
    return Sharing(chosen, person.email or person.name)


def _offered() -> dict[Visibility, str]:
    found = roles()
    offered: dict[Visibility, str] = {"private": "Only me", "company": "Everybody who logs in here"}
    if found is not None and found.open_links:
        offered["link"] = "Whoever has the link"
    return offered


def _read_by(summary: Summary, secret: str) -> None:
    offered = _offered()
    # What was frozen by link where that is no longer offered, is read by whoever logs in.
    now: Visibility = summary.visibility if summary.visibility in offered else "company"
    key = f"read_by_{summary.id}"
    st.selectbox(
        "Who may read it",
        list(offered),
        index=list(offered).index(now),
        format_func=offered.__getitem__,
        key=key,
        on_change=_share,
        args=(summary.id, secret, key),
        width=280,
    )


def _share(id: str, secret: str, key: str) -> None:
    try:
        login.require("freeze")
        if st.session_state[key] in _offered():
            store().share(id, secret, st.session_state[key])
    except AdvisorError as error:
        st.toast(refusal(str(error)), icon=":material/cloud_off:")


def _delete(id: str, secret: str) -> None:
    try:
        login.require("see")
        store().delete(id, secret)
    except AdvisorError as error:
        st.toast(refusal(str(error)), icon=":material/cloud_off:")
