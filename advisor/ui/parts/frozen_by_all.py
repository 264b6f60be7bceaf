"""Everybody's frozen links, for those who may delete what others froze or look after the server: whose, not what."""

from __future__ import annotations

import streamlit as st

from advisor.foundation.errors import AdvisorError
from advisor.store import admin
from advisor.ui import login
from advisor.ui.parts.fold import fold
from advisor.ui.parts.frozen_links import store
from advisor.ui.parts.html_table import html_table
from advisor.ui.parts.text import refusal

_MOST = 100
_COLUMNS = ("Link", "Frozen by", "Read by", "Frozen on", "Until", "Bytes")


def draw() -> None:
    """Draw them for whoever has one of the two rights; nothing for others."""
    if login.may("delete") or login.may("administer"):
        fold("Everybody's frozen links", "fold_frozen_by_all", _draw)


def _draw() -> None:
    try:
        rows = admin.listed(store(), _MOST)
    except AdvisorError as error:
        st.warning(refusal(str(error)), icon=":material/cloud_off:")
        return
    table = [
        (
            row.id,
            row.maker or row.owner,
            row.visibility,
            f"{row.created_at:%Y-%m-%d}",
            "–" if row.expires_at is None else f"{row.expires_at:%Y-%m-%d}",
            f"{row.bytes:,}",
        )
        for row in rows
    ]
    st.html(
        html_table(f"{len(rows)} frozen links, the newest first, without what they say", _COLUMNS, table, _COLUMNS[5:])
    )
    if rows and login.may("delete"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            chosen = st.selectbox("Link to delete", [row.id for row in rows], index=None, key="delete_any", width=280)
            st.button(
                "Delete for everybody",
                key="delete_any_now",
                disabled=chosen is None,
                on_click=_delete,
                args=(chosen,),
            )


def _delete(id: str | None) -> None:
    try:
        login.require("delete")
        if id is not None:
            admin.revoke(store(), id)
    except AdvisorError as error:
        st.toast(refusal(str(error)), icon=":material/cloud_off:")
