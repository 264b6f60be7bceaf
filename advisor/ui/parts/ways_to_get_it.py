"""Three cards: what to buy, what to rent, and what it costs by the token; the best of each, asked of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from advisor.answer.machines_for_model import best_of, cheapest_of
from advisor.foundation.numbers import approx, exact, money, plural, rough, span
from advisor.question.question import Question
from advisor.report.cost_section import COMPARED_ONLY
from advisor.ui.machine_rows import Bill, MachineRow, Machines
from advisor.ui.parts.explore_html import small
from advisor.ui.parts.html import badge, go, question_href
from advisor.ui.parts.price_seen import seen


def cards(found: Machines, shown: Sequence[MachineRow], question: Question) -> str:
    """The best of the machines that are shown, owned and rented, and the API."""
    currency = question.costs.billing.currency
    kept_here = question.requirements.own_hardware
    to_buy = cheapest_of(shown, lambda row: row.own_monthly)
    to_rent = cheapest_of(shown, lambda row: row.rent_monthly)
    bought = [] if to_buy is None else best_of(shown, lambda row: row.own_monthly)
    rented = [] if to_rent is None else best_of(shown, lambda row: row.rent_monthly)
    nothing = "No price is known for any of these machines." if shown else "There is no machine to show."
    return "".join(
        (
            '<div class="ways">',
            _machine("Buy", to_buy, None if to_buy is None else to_buy.own, bought, question, nothing),
            _machine(
                "Rent",
                to_rent,
                None if to_rent is None else to_rent.rent,
                rented,
                question,
                "Nobody is listed who rents out any of these machines." if shown else nothing,
                COMPARED_ONLY if kept_here else "",
            ),
            _api(found.api, found.no_api, currency, COMPARED_ONLY if kept_here else ""),
            "</div>",
        )
    )


def _machine(
    way: str,
    row: MachineRow | None,
    bill: Bill | None,
    alike: Sequence[MachineRow],
    question: Question,
    nothing: str,
    note: str = "",
) -> str:
    if row is None or bill is None:
        return _card(way, f"<p>{escape(nothing)}</p>")
    currency = question.costs.billing.currency
    verb = "to own" if way == "Buy" else "to rent"
    facts = [("Runs", f"{row.level} in {row.runtime}")]
    if row.kept is not None:
        facts.append(("Keeps", f"{min(row.kept.typical, 100):.1f} % of the 16-bit score"))
    facts.append(("Speed", _speed(row, question)))
    facts.append(("Users", f"room for {row.users:,} with full context"))
    if way == "Buy":
        years = plural(question.costs.billing.years, "year")
        of_what = f"written off over {years}, less resale, with running costs"
        facts.insert(0, ("To buy", f"{money(bill.upfront)} {currency}: {bill.title}"))
        if row.watts is not None:
            facts.append(("Power", f"{row.watts:,.0f} W while it computes"))
        if bill.not_included:
            facts.append(("Not in it", ", ".join(bill.not_included)))
    else:
        several = f"; the median of {bill.offers} providers" if bill.offers > 1 else ""
        of_what = ""
        facts.append(("Offer", f"{bill.title}{several}"))
    return _card(
        way,
        f"<p>{escape(_place(row, alike, verb))} {badge(row.status)}</p>"
        f'<p class="name">{go(question_href(row.query), row.name)}</p>'
        f"{_price(bill, currency, of_what)}{_facts(facts)}{small(note)}",
    )


def _place(row: MachineRow, alike: Sequence[MachineRow], verb: str) -> str:
    """What it is the cheapest of: those that run it as well, and hold it on their GPUs where any do."""
    several = f"{plural(len(alike), 'machine')} with a known price"
    if row.rank == 0:
        place = f"The cheapest a month {verb} of {several} that run it well"
    else:
        place = f"No machine {verb} runs it as asked; the cheapest a month of {several} that come nearest"
    left = sum(not one.is_whole for one in alike) if row.is_whole else 0
    return f"{place}, {left:,} with a part of it in RAM left out:" if left else f"{place}:"


def _speed(row: MachineRow, question: Question) -> str:
    found, unit = (row.tokens_per_s, "tokens/s") if row.tokens_per_s is not None else (row.inputs_per_s, "inputs/s")
    if found is None:
        return "not known"
    wish = question.requirements.min_tokens_per_s
    short = f", short of {exact(wish)}" if wish is not None and not row.as_fast_as_asked else ""
    return f"{rough(found.typical)} {unit} ({span(found, rough)}){short}"


def _api(bill: Bill | None, why: str, currency: str, note: str) -> str:
    if bill is None:
        return _card("API", f"<p>{escape(why or 'No price is known.')}</p>")
    several = f"; the median of {bill.offers} hosts" if bill.offers > 1 else ""
    facts = [
        ("Tokens", f"{approx(bill.per_million_tokens)} {currency} for a million"),
        ("Host", bill.title),
        ("Speed", "not stated in price lists"),
        ("Users", "as many as the host lets in"),
    ]
    said = f"Nothing to buy: paid by the token{several}."
    return _card("API", f"<p>{escape(said)}</p>{_price(bill, currency)}{_facts(facts)}{small(note)}")


def _price(bill: Bill, currency: str, of_what: str = "") -> str:
    low, high = money(bill.low), money(bill.high)
    between = small("; ".join(filter(None, (f"{low} to {high}" if low != high else "", of_what))))
    said = seen(bill.price)
    source = f'<p class="small">{said}</p>' if said else ""
    return f'<p><span class="price">{money(bill.monthly)} {escape(currency)}</span> a month{between}</p>{source}'


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return f"<dl>{rows}</dl>"


def _card(way: str, body: str) -> str:
    return f'<section class="way" aria-label="{way}"><h2>{way}</h2>{body}</section>'
