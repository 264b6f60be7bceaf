"""A full report with made-up figures, for the tests of the PDF and for looking at it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.ranges import Range
from advisor.report.brief import Brief, Figure, Ways
from advisor.report.document import (
    Appendix,
    BreakEven,
    ChoiceCard,
    Command,
    CostLine,
    CostOption,
    Costs,
    Cover,
    Fact,
    Gloss,
    MemoryBar,
    MemoryChart,
    QualityRow,
    ReportDocument,
    SourceRow,
    SpeedRow,
    Table,
)

LINK = "https://advisor.example.org/?model=llama-3.1-70b-instruct&machine=a100-sxm4-80gb&context=8192&users=4"
RECOMMENDED = "Q5_K_M"


def bars() -> tuple[MemoryBar, ...]:
    made = []
    for name, level in sorted(LEVELS.items(), key=lambda item: -item[1].nominal_bits):
        weights = 70.6 * level.nominal_bits / 8 * 0.96
        total = weights + 10 + 1.1 + 0.6
        verdict, tone = (
            ("fits", "good") if total < 76.1 else ("tight", "tight") if total < 79.2 else ("does not fit", "bad")
        )
        made.append(MemoryBar(name, weights, 10.0, 1.1, 0.6, verdict, tone))  # type: ignore[arg-type]
    return tuple(made)


def levels() -> Table:
    return Table(
        ("Level", "Verdict", "File", "Bits/weight", "Memory", "Free", "Longest context", "Quality kept", "Tokens/s"),
        tuple(
            (
                bar.level,
                bar.verdict,
                f"{bar.weights_gib * 1.074:,.1f} GB",
                f"{LEVELS[bar.level].nominal_bits:.2f}",
                f"{bar.total_gib:,.1f} GiB",
                f"{79.2 - bar.total_gib:,.1f} GiB".replace("-", "−"),
                "131,072" if bar.tone == "good" else "–",
                "99.2 %",
                "21–29",
            )
            for bar in bars()
        ),
        right_aligned=(2, 3, 4, 5, 6, 7, 8),
        highlighted=[bar.level for bar in bars()].index(RECOMMENDED),
    )


def costs() -> Costs:
    months = range(37)
    return Costs(
        "USD",
        (
            CostOption(
                "Buy one A100 80 GB",
                14_500,
                Range(150, 210, 290),
                Range(0.9, 1.2, 1.9),
                "list price, 0.30 USD/kWh",
                True,
            ),
            CostOption(
                "Rent one A100 80 GB", 0, Range(870, 1_090, 1_460), Range(3.8, 4.9, 6.6), "12 providers, November 2026"
            ),
            CostOption(
                "Pay an API per token", 0, Range(540, 640, 980), Range(0.54, 0.64, 0.98), "7 providers, November 2026"
            ),
        ),
        (
            CostLine("Buy one A100 80 GB", tuple(14_500 + 210.0 * m for m in months)),
            CostLine("Rent one A100 80 GB", tuple(1_090.0 * m for m in months)),
            CostLine("Pay an API per token", tuple(640.0 * m for m in months)),
        ),
        (
            BreakEven(16.5, 17_965, "cheaper than renting after 17 months"),
            BreakEven(33.7, 21_577, "cheaper than the API after 34 months"),
        ),
        "Use: 1,000 M tokens a month. Bought hardware is written off over 36 months.",
    )


def brief() -> Brief:
    return Brief(
        decision="Run Llama 3.1 70B as Q5_K_M on your own A100 80 GB: owning costs least, about 210 USD a month.",
        beside="Llama 3.1 70B as Q5_K_M fits on one A100 80 GB with 11 % to spare.",
        sure=("With every amount drawn at random from its range, owning is cheapest in 7 of 10 draws.",),
        load="For 28,000 requests a day, each of 1,000 tokens in and 200 out: 1,022 M tokens a month.",
        money=(
            Figure(
                "upfront", "At once", "14,500 USD", "12,000 to 16,000 USD", "to buy it", "estimated", "November 2026"
            ),
            Figure("month", "A month", "210 USD", "150 to 290 USD", "", "estimated", "November 2026"),
            Figure("total", "Over 3 years", "7,560 USD", "5,400 to 10,440 USD", "after resale", "estimated", ""),
        ),
        gets=(
            Figure(
                "quality", "Quality", "99.4 %", "99 to 100 %", "hardly a difference", "measured elsewhere", "May 2025"
            ),
            Figure("speed", "Speed for each user", "24 tokens/s", "21 to 29 tokens/s", "5 times reading", "estimated"),
            Figure("users", "Users at once", "4", words="room for 9", confidence="computed"),
        ),
        ways=Ways(
            ("Own it", "Rent it", "Pay per token"),
            (
                ("A month", "210 USD (150 to 290)", "1,090 USD (870 to 1,460)", "640 USD (540 to 980)"),
                ("Where data goes", "stays with you", "to the provider", "to the host"),
                ("Main risk", "paid at once", "sold out", "price may change"),
            ),
            0,
        ),
        changes=("Requests a day: at 400 or less instead of 1,000, an API costs least.",),
        look_again="Look again on 23 February 2027.",
    )


def cards() -> tuple[ChoiceCard, ...]:
    figures = (Fact("Tokens/s", "24"), Fact("Memory", "60.1 GiB"))
    return (
        ChoiceCard("Chosen", RECOMMENDED, "Good", "good", figures),
        ChoiceCard("Faster", "Q4_K_M", "Good", "good", figures, "Q4_K_M writes about 29 instead of 24 tokens/s."),
    )


def report(**changes: object) -> ReportDocument:
    document = ReportDocument(
        cover=Cover(
            title="Own assistant for the claims department",
            company="Muster Versicherung AG",
            prepared_for="Dr. Jürgen Weiß, Head of IT",
            note="The assistant must run in our own data centre. Peak use is four clerks at once.",
        ),
        subject="Llama 3.1 70B Instruct on one A100 SXM4 80 GB",
        verdict="Run Llama 3.1 70B at Q5_K_M on one A100 80 GB: it fits with 11 % to spare, serves four users at "
        "24 tokens/s, and is cheaper than renting after 17 months.",
        tone="good",
        generated_at=datetime(2026, 11, 25, 9, 30, tzinfo=UTC),
        key_figures=(
            Fact("Recommended level", RECOMMENDED, "5.7 bits a weight"),
            Fact("Memory", "60.1 GiB", "of 79.2 GiB"),
            Fact("Speed", "24 tok/s", "for one user, 21–29"),
            Fact("Cost", "613 USD/month", "over 36 months"),
        ),
        model=(
            Fact("Name", "Llama 3.1 70B Instruct"),
            Fact("Parameters", "70.6 B"),
            Fact("File size", "49.9 GB (46.5 GiB)", "exact tensor bytes"),
            Fact("Licence", "Llama 3.1 Community License"),
        ),
        machine=(
            Fact("Name", "NVIDIA A100 SXM4 80 GB"),
            Fact("Usable memory", "79.2 GiB", "as the driver reports it"),
            Fact("Bandwidth", "2,039 GB/s"),
            Fact("Workload", "8,192 tokens × 4 users"),
        ),
        memory=MemoryChart("on one A100 80 GB", bars(), 79.2, 4, RECOMMENDED),
        quality=(
            QualityRow("Chat", Range(98.6, 99.4, 100.1), "measured, 3 studies", 97),
            QualityRow("Reasoning", Range(97.9, 99.0, 100.3), "measured, 5 studies", 97),
            QualityRow("Code", Range(96.8, 98.6, 100.4), "measured on similar models", 97),
            QualityRow("Multilingual", Range(95.1, 98.0, 100.2), "estimate from perplexity"),
        ),
        speed=(
            SpeedRow("Answer, one user", Range(21, 24, 29), "tok/s", "14 measurements on this card"),
            SpeedRow("Answer, four users together", Range(66, 80, 97), "tok/s", "model of memory bandwidth"),
            SpeedRow("Time to first token, 2,000 tokens", Range(2.1, 2.6, 3.9), "s", "6 measurements on this card"),
        ),
        costs=costs(),
        risks=(
            "Prices of used A100 cards fell by 20 % in a year; what is bought today loses value faster than planned.",
            "Quality on German legal text was not measured; the range is from English tasks.",
        ),
        what_would_flip=(
            "Below 560 M tokens a month the API stays cheaper for all three years.",
            "With more than 9 users at once the context no longer fits beside Q5_K_M.",
        ),
        next_steps=(
            "Try Q5_K_M with 50 of your own questions on a rented card (about 20 USD).",
            "Ask two dealers for an offer with a three-year warranty.",
            "Run the command in the appendix and compare the memory it reports.",
        ),
        notes=("The driver's total was reported by a user of the same card.",),
        brief=brief(),
        cards=cards(),
        start=(Command("llama-server", "llama-server -hf org/Llama-3.1-70B-Instruct-GGUF:Q5_K_M -c 32768 -np 4"),),
        what_matters=Table(
            ("Assumption", "Planned", "Owning saves at half of it", "At half as much again", "Where it turns round"),
            (("Requests a day", "1,000", "\u2212120 USD", "410 USD", "At 400 or less an API costs least."),),
            right_aligned=(1, 2, 3),
        ),
        not_included=("insurance", "VAT: all prices are net"),
        glossary=(
            Gloss("Level", "How strongly the model's weights are rounded. Q5_K_M keeps about 5.7 of 16 bits."),
            Gloss("Token", "A piece of a word; 1,000 tokens are about 750 English words."),
            Gloss("Context", "How much text the model sees at once: the question, its sources and the answer."),
            Gloss("KV cache", "Memory that grows with context and users: what the model keeps of the text so far."),
        ),
        appendix=Appendix(
            levels=levels(),
            assumptions=(
                Fact("Margin", "4 %", "Kept free of each device, so that what is called a fit starts."),
                Fact("Electricity", "0.30 USD/kWh", "Average for business customers."),
            ),
            sources=(
                SourceRow(
                    "Model's shape",
                    "https://huggingface.co/meta-llama/Llama-3.1-70B-Instruct/blob/main/config.json",
                    "2026-11",
                ),
                SourceRow("Memory of the card", "vendor's data sheet, nvidia-smi in public logs", "2026-10"),
            ),
            commands=(
                Command(
                    "Start the server",
                    "llama-server -m Llama-3.1-70B-Instruct-Q5_K_M.gguf -ngl 999 -c 32768 -np 4 -fa on",
                ),
            ),
            reproduce=f'python -m advisor report "{LINK.partition("?")[2]}" report.pdf',
            link=LINK,
            data_release="2026-11-25 · 3f9c01d2ab74",
            app_version="0.4.0",
            how_right=("Memory: 23,180 of 23,187 figures are those that llama.cpp prints.",),
        ),
    )
    return replace(document, **changes)  # type: ignore[arg-type]
