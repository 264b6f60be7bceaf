"""How old the data is: every table with its rows and days, old prices flagged."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from advisor.answer.data_ages import MODELS, TableAge, data_ages
from advisor.foundation.data_release import data_release
from advisor.ui.parts.html_table import html_table
from advisor.ui.parts.text import plain, small

# What each table holds, by its name under data/.
HOLDS = {
    "prices/hardware.csv": "Prices of machines, new and used",
    "prices/api.csv": "Prices of hosts, per token",
    "prices/cloud.csv": "Rents of GPUs, per hour",
    "prices/electricity.csv": "Electricity tariffs",
    "prices/exchange_rates.csv": "Exchange rates",
    "prices/hosts.csv": "Computers around GPUs",
    "prices/power.csv": "Power of whole machines",
    "prices/tco.csv": "Figures on owning machines",
    "prices/resale.csv": "What machines fetch again",
    "prices/discounts.csv": "Discounts of hosts",
    "prices/grid.csv": "CO2 of countries' electricity",
    "prices/residency.csv": "Surcharges for computing in a region",
    "machines.csv": "Machines",
    MODELS: "Models",
    "ollama_names.csv": "Names in Ollama's library",
    "models_not_sized.csv": "Models known by name only",
    "published_files.csv": "Published files with their sizes",
    "published_repositories.csv": "Repositories with GGUF files",
    "gated.csv": "Owners who ask to accept terms first",
    "projectors.csv": "Sizes of vision and audio parts",
    "runtime_support.csv": "What runs which format on which hardware",
    "runtime_architectures.csv": "Which models runtimes have code for",
    "checked_architectures.csv": "Architectures checked against llama.cpp",
    "accuracy.csv": "How right the figures are",
    "quality.csv": "Measured losses of quality",
    "kv_quality.csv": "Measured losses by a smaller KV cache",
    "model_scores.csv": "Published scores of models",
    "model_scale.csv": "Scale fitted to the scores",
    "speed_measurements.csv": "Measured speeds",
    "speed_constants.csv": "Constants fitted to the speeds",
    "drafting.csv": "Measured gains of drafting",
}
_DAYS = ("Looked at", "The source's days")


def draw() -> None:
    """Draw the tab."""
    ages = data_ages(datetime.now(UTC).date())
    old = [age for age in ages if age.old]
    st.markdown(
        "Every row of the data names its source and a day. Nothing is fetched while you look: prices are as old as the "
        "last update, and answers say so."
    )
    if old:
        told = "; ".join(f"{HOLDS[age.table.file]}: {age.old:,} of {age.rows:,}" for age in old)
        st.warning(plain(f"Old prices. {told}. Look at the source, or put in your own."), icon=":material/schedule:")
    st.html(
        html_table(
            f"{len(ages)} tables with their rows, the days they speak of, and how many prices are old",
            ("Table", "Rows", "Old", *_DAYS, "File"),
            [_row(age) for age in ages],
            ("Rows", "Old", *_DAYS),
        )
    )
    st.markdown(
        small(
            "Old means: of longer ago than the days in brackets by its source, or of a day that nobody knows; it "
            "counts with a wider range. “The source's days” are when something was measured "
            "or published, “Looked at” when it was read for this data. Where one is missing, the table has the other. "
            + plain(f"Data release {data_release()}.")
        )
    )


def _row(age: TableAge) -> tuple[str, ...]:
    limit = age.table.limit_days
    old = "–" if limit is None else f"{'▲ ' if age.old else '✔ '}{age.old:,} ({limit} days)"
    return HOLDS[age.table.file], f"{age.rows:,}", old, _span(age.seen), _span(age.source), f"data/{age.table.file}"


def _span(days: tuple[str, str] | None) -> str:
    if days is None:
        return "–"
    oldest, newest = days
    return oldest if oldest == newest else f"{oldest} to {newest}"
