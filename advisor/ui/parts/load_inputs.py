"""Inputs for load, terms and prices. Empty prices are those of the price tables."""

from __future__ import annotations

from typing import get_args

import streamlit as st
from babel import Locale

from advisor.costs.inputs import Buyer
from advisor.costs.price_rows import REGION_NAMES, Customer, Region, RentalTerm
from advisor.costs.price_tables import currencies, electricity_prices
from advisor.ui.parts.fields import choice, number
from advisor.words import say

_LISTED = "as listed"
_USUAL = "as usual for the buyer"
_BUYERS = {"hobby": "A hobbyist", "small-company": "A small company", "data-centre": "A data centre"}
_MARKETS = {"any": "New, or used where no new price is known", "new": "New", "used": "Used"}
_CUSTOMERS = {"business": "A business", "household": "A household"}
_PRICE = (0.0, 1e9)
_WATTS = (0.0, 1e6)
_MOST_TOKENS = (0, 10_000_000)
_REGIONS = {"EU27": "European Union"}  # among the countries with a price

LOAD_KEYS = (
    *("requests_per_day", "tokens_in", "tokens_out", "peak_factor", "hours_per_month"),
    *("buyer", "market", "currency", "years", "country", "customer", "region", "term", "rent_gpu"),
)
PRICE_KEYS = (
    *("device_price", "host_price", "resale_percent", "cost_of_capital_percent", "vat_percent"),
    *("eur_rate", "chf_rate", "electricity_price", "pue", "co2_g_per_kwh", "utilisation_percent"),
    *("device_load_w", "device_idle_w", "host_load_w", "host_idle_w", "power_limit_w", "colocation_per_month"),
    *("admin_hours", "admin_rate", "support_per_year", "operation_hours", "spare_machines", "downtime_percent"),
    *("instance_price", "storage_gb", "storage_price", "egress_gb", "egress_price", "api_input_price"),
    *("api_output_price", "api_cached_price", "api_decline_percent", "cached_percent", "batch_percent"),
)


def draw_first(place: str = "") -> None:
    """Draw what matters most for money; `place` where the page has these inputs twice."""
    about = "Of all users together."
    number("requests_per_day", "Requests a day", step=100.0, bounds=(0.033, 1e12), help=about, place=place)
    number("tokens_in", "Prompt tokens per request", step=100, bounds=_MOST_TOKENS, place=place)
    number("tokens_out", "Answer tokens per request", step=100, bounds=_MOST_TOKENS, place=place)


def draw_load() -> None:
    """Draw what is asked of it."""
    draw_first()
    number("peak_factor", "Busiest hour over the average", step=0.5)
    number(
        "hours_per_month",
        "Hours a month in service",
        step=10.0,
        bounds=(0.01, 730.0),
        help="730: always on. Rented machines are paid for these hours only.",
    )


def draw_terms() -> None:
    """Draw where and how it is bought or rented; countries and currencies by name."""
    english = Locale("en")
    countries = tuple(dict.fromkeys(country for country, _ in electricity_prices()))
    named = {one: english.territories.get(one, _REGIONS.get(one, one)) for one in countries}
    choice(
        "buyer",
        "Who buys",
        get_args(Buyer),
        names=_BUYERS,
        help="A company also pays for staff, support, capital and space. Your own figures replace the usual ones.",
    )
    choice("market", "Bought", tuple(_MARKETS), names=_MARKETS)
    money = currencies()
    choice("currency", "Currency", money, names={one: f"{english.currencies[one]} ({one})" for one in money})
    number("years", "Years of use", step=1)
    choice(
        "country",
        "Country of the electricity price",
        sorted(countries, key=lambda one: named[one]),
        names=named,
    )
    choice("customer", "Who pays for electricity", get_args(Customer), names=_CUSTOMERS)
    choice(
        "region",
        "Where to rent",
        get_args(Region),
        names={one: say(name, "page") for one, name in REGION_NAMES.items()},
        help="And where an API computes: hosts that say so count first.",
    )
    choice("term", "How to rent", get_args(RentalTerm), names={one: one.capitalize() for one in get_args(RentalTerm)})
    choice(
        "rent_gpu",
        "Rented GPU",
        ("same", "any"),
        names={"same": "The same", "any": "Any that does it"},
        help="Any: others that hold it at its speed too.",
    )


