"""Where a price stands and of which month it is, beside every price on a page."""

from __future__ import annotations

from advisor.costs.money import UsedPrice
from advisor.ui.parts.html import outside


def price_of(price: UsedPrice) -> str:
    """Of which month an old price is; whose it is if the user's; nothing for one of today."""
    if price.users_own:
        return "yours"
    if not price.is_stale:
        return ""
    return "no date" if price.as_of is None else f"price of {price.as_of:%B %Y}"


def address(source: str) -> str | None:
    """The address in a source, which may go on in words; None where it is none."""
    first = source.partition(" ")[0]
    return first if first.startswith(("https://", "http://")) else None


def seen(price: UsedPrice) -> str:
    """HTML: the month of a price as a link to its source, in words of its own where it is old; of the user's none."""
    link = address(price.source)
    if price.users_own or link is None:
        return ""
    return outside(link, price_of(price) or f"{price.as_of:%B %Y}")
