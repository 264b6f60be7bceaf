"""What a first visit takes, run by hand: `python -m tests.load.cold_visit`.

A new browser without a cache opens a question that was never asked, locally and at 9 Mbit/s with 100 ms. Printed are
the seconds until the decision is painted, until inputs can be used, and what travelled, by kind and largest file.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, sync_playwright

from tests.load.served import served
from tests.load.visitor import questions

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
# (name, bytes a second, milliseconds; the most seconds until the decision and until inputs can be used)
NETWORKS: tuple[tuple[str, int, int, float, float], ...] = (
    ("locally", -1, 0, 1.0, 3.0),
    ("9 Mbit/s, 100 ms", 9_000_000 // 8, 100, 2.0, 8.0),
)
_MOST_MB = 1.8
_USABLE = """() => {
    const app = document.querySelector("[data-testid=stApp]");
    return app?.dataset.testConnectionState === "CONNECTED" && app.dataset.testScriptState === "notRunning"
        && !document.querySelector("#first-answer") && !document.querySelector("[data-testid=stSkeleton]")
        && document.querySelector("[data-testid=stMain] input, [data-testid=stMain] button");
}"""
# Nothing else has content before it: Streamlit's own page is empty until its script runs.
_DRAWN = """() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime"""


@dataclass(frozen=True)
class Visit:
    """Seconds since the address was entered, and bytes as they travelled, by path."""

    decision_s: float
    usable_s: float
    bytes: Counter[str]
    in_page: bool


def visit(browser: Browser, url: str, per_s: int, latency_ms: int) -> Visit:
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    told = context.new_cdp_session(page)
    paths: dict[str, str] = {}
    travelled: Counter[str] = Counter()

    def finished(event: dict[str, Any]) -> None:
        travelled[paths.get(event["requestId"], "?")] += int(event["encodedDataLength"])

    told.on("Network.requestWillBeSent", lambda e: paths.update({e["requestId"]: urlsplit(e["request"]["url"]).path}))
    told.on("Network.loadingFinished", finished)
    told.on(
        "Network.webSocketFrameReceived",
        lambda e: travelled.update({"websocket": 3 * len(e["response"]["payloadData"]) // 4}),  # told in base64
    )
    told.send("Network.enable")
    told.send("Network.setCacheDisabled", {"cacheDisabled": False})
    told.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": latency_ms, "downloadThroughput": per_s, "uploadThroughput": per_s},
    )
    began = time.perf_counter()
    sent = page.goto(url, wait_until="commit")
    page.wait_for_function(_USABLE, timeout=120_000, polling=50)
    usable = time.perf_counter() - began
    painted = page.evaluate(_DRAWN) / 1000
    page.wait_for_timeout(1500)  # what comes after
    in_page = sent is not None and '<main id="first-answer">' in sent.text()
    context.close()
    return Visit(painted if in_page else usable, usable, travelled, in_page)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"seed {options.seed}; load average {os.getloadavg()[0]:.1f} before the start", flush=True)
    asked = questions(options.seed)
    with served(options.processes) as server, sync_playwright() as driver:
        for name, per_s, latency_ms, most_decision, most_usable in NETWORKS:
            visits = []
            for _ in range(options.runs):
                browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
                visits.append(visit(browser, f"{server.address}/?{next(asked)[0]}", per_s, latency_ms))
                browser.close()
            total = [sum(one.bytes.values()) / 1e6 for one in visits]
            print(
                f"{name}: decision {_seconds(one.decision_s for one in visits)} (aim {most_decision}), inputs usable "
                f"{_seconds(one.usable_s for one in visits)} (aim {most_usable}), {statistics.median(total):.2f} MB "
                f"(aim {_MOST_MB}), decision in the page {sum(one.in_page for one in visits)} of {len(visits)}"
            )
        print("  " + "; ".join(f"{path} {size / 1000:.0f} kB" for path, size in visits[-1].bytes.most_common(25)))


def _seconds(taken: Any) -> str:
    return " / ".join(f"{one:.2f}" for one in sorted(taken)) + " s"


if __name__ == "__main__":
    main()