def draw_prices() -> None:
    """Draw what replaces the listed prices and figures."""
    st.markdown("**Buying** (net of VAT)")
    number("device_price", "One device", step=100.0, bounds=_PRICE, placeholder=_LISTED)
    number("host_price", "The computer around it", step=100.0, bounds=_PRICE, placeholder=_LISTED)
    number("resale_percent", "Resale (%)", step=5.0, bounds=(0, 100), placeholder="by age")
    number("cost_of_capital_percent", "Cost of capital (% a year)", step=1.0, bounds=(0, 100), placeholder=_USUAL)
    number("vat_percent", "VAT (%)", step=1.0)
    number("eur_rate", "US dollars for one euro", step=0.01, bounds=(0.01, 100), placeholder=_LISTED)
    number("chf_rate", "US dollars for one franc", step=0.01, bounds=(0.01, 100), placeholder=_LISTED)
    _running()
    _rented()


def _running() -> None:
    st.markdown("**Running it**")
    number("electricity_price", "Electricity (per kWh)", step=0.01, bounds=_PRICE, placeholder=_LISTED)
    number("pue", "PUE", step=0.1, placeholder="by kind of machine", help="Power drawn over power used.")
    number("co2_g_per_kwh", "CO2 (g per kWh)", step=10.0, placeholder="of the country's grid")
    number("utilisation_percent", "Time computing (%)", step=5.0, bounds=(0, 100), placeholder="from load and speed")
    number("device_load_w", "Device at work (W)", step=10.0, bounds=_WATTS, placeholder=_LISTED)
    number("device_idle_w", "Device idle (W)", step=5.0, bounds=_WATTS, placeholder=_LISTED)
    number("host_load_w", "Host at work (W)", step=10.0, bounds=_WATTS, placeholder=_LISTED)
    number("host_idle_w", "Host idle (W)", step=5.0, bounds=_WATTS, placeholder=_LISTED)
    number(
        "power_limit_w",
        "Power limit of a card (W)",
        step=10.0,
        bounds=(10.0, 10_000.0),
        placeholder="as sold",
        help="The watts set as its limit. What that costs in speed is not counted.",
    )
    number("colocation_per_month", "Colocation a month", step=50.0, bounds=_PRICE, placeholder=_USUAL)
    number("admin_hours", "Admin hours a month", step=1.0, placeholder=_USUAL)
    number("admin_rate", "Price of such an hour", step=10.0, bounds=_PRICE, placeholder="–")
    number("support_per_year", "Support contract a year", step=100.0, bounds=_PRICE, placeholder=_USUAL)
    number(
        "operation_hours",
        "Hours a month to keep it served",
        step=4.0,
        placeholder=_USUAL,
        help="For all machines together, owned or rented.",
    )
    number("spare_machines", "Spare machines", step=1, placeholder=_USUAL)
    number("downtime_percent", "Time out of service (%)", step=0.1, placeholder=_USUAL)


def _rented() -> None:
    st.markdown("**Renting and paying per token**")
    number("instance_price", "Instance (per hour)", step=0.5, bounds=_PRICE, placeholder="from offers")
    number("storage_gb", "Storage (GB)", step=100.0)
    number("storage_price", "Storage (per GB and month)", step=0.01, bounds=_PRICE, placeholder="–")
    number("egress_gb", "Traffic out (GB a month)", step=100.0)
    number("egress_price", "Traffic out (per GB)", step=0.01, bounds=_PRICE, placeholder="–")
    number("api_input_price", "API, per million prompt tokens", step=0.1, bounds=_PRICE, placeholder=_LISTED)
    number("api_output_price", "API, per million answer tokens", step=0.1, bounds=_PRICE, placeholder=_LISTED)
    number("api_cached_price", "API, per million cached tokens", step=0.1, bounds=_PRICE, placeholder=_LISTED)
    number(
        "api_decline_percent",
        "APIs get cheaper (% a year)",
        step=5.0,
        placeholder=_USUAL,
        help="31 is by how much renting an H100 fell from 2024 to 2026; 90 is for ever newer models of equal quality.",
    )
    number("cached_percent", "Prompt tokens sent before, cached (%)", step=5.0)
    number(
        "batch_percent",
        "Requests that may wait (%)",
        step=5.0,
        help="For hours: outside the busiest hour, and at hosts' batch prices.",
    )
