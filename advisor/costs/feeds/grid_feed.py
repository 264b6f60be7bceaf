"""What co2.js keeps of Ember's yearly data on electricity, as rows of data/prices/grid.csv."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from advisor.costs.feeds.feed_rows import amount, checked
from advisor.costs.feeds.fetch import FeedError
from advisor.costs.price_rows import Grid

_GRAMS = "emissions_intensity_gco2_per_kwh"


def grid_rows(data: dict[str, Any], rows: Iterable[Grid], source: str, today: date) -> tuple[Grid, ...]:
    """Our rows with what the file says of a later year; raises FeedError. It is an object by country: its year and
    grams.
    """
    found = []
    for row in rows:
        entry = data.get(row.feed_key)
        if not isinstance(entry, dict) or not isinstance(entry.get("year"), int) or _GRAMS not in entry:
            raise FeedError("co2.js: {entry} has no year or no {grams}.", entry=row.feed_key, grams=_GRAMS)
        if entry["year"] <= row.year:
            found.append(row)
            continue
        changed = {
            "g_per_kwh": amount("co2.js", 0, row.feed_key, str(entry[_GRAMS])),
            "year": entry["year"],
            "as_of": date(entry["year"], 12, 31),
            "checked": today,
            "source": source,
        }
        found.append(checked(Grid, "co2.js", {**row.model_dump(), **changed}))
    return tuple(found)
