"""Inputs for load, terms and prices. Empty prices are those of the price tables."""

from __future__ import annotations

from typing import Any, get_args

import streamlit as st

from advisor.costs.price_tables import Region, RentalTerm, currencies, electricity_prices
from advisor.ui.parts.bound_inputs import choice, number

_LISTED = "as listed"
_NOT_COUNTED = "not counted"
_PRICE = (0.0, 1e9)
_MOST_TOKENS = (0, 10_000_000)


def draw() -> dict[str, Any]:
    """Draw them; the values by key of the question."""
    with st.expander("Load and money"):
        values = _load() | _terms()
        with st.popover("Own prices and figures", width="stretch"):
            return values | _own_prices() | _running() | _rented()


def _load() -> dict[str, Any]:
    return {
        "requests_per_day": number(
            "requests_per_day", "Requests a day", step=100.0, bounds=(0.033, 1e12), help="Of all users together."
        ),
        "tokens_in": number("tokens_in", "Prompt tokens per request", step=100, bounds=_MOST_TOKENS),
        "tokens_out": number("tokens_out", "Answer tokens per request", step=100, bounds=_MOST_TOKENS),
        "peak_factor": number("peak_factor", "Busiest hour over the average", step=0.5),
        "hours_per_month": number(
            "hours_per_month",
            "Hours a month in service",
            step=10.0,
            bounds=(0.01, 730.0),
            help="730: always on. Rented machines are paid for these hours only.",
        ),
    }


def _terms() -> dict[str, Any]:
    countries = tuple(dict.fromkeys(country for country, _ in electricity_prices()))
    return {
        "currency": choice("currency", "Currency", currencies()),
        "years": number("years", "Years of use", step=1),
        "country": choice("country", "Country of the electricity price", countries),
        "region": choice("region", "Where to rent", get_args(Region)),
        "term": choice("term", "How to rent", get_args(RentalTerm)),
        "rent_gpu": choice("rent_gpu", "Rented GPU", ("same", "any"), help="any: others that hold it at its speed too"),
    }


def _own_prices() -> dict[str, Any]:
    st.markdown("**Buying** (net of VAT)")
    return {
        "device_price": number("device_price", "One device", step=100.0, bounds=_PRICE, placeholder=_LISTED),
        "host_price": number("host_price", "The computer around it", step=100.0, bounds=_PRICE, placeholder=_LISTED),
        "resale_percent": number("resale_percent", "Resale (%)", step=5.0, bounds=(0, 100), placeholder="by age"),
        "cost_of_capital_percent": number(
            "cost_of_capital_percent", "Cost of capital (% a year)", step=1.0, bounds=(0, 100), placeholder=_NOT_COUNTED
        ),
        "vat_percent": number("vat_percent", "VAT (%)", step=1.0),
        "eur_rate": number("eur_rate", "US dollars for one euro", step=0.01, bounds=(0.01, 100), placeholder=_LISTED),
        "chf_rate": number("chf_rate", "US dollars for one franc", step=0.01, bounds=(0.01, 100), placeholder=_LISTED),
    }


def _running() -> dict[str, Any]:
    st.markdown("**Running it**")
    watts = (0.0, 1_000_000.0)
    return {
        "electricity_price": number(
            "electricity_price", "Electricity (per kWh)", step=0.01, bounds=_PRICE, placeholder=_LISTED
        ),
        "pue": number("pue", "PUE", step=0.1, placeholder="by kind of machine", help="Power drawn over power used."),
        "co2_g_per_kwh": number("co2_g_per_kwh", "CO2 (g per kWh)", step=10.0, placeholder="not known"),
        "utilisation_percent": number(
            "utilisation_percent", "Time computing (%)", step=5.0, bounds=(0, 100), placeholder="from load and speed"
        ),
        "device_load_w": number("device_load_w", "Device at work (W)", step=10.0, bounds=watts, placeholder=_LISTED),
        "device_idle_w": number("device_idle_w", "Device idle (W)", step=5.0, bounds=watts, placeholder=_LISTED),
        "host_load_w": number("host_load_w", "Host at work (W)", step=10.0, bounds=watts, placeholder=_LISTED),
        "host_idle_w": number("host_idle_w", "Host idle (W)", step=5.0, bounds=watts, placeholder=_LISTED),
        "colocation_per_month": number(
            "colocation_per_month", "Colocation a month", step=50.0, bounds=_PRICE, placeholder=_NOT_COUNTED
        ),
        "admin_hours": number("admin_hours", "Admin hours a month", step=1.0, placeholder=_NOT_COUNTED),
        "admin_rate": number("admin_rate", "Price of such an hour", step=10.0, bounds=_PRICE, placeholder="–"),
        "support_per_year": number(
            "support_per_year", "Support contract a year", step=100.0, bounds=_PRICE, placeholder=_NOT_COUNTED
        ),
    }


def _rented() -> dict[str, Any]:
    st.markdown("**Renting and paying per token**")
    return {
        "instance_price": number(
            "instance_price", "Instance (per hour)", step=0.5, bounds=_PRICE, placeholder="from offers"
        ),
        "storage_gb": number("storage_gb", "Storage (GB)", step=100.0),
        "storage_price": number(
            "storage_price", "Storage (per GB and month)", step=0.01, bounds=_PRICE, placeholder="–"
        ),
        "egress_gb": number("egress_gb", "Traffic out (GB a month)", step=100.0),
        "egress_price": number("egress_price", "Traffic out (per GB)", step=0.01, bounds=_PRICE, placeholder="–"),
        "api_input_price": number(
            "api_input_price", "API, per million prompt tokens", step=0.1, bounds=_PRICE, placeholder=_LISTED
        ),
        "api_output_price": number(
            "api_output_price", "API, per million answer tokens", step=0.1, bounds=_PRICE, placeholder=_LISTED
        ),
        "api_cached_price": number(
            "api_cached_price", "API, per million cached tokens", step=0.1, bounds=_PRICE, placeholder=_LISTED
        ),
        "cached_percent": number("cached_percent", "Prompt tokens billed as cached (%)", step=5.0),
    }
