"""Which public price feeds there are, and where."""

from __future__ import annotations

from dataclasses import dataclass

FEEDS = ("genai-prices", "litellm", "gpuhunt", "skypilot", "exoscale", "eurostat", "ecb", "co2.js")


@dataclass(frozen=True, slots=True)
class FeedUrls:
    """Where the feeds are; a folder for gpuhunt, SkyPilot and Eurostat, a file for the others."""

    gpuhunt: str = "https://dstack-gpu-pricing.s3.eu-west-1.amazonaws.com/v3"
    skypilot: str = "https://raw.githubusercontent.com/skypilot-org/skypilot-catalog/master/catalogs/v8"
    litellm: str = "https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json"
    exoscale: str = "https://portal.exoscale.com/api/pricing/opencompute"
    eurostat: str = "https://ec.europa.eu/eurostat/api/dissemination/statistics/1.0/data"
    ecb: str = "https://www.ecb.europa.eu/stats/eurofxref/eurofxref-daily.xml"
    grid: str = (
        "https://raw.githubusercontent.com/thegreenwebfoundation/co2.js/main/data/output/average-intensities.json"
    )
