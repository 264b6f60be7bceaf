"""Filters over the machines for a model: they hide rows and ask the engine nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from advisor.ui.machine_rows import MachineRow

_KEPT: dict[str, Any] = {"persist_state": "session"}
_NO_VENDOR = {"generic": "CPU platforms"}


def draw(rows: Sequence[MachineRow], currency: str) -> list[MachineRow]:
    """The rows that the filters leave."""
    vendors = sorted({row.vendor for row in rows}, key=lambda name: (name in _NO_VENDOR, name))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        words = st.text_input(
            "Find", key="machines_words", placeholder="such as rtx 4090", max_chars=100, width=220, **_KEPT
        )
        chosen = st.pills(
            "Vendor",
            vendors,
            format_func=lambda name: _NO_VENDOR.get(name, name),
            selection_mode="multi",
            key="machines_vendor",
            **_KEPT,
        )
        to_buy = _money(f"At most, to buy ({currency})", "machines_budget", 500.0)
        monthly = _money(f"At most, a month ({currency})", "machines_monthly", 50.0)
    return [
        row
        for row in rows
        if _has_words(row, words or "")
        and (not chosen or row.vendor in chosen)
        and (to_buy is None or (row.own is not None and row.own.upfront <= to_buy))
        and (monthly is None or _least_a_month(row) <= monthly)
    ]


def _money(label: str, key: str, step: float) -> float | None:
    given = st.number_input(
        label, min_value=0.0, value=None, step=step, key=key, width=190, placeholder="any", format="%.0f", **_KEPT
    )
    return None if given is None else float(given)


def _least_a_month(row: MachineRow) -> float:
    known = (price for price in (row.own_monthly, row.rent_monthly) if price is not None)
    return min(known, default=float("inf"))


def _has_words(row: MachineRow, words: str) -> bool:
    text = f"{row.id} {row.name} {row.vendor}".lower()
    return all(word in text for word in words.lower().split())
