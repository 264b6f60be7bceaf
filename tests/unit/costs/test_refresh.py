"""Refreshing the price tables from feeds: over real sockets, in recorded shapes, and every way it can go wrong."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from advisor.__main__ import main
from advisor.costs.feeds import fetch
from advisor.costs.feeds.feed_gpus import gpu_id_of, region_of
from advisor.costs.feeds.feed_models import families, family_meant
from advisor.costs.feeds.refresh import refresh, report
from advisor.costs.feeds.refreshed_tables import Outcome
from advisor.costs.price_rows import ApiOffer, CloudOffer, ElectricityPrice, ExchangeRate, Grid
from advisor.costs.price_tables import FOLDER, GRID_KEY, api_offers, cloud_offers, grids
from advisor.foundation.csv_rows import read_rows
from advisor.foundation.errors import DataError
from advisor.machines.catalogue import machines
from tests.support.feed_server import FeedServer

TODAY = date(2026, 11, 25)
EXOSCALE = {
    "running_gpua30_small": "1.22645833",
    "running_gpu3_small": "1.04530000",
    "running_gpu3_medium": "2.09070000",
    "running_gpu3_large": "4.18130000",
    "running_gpu3_huge": "8.36270000",
    "running_gpua5000_small": "1.34028000",
    "running_gpu3080ti_small": "0.92361000",
    "running_gpurtx6000pro_small": "2.15277778",
    "running_gpurtx6000pro_medium": "4.16666667",
    "running_gpurtx6000pro_large": "8.19444444",
    "running_gpurtx6000pro_huge": "15.97222220",
    "running_gpu2_small": "1.37500000",
    "running_huge": "0.37334000",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(FOLDER, tmp_path / "prices")
    return tmp_path / "prices"


@pytest.fixture
def feeds() -> Iterator[FeedServer]:
    with FeedServer() as server:
        yield server


def run(folder: Path, feeds: FeedServer, feed: str, *, accept: bool = False) -> dict[str, Outcome]:
    outcomes = refresh(TODAY, accept=accept, only=[feed], folder=folder, urls=feeds.urls)
    return {outcome.feed: outcome for outcome in outcomes}


def cloud(folder: Path, provider: str) -> list[CloudOffer]:
    rows = read_rows(folder / "cloud.csv", CloudOffer, ("provider", "region", "instance", "gpu_id", "term"))
    return [row for row in rows if row.provider == provider]


def added(change: str) -> bool:
    """Of an offer for a model that the catalogue has since: no other price changed by it."""
    return ": new, " in change


def api(folder: Path) -> dict[str, ApiOffer]:
    return {row.feed_key: row for row in read_rows(folder / "api.csv", ApiOffer, ("provider", "model"))}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# gpuhunt


def lambda_rows(h100: str = "4.29") -> list[str]:
    return [
        f"gpu_1x_h100_sxm5,us-east-1,{h100},26,225.0,1,H100,80.0,False,2816.0,nvidia,,x86,{{}}",
        "gpu_1x_h100_sxm5,us-west-1,4.49,26,225.0,1,H100,80.0,False,2816.0,nvidia,,x86,{}",
        "gpu_1x_h100_sxm5,asia-south-1,0.5,26,225.0,1,H100,80.0,False,2816.0,nvidia,,x86,{}",
        "gpu_8x_h100_sxm5,us-east-1,31.92,208,1800.0,8,H100,80.0,False,,nvidia,,x86,{}",
        "gpu_1x_a10,us-east-1,1.29,30,200.0,1,A10,24.0,False,1400.0,nvidia,,x86,{}",
        "gpu_1x_a100_sxm4,us-east-1,1.99,30,200.0,1,A100,40.0,False,512.0,nvidia,,x86,{}",
        "gpu_8x_a100,us-east-1,15.92,124,1800.0,8,A100,40.0,False,,nvidia,,x86,{}",
        "gpu_1x_a6000,us-east-1,1.09,14,100.0,1,A6000,48.0,False,,nvidia,,x86,{}",
        "gpu_1x_b200,us-east-1,6.99,26,225.0,1,B200,180.0,False,,nvidia,,x86,{}",
        "gpu_8x_b200,us-east-1,53.52,26,225.0,8,B200,180.0,False,,nvidia,,x86,{}",
        "gpu_1x_gh200,us-east-1,2.29,64,432.0,1,GH200,96.0,False,,nvidia,,arm,{}",
        "cpu_4x_general,us-east-1,0.24,4,16.0,0,,,False,,,,x86,{}",
        "gpu_1x_mystery,us-east-1,0.01,4,16.0,1,X9000,7.0,False,,nvidia,,x86,{}",
    ]


def test_gpuhunt_replaces_a_providers_rows(folder: Path, feeds: FeedServer) -> None:
    feeds.gpuhunt("lambdalabs", *lambda_rows())
    before_others = [row for row in cloud_offers() if row.provider != "Lambda"]
    outcome = run(folder, feeds, "gpuhunt")["gpuhunt, Lambda"]
    assert outcome.problem is None
    rows = {(row.gpu_id, row.gpus): row for row in cloud(folder, "Lambda")}
    # The cheapest location counts; other continents, unknown GPUs and A100s of an unknown form do not.
    h100 = rows["h100-sxm5-80gb", 1]
    assert (h100.price_per_hour, h100.instance, h100.region) == (Decimal("4.29"), "gpu_1x_h100_sxm5 (us-east-1)", "us")
    assert (h100.as_of, h100.checked) == (date(2026, 11, 20), TODAY)
    assert h100.source.endswith("/v3/lambdalabs/20261120-01/catalog.zip")
    assert ("a100-sxm4-40gb", 1) in rows
    assert ("a100-sxm4-40gb", 8) not in rows
    assert len(rows) == 8
    assert any("gone" in change for change in outcome.changes)
    after = read_rows(folder / "cloud.csv", CloudOffer, ("provider", "region", "instance", "gpu_id", "term"))
    assert [row for row in after if row.provider != "Lambda"] == before_others


def test_one_year_prices_stay_because_no_catalogue_has_them(folder: Path, feeds: FeedServer) -> None:
    def years() -> list[CloudOffer]:
        return [row for row in cloud(folder, "AWS") if row.term == "1-year"]

    before = years()
    assert before
    feeds.gpuhunt(
        "aws",
        "p5.48xlarge,us-east-1,56.0,192,2048.0,8,H100,80.0,False,,nvidia,,x86,{}",
        "p5.48xlarge,eu-central-2,80.0,192,2048.0,8,H100,80.0,False,,nvidia,,x86,{}",
    )
    assert run(folder, feeds, "gpuhunt")["gpuhunt, AWS"].problem is not None  # loses most on-demand rows
    assert run(folder, feeds, "gpuhunt", accept=True)["gpuhunt, AWS"].problem is None
    assert years() == before
    assert {row.region for row in cloud(folder, "AWS") if row.term == "on-demand"} == {"us", "ch"}


def test_a_price_that_jumps_is_refused_until_accepted(folder: Path, feeds: FeedServer) -> None:
    feeds.gpuhunt("lambdalabs", *lambda_rows(h100="1.10"), "")
    before = contents(folder)
    outcome = run(folder, feeds, "gpuhunt")["gpuhunt, Lambda"]
    assert outcome.problem is not None
    assert "Lambda, 1 x h100-sxm5-80gb, us, on-demand would move from 4.29 to 1.1" in outcome.problem
    assert "--accept" in outcome.problem
    assert contents(folder) == before
    accepted = run(folder, feeds, "gpuhunt", accept=True)["gpuhunt, Lambda"]
    assert accepted.problem is None
    assert any("4.29 -> 1.1" in change for change in accepted.changes)


def test_a_provider_that_loses_half_its_rows_is_refused(folder: Path, feeds: FeedServer) -> None:
    feeds.gpuhunt("lambdalabs", lambda_rows()[0])
    outcome = run(folder, feeds, "gpuhunt")["gpuhunt, Lambda"]
    assert outcome.problem is not None
    assert "Lambda would keep 1 of 12 rows" in outcome.problem


# Other feeds


def test_skypilot_reads_both_prices_of_a_row(folder: Path, feeds: FeedServer) -> None:
    feeds.skypilot(
        "jarvislabs",
        "L4-1x,L4,1,8,32,0.44,EU,\"{'Gpus': [{'Name': 'L4', 'MemoryInfo': {'SizeInMiB': 80}}]}\",0.19",
        "H100-1x,H100-SXM,1,16,200,3.49,eu-north1,,",
        "H200-1x,H200,1,16,200,4.59,eu-north1,,",
        "cpu-4,,0,4,16,0.0992,eu-north1,,",
        "half,L4,0.5,4,16,0.2,eu-north1,,",
    )
    outcome = run(folder, feeds, "skypilot")["skypilot, Jarvis Labs"]
    assert outcome.problem is None
    found = {(row.gpu_id, row.term): row.price_per_hour for row in cloud(folder, "Jarvis Labs")}
    assert found == {
        ("nvidia-l4", "on-demand"): Decimal("0.44"),
        ("nvidia-l4", "spot"): Decimal("0.19"),
        ("h100-sxm5-80gb", "on-demand"): Decimal("3.49"),
        ("h200-sxm-141gb", "on-demand"): Decimal("4.59"),
    }


def test_exoscale_keeps_our_rows_and_their_currencies(folder: Path, feeds: FeedServer) -> None:
    feeds.exoscale(**{**EXOSCALE, "running_gpurtx6000pro_small": "2.25"})
    outcome = run(folder, feeds, "exoscale")["exoscale"]
    assert outcome.problem is None
    assert outcome.changes == (
        "Exoscale, 1 x rtx-pro-6000-blackwell-server, ch, on-demand: 2.1528 -> 2.25 (+4.5%)",
    )  # fmt: skip
    rows = {row.feed: row for row in cloud(folder, "Exoscale")}
    assert len(rows) == 12
    assert rows["exoscale:running_gpurtx6000pro_small"].price_per_hour == Decimal("2.25")
    assert {row.currencies for row in rows.values()} == {"USD EUR CHF"}
    assert {row.as_of for row in rows.values()} == {TODAY}


def test_exoscale_in_one_currency_only_is_no_price_in_another(folder: Path, feeds: FeedServer) -> None:
    feeds.exoscale(**EXOSCALE)
    tables = json.loads(feeds.files["/exoscale"])
    tables["chf"]["running_gpua30_small"] = "1.10000000"
    feeds.files["/exoscale"] = json.dumps(tables).encode()
    assert run(folder, feeds, "exoscale")["exoscale"].problem is None
    rows = {row.feed: row for row in cloud(folder, "Exoscale")}
    assert rows["exoscale:running_gpua30_small"].currencies == "USD EUR"


def litellm_models(folder: Path) -> dict[str, dict[str, object]]:
    return {
        key: {
            "input_cost_per_token": float(row.input_per_mtok) / 1e6,
            "output_cost_per_token": float(row.output_per_mtok) / 1e6,
            "litellm_provider": key.partition("/")[0],
            "mode": "chat",
        }
        for key, row in api(folder).items()
        if row.feed == "litellm"
    }


def test_litellm_updates_prices_and_drops_what_retired(folder: Path, feeds: FeedServer) -> None:
    models = litellm_models(folder)
    llama = "deepinfra/meta-llama/Llama-3.3-70B-Instruct"
    gone, retired = f"{llama}-Turbo", "deepinfra/openai/gpt-oss-120b"
    models[llama] |= {"input_cost_per_token": 2.5e-07, "cache_read_input_token_cost": 1e-07}
    models[retired]["deprecation_date"] = "2026-11-25"
    del models[gone]
    feeds.litellm(models)
    outcome = run(folder, feeds, "litellm")["litellm"]
    assert outcome.problem is None
    after = api(folder)
    assert after[llama].input_per_mtok == Decimal("0.25")
    assert after[llama].cached_per_mtok == Decimal("0.1")
    assert after[llama].as_of == TODAY
    assert gone not in after
    assert retired not in after
    # What floats a token turn into is what was there before: no other price is said to have changed.
    assert len([change for change in outcome.changes if "->" in change]) == 1


def test_genai_prices_are_taken_from_the_installed_package(folder: Path, feeds: FeedServer) -> None:
    path = folder / "api.csv"
    text = path.read_text("utf-8")
    listed = next(line for line in text.splitlines() if line.startswith("OpenRouter,meta-llama/llama-3.3-70b"))
    path.write_text(text.replace(listed, listed.replace(",0.59,0.79,", ",0.50,0.79,")), "utf-8")
    outcome = run(folder, feeds, "genai-prices")["genai-prices"]
    assert outcome.problem is None
    assert [change for change in outcome.changes if not added(change)] == [
        "OpenRouter, meta-llama/llama-3.3-70b-instruct, input: 0.50 -> 0.59 (+18.0%)"
    ]
    row = api(folder)["openrouter/meta-llama/llama-3.3-70b-instruct"]
    assert (row.input_per_mtok, row.as_of, row.checked) == (Decimal("0.59"), None, TODAY)
    assert feeds.asked == []


def test_what_a_host_asks_for_further_models_is_added_where_its_day_is_known(folder: Path, feeds: FeedServer) -> None:
    path = folder / "api.csv"
    lines = path.read_text("utf-8").splitlines(keepends=True)
    key = "openrouter/qwen/qwen3-coder-next"
    path.write_text("".join(line for line in lines if key not in line), "utf-8")
    assert key not in api(folder)
    outcome = run(folder, feeds, "genai-prices")["genai-prices"]
    assert all(added(change) for change in outcome.changes)
    assert set(outcome.changes) >= {
        "OpenRouter, qwen/qwen3-coder-next, input: new, 0.12",
        "OpenRouter, qwen/qwen3-coder-next, output: new, 0.8",
    }
    row = api(folder)[key]
    assert (row.family, row.as_of, row.checked) == ("qwen3-coder-next", date(2026, 10, 19), TODAY)
    # What hosts withdrew, what nobody dates, and free or hurried ways to the same model stay out.
    assert not {one for one in api(folder) if one.endswith((":free", ":batch", "-fast"))}


def test_what_a_host_calls_a_model_is_told_from_what_was_made_of_it() -> None:
    known = families(api_offers())
    named = {
        "databricks-meta-llama-3-1-8b-instruct": "llama-3.1-8b",
        "@cf/qwen/qwq-32b": "qwq-32b",
        "meta.llama3-70b-instruct-v1:0": "llama-3-70b",
        "accounts/fireworks/models/glm-5p3": "glm-5.3",
        "Qwen/Qwen3-VL-235B-A22B-Instruct-FP8": "qwen3-vl-235b-a22b",
        "nousresearch/hermes-3-llama-3.1-70b": None,
        "deepseek/deepseek-v4-flash-0731:batch": None,
        "meta-llama/Llama-3.3-70B-Instruct-Turbo": None,
        "meta-llama/llama-3.3-70b-instruct:free": None,
        "anthropic/claude-fable-5.1": None,
    }
    assert {name: family_meant(name, known) for name in named} == named


def older(folder: Path, name: str, start: str, day: str) -> None:
    """Of the first row that starts so: as of that day."""
    path = folder / name
    lines = path.read_text("utf-8").splitlines(keepends=True)
    header, *rows = csv.reader(lines)
    at = next(number for number, line in enumerate(lines) if line.startswith(start))
    rows[at - 1][header.index("as_of")] = day
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def test_offers_of_more_than_a_year_ago_are_dropped_whoever_they_are_from(folder: Path, feeds: FeedServer) -> None:
    feeds.exoscale(**EXOSCALE)
    older(folder, "cloud.csv", "Modal,", "2025-11-24")
    older(folder, "cloud.csv", "Vultr,", "2025-11-25")  # a year ago, not more
    older(folder, "api.csv", "DeepInfra,", "2025-10-01")
    before = {name: len(cloud(folder, name)) for name in ("Modal", "Vultr")}, len(api(folder))
    outcomes = run(folder, feeds, "exoscale")
    assert list(outcomes) == ["exoscale", "rents of more than a year ago", "APIs of more than a year ago"]
    (change,) = outcomes["rents of more than a year ago"].changes
    assert change.startswith("Modal, ")
    assert "gone, was" in change
    assert len(cloud(folder, "Modal")) == before[0]["Modal"] - 1
    assert len(cloud(folder, "Vultr")) == before[0]["Vultr"]
    assert len(api(folder)) == before[1] - 1
    assert list(run(folder, feeds, "exoscale")) == ["exoscale"]


def test_a_table_is_not_emptied_by_a_clock_that_runs_ahead(folder: Path, feeds: FeedServer) -> None:
    feeds.exoscale(**EXOSCALE)
    before = contents(folder)["cloud.csv"]
    late = refresh(date(2029, 1, 1), only=["exoscale"], folder=folder, urls=feeds.urls)
    assert [bool(outcome.problem) for outcome in late] == [False, True, True]
    assert "rows would go" in (late[1].problem or "")
    assert len(contents(folder)["cloud.csv"]) == len(before)  # days of Exoscale's rows, and no row less


def test_eurostat_takes_the_newest_half_year_of_each_country(folder: Path, feeds: FeedServer) -> None:
    bands = {"MWH500-1999": 0.22, "MWH20-499": 0.25, "MWH_LT20": 0.31}
    prices = {(band, geo, "2026-S1"): price for band, price in bands.items() for geo in ("DE", "EL", "EU27_2020", "EA")}
    prices |= {("MWH20-499", "DE", "2025-S2"): 0.99, ("MWH20-499", "AT", "2025-S2"): 0.21}
    feeds.eurostat(prices)
    outcome = run(folder, feeds, "eurostat")["eurostat, business"]
    # Greece had band IC only, as its typical one: it is compared with band IC, not with the new typical one.
    assert outcome.problem is None
    assert "Greece, business, band IC: 0.1738 -> 0.22 (+26.6%)" in outcome.changes
    rows = {
        (row.country, row.case): row
        for row in read_rows(folder / "electricity.csv", ElectricityPrice, ("country", "kind", "case"))
        if row.kind == "business" or row.country == "CH"
    }
    germany = rows["DE", "typical"]
    assert (germany.price_per_kwh, germany.period, germany.as_of) == (
        Decimal("0.25"),
        "2026-S1",
        date(2026, 6, 30),
    )
    assert germany.name == "Germany"
    assert rows["GR", "high"].price_per_kwh == Decimal("0.31")
    assert rows["EU27", "low"].price_per_kwh == Decimal("0.22")
    assert rows["AT", "typical"].price_per_kwh == Decimal("0.21")
    assert ("EA", "typical") not in rows
    assert rows["CH", "typical"].currency == "CHF"
    assert "nrg_cons=MWH20-499" in feeds.asked[0]


def test_eurostat_has_households_in_a_table_of_its_own(folder: Path, feeds: FeedServer) -> None:
    feeds.eurostat(
        {("KWH2500-4999", geo, "2025-S2"): price for geo, price in (("DE", 0.3869), ("FR", 0.2561))}, "nrg_pc_204"
    )
    outcome = run(folder, feeds, "eurostat", accept=True)["eurostat, household"]
    assert outcome.problem is None
    assert "Germany, household, typical: 0.3835 -> 0.3869 (+0.9%)" in outcome.changes
    rows = {
        (row.country, row.kind): row
        for row in read_rows(folder / "electricity.csv", ElectricityPrice, ("country", "kind", "case"))
        if row.case == "typical"
    }
    germany = rows["DE", "household"]
    assert (germany.as_of, germany.checked) == (date(2025, 12, 31), TODAY)
    assert rows["FR", "household"].name == "France"
    assert rows["DE", "business"].price_per_kwh == Decimal("0.2618")
    assert rows["CH", "household"].currency == "CHF"


def test_grids_take_later_years_only(folder: Path, feeds: FeedServer) -> None:
    kept = {row.feed_key: (2021, 999.0) for row in grids().values()}
    feeds.grid(**{**kept, "CHE": (2025, 39.5)})
    outcome = run(folder, feeds, "co2.js")["co2.js"]
    assert (outcome.problem, outcome.changes) == (None, ("CH, g per kWh: 36.72 -> 39.5 (+7.6%)",))
    rows = {row.country: row for row in read_rows(folder / "grid.csv", Grid, GRID_KEY)}
    assert (rows["CH"].year, rows["CH"].as_of, rows["CH"].checked) == (2025, date(2025, 12, 31), TODAY)
    assert rows["DE"] == grids()["DE"]
    feeds.grid(CHE=(2026, 39.5))
    assert "has no year or no emissions" in (run(folder, feeds, "co2.js")["co2.js"].problem or "")


def test_a_dry_run_tells_every_change_and_writes_none(folder: Path, feeds: FeedServer) -> None:
    feeds.ecb("2026-11-24", USD="1.1510", CHF="0.9312")
    feeds.gpuhunt("lambdalabs", *lambda_rows())
    before = contents(folder)
    looked = refresh(TODAY, dry_run=True, only=["ecb", "gpuhunt"], folder=folder, urls=feeds.urls)
    assert contents(folder) == before
    text = report(looked, 10_000)
    assert "CHF for one EUR: 0.9197 -> 0.9312 (+1.3%)" in text
    assert all(change in text for outcome in looked for change in outcome.changes)
    done = refresh(TODAY, only=["ecb", "gpuhunt"], folder=folder, urls=feeds.urls)
    assert [outcome.changes for outcome in done] == [outcome.changes for outcome in looked]
    assert contents(folder) != before


def test_ecb_rates_replace_the_table(folder: Path, feeds: FeedServer) -> None:
    feeds.ecb("2026-11-24", USD="1.1510", JPY="171.94", CHF="0.9312")
    outcome = run(folder, feeds, "ecb")["ecb"]
    assert outcome.problem is None
    assert "CHF for one EUR: 0.9197 -> 0.9312 (+1.3%)" in outcome.changes
    rows = {row.currency: row for row in read_rows(folder / "exchange_rates.csv", ExchangeRate, ("currency",))}
    assert (rows["USD"].per_eur, rows["USD"].as_of) == (Decimal("1.1510"), date(2026, 11, 24))
    assert rows["EUR"].per_eur == 1
    feeds.ecb("2026-11-25", USD="115.10", CHF="0.9312")
    assert "USD for one EUR would move" in (run(folder, feeds, "ecb")["ecb"].problem or "")


# Everything that can go wrong


def gpt_oss(price: str) -> bytes:
    return b'{"sample_spec": {}, "deepinfra/openai/gpt-oss-120b": {"input_cost_per_token": %s}}' % price.encode()


@pytest.mark.parametrize(
    ("feed", "path", "body", "reason"),
    [
        ("litellm", "/litellm.json", b"<html>", "LiteLLM: the file is not JSON."),
        ("litellm", "/litellm.json", b"[]", "LiteLLM: the file is no JSON object."),
        ("litellm", "/litellm.json", b"{}", "the entry 'sample_spec' is missing"),
        ("litellm", "/litellm.json", gpt_oss('"x"'),
         "'x' is no amount"),
        ("litellm", "/litellm.json", gpt_oss("-1"),
         "'-1' is no amount"),
        ("litellm", "/litellm.json", gpt_oss("1e999"),
         "is no amount"),
        ("litellm", "/litellm.json", b'{"sample_spec": {}, "deepinfra/openai/gpt-oss-120b": {}}', "has no price"),
        ("litellm", "/litellm.json", b'{"sample_spec": {}}', "Refused: DeepInfra would keep 0 of"),
        ("exoscale", "/exoscale", b"{}", "Exoscale: there is no price table for USD, EUR and CHF."),
        ("exoscale", "/exoscale", b'{"usd": {}, "eur": {}, "chf": {}}', "Refused: Exoscale would keep 0 of 12 rows"),
        ("eurostat", "/data/nrg_pc_205", b'{"id": [], "size": [], "value": {}}', "not the shape of JSON-stat"),
        ("ecb", "/ecb.xml", b"<html>", "names no day, or no rate of USD and CHF"),
        ("ecb", "/ecb.xml", b"<Cube time='2026-13-01'><Cube currency='USD' rate='1'/><Cube currency='CHF' rate='1'/>",
         "ECB: 2026-13-01 is no day."),
        ("ecb", "/ecb.xml", b"<Cube time='2026-11-01'><Cube currency='USD' rate='x'/><Cube currency='CHF' rate='1'/>",
         "'x' is no amount"),
        ("eurostat", "/data/nrg_pc_205", b'{"error": [{"status": 413}]}', "not the shape of JSON-stat"),
    ],
)  # fmt: skip
def test_other_shapes_are_refused_and_nothing_changes(
    folder: Path, feeds: FeedServer, feed: str, path: str, body: bytes, reason: str
) -> None:
    before = contents(folder)
    feeds.files[path] = body
    outcome = run(folder, feeds, feed)[{"eurostat": "eurostat, business"}.get(feed, feed)]
    assert reason in (outcome.problem or "")
    assert contents(folder) == before


def test_broken_catalogues_are_refused_and_nothing_changes(folder: Path, feeds: FeedServer) -> None:
    before = contents(folder)
    good = lambda_rows()[0]
    feeds.gpuhunt("aws", good, header="instance_name,location,cost")
    feeds.gpuhunt("gcp", good.replace("4.29", "free"))
    feeds.gpuhunt("oci", "only,three,cells")
    feeds.gpuhunt("azure", "x,eastus,1,1,1,1,X9000,7,False,,nvidia,,x86,{}")
    feeds.files["/v3/verda/version"] = b"../../secrets"
    feeds.files["/v3/nebius/version"] = b"1"
    feeds.files["/v3/nebius/1/catalog.zip"] = b"not a zip"
    feeds.files["/v3/runpod/version"] = b"1"
    feeds.statuses["/v3/runpod/1/catalog.zip"] = 503
    problems = {name: outcome.problem or "" for name, outcome in run(folder, feeds, "gpuhunt").items()}
    assert problems["gpuhunt, AWS"] == "gpuhunt, AWS: the column price is missing."
    assert problems["gpuhunt, Google Cloud"] == "gpuhunt, Google Cloud, row 2, price: 'free' is no amount."
    assert "row 2: it is shorter than the header" in problems["gpuhunt, Oracle OCI"]
    assert "not one offer of a known GPU" in problems["gpuhunt, Azure"]
    assert "not a plain word" in problems["gpuhunt, Verda"]
    assert "does not hold a readable nebius.csv" in problems["gpuhunt, Nebius"]
    assert "answers with 503" in problems["gpuhunt, RunPod"]
    assert "answers with 404" in problems["gpuhunt, Lambda"]
    assert contents(folder) == before


def test_one_feed_in_trouble_does_not_stop_the_others(folder: Path, feeds: FeedServer) -> None:
    feeds.exoscale(**{**EXOSCALE, "running_gpua30_small": "1.3"})
    outcomes = refresh(TODAY, only=["litellm", "exoscale"], folder=folder, urls=feeds.urls)
    assert [(outcome.feed, outcome.problem is None) for outcome in outcomes] == [("litellm", False), ("exoscale", True)]
    text = report(outcomes)
    assert "litellm: kept as it is\n  LiteLLM: the server answers with 404." in text
    assert "exoscale: 1 change\n  Exoscale, 1 x nvidia-a30, ch, on-demand: 1.2265 -> 1.3 (+6.0%)" in text


def test_a_server_that_is_not_there(folder: Path) -> None:
    with FeedServer() as server:
        urls = server.urls
    outcome = refresh(TODAY, only=["litellm"], folder=folder, urls=urls)[0]
    assert outcome.problem == "LiteLLM: the server cannot be reached."


def test_sizes_are_bounded(folder: Path, feeds: FeedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_LARGEST_BYTES", 1 << 20)
    monkeypatch.setattr(fetch, "_LARGEST_UNPACKED_BYTES", 2 << 20)
    feeds.files["/litellm.json"] = b" " * (2 << 20)
    assert "more than 1 MiB" in (run(folder, feeds, "litellm")["litellm"].problem or "")
    feeds.gpuhunt("aws", " " * (3 << 20))  # a bomb: small when packed
    assert len(feeds.files["/v3/aws/20261120-01/catalog.zip"]) < 1 << 20
    assert "larger than 2 MiB" in (run(folder, feeds, "gpuhunt")["gpuhunt, AWS"].problem or "")


def test_a_broken_table_is_reported_before_anything_is_asked(folder: Path, feeds: FeedServer) -> None:
    (folder / "api.csv").write_text("provider\n", "utf-8")
    with pytest.raises(DataError, match=r"api.csv, row 1, column source"):
        run(folder, feeds, "exoscale")
    assert feeds.asked == []


def test_refreshing_without_news_changes_only_dates(folder: Path, feeds: FeedServer) -> None:
    feeds.litellm(litellm_models(folder))
    feeds.exoscale(**EXOSCALE)
    outcomes = refresh(TODAY, only=["genai-prices", "litellm", "exoscale"], folder=folder, urls=feeds.urls)
    assert [outcome.problem for outcome in outcomes] == [None, None, None]
    assert [change for outcome in outcomes for change in outcome.changes if not added(change)] == []
    first = contents(folder)
    refresh(TODAY, only=["genai-prices", "litellm", "exoscale"], folder=folder, urls=feeds.urls)
    assert contents(folder) == first
    assert sorted(first) == sorted(path.name for path in FOLDER.iterdir())  # nothing temporary is left


def test_command_line(
    folder: Path, feeds: FeedServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def of_the_test(today: date, *, accept: bool, dry_run: bool, only: list[str]) -> tuple[Outcome, ...]:
        return refresh(today, accept=accept, dry_run=dry_run, only=only, folder=folder, urls=feeds.urls)

    monkeypatch.setattr("advisor.costs.feeds.refresh.refresh", of_the_test)
    feeds.exoscale(**EXOSCALE)
    assert main(["refresh", "--only", "exoscale"]) == 0
    assert capsys.readouterr().out == "exoscale: ok\n"
    assert main(["refresh", "--only", "exoscale", "--only", "litellm"]) == 2
    said = capsys.readouterr()
    assert "litellm: kept as it is" in said.out
    assert said.err == "error: Not updated: litellm; their last prices are kept.\n"


# Names


@pytest.mark.parametrize(
    ("name", "memory", "provider", "instance", "expected"),
    [
        ("A100", 80, "Azure", "Standard_NC24ads_A100_v4", "a100-pcie-80gb"),
        ("A100", 80, "Azure", "Standard_ND96amsr_A100_v4", "a100-sxm4-80gb"),
        ("A100", 40, "AWS", "p4d.24xlarge", "a100-sxm4-40gb"),
        ("A100", 80, "RunPod", "NVIDIA A100 80GB PCIe", "a100-pcie-80gb"),
        ("A100", 80, "RunPod", "NVIDIA A100-SXM4-80GB", "a100-sxm4-80gb"),
        ("A100", 80, "Elsewhere", "big", None),
        ("A100-80GB-SXM", None, "Hyperstack", "n3", "a100-sxm4-80gb"),
        ("RTXA6000", None, "x", "y", "rtx-a6000"),
        ("RTX-A6000", None, "x", "y", "rtx-a6000"),
        ("RTX6000-Ada", None, "x", "y", "rtx-6000-ada"),
        ("L40S", 48, "x", "y", "nvidia-l40s"),
        ("V100", None, "x", "y", None),  # 16 or 32 GB
        ("MI300X", 192, "x", "y", "mi300x"),
        ("X9000", 7, "x", "y", None),
    ],
)
def test_gpu_names(name: str, memory: float | None, provider: str, instance: str, expected: str | None) -> None:
    found = gpu_id_of(name, memory, provider, instance)
    assert found == expected
    assert found is None or found in machines()


@pytest.mark.parametrize(
    ("location", "region"),
    [
        ("us-east-1", "us"), ("eastus2", "us"), ("southcentralus", "us"), ("US-KS-2", "us"), ("us-central1-a", "us"),
        ("eu-central-1", "eu"), ("europe-west4-b", "eu"), ("westeurope", "eu"), ("germanywestcentral", "eu"),
        ("FIN-01", "eu"), ("EU-RO-1", "eu"), ("EUR-IS-1", "eu"), ("swedencentral", "eu"), ("NORWAY-1", "eu"),
        ("EU", "eu"),
        ("eu-central-2", "ch"), ("europe-west6-b", "ch"), ("switzerlandnorth", "ch"), ("ch-gva-2", "ch"),
        ("asia-south-1", None), ("ca-central-1", None), ("australiaeast", None), ("southamerica-east1", None),
        ("northamerica-northeast1", None), ("CANADA-1", None), ("southeastasia", None), ("", None),
    ],
)  # fmt: skip
def test_locations(location: str, region: str | None) -> None:
    assert region_of(location) == region
