"""How long a changed input takes on the server, run by hand: `python -m tests.benchmarks.rerender`.

Runs the entry script as a session would, inputs and page together, without network and browser. Every run asks
something that was not asked before, so no answer comes from a cache; a repeated question is shown for comparison.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from streamlit.testing.v1 import AppTest

SCRIPT = Path(__file__).resolve().parents[2] / "advisor" / "ui" / "main.py"
LIMIT_MS = 300
MODELS = ("llama-3.1-70b-instruct", "gpt-oss-120b", "deepseek-v3", "kimi-k3")
RUNS = 20


def main() -> None:
    page = AppTest.from_file(str(SCRIPT), default_timeout=60)
    print(f"first run of a session: {_milliseconds(page):.0f} ms")
    slowest = 0.0
    for model in MODELS:
        page.selectbox(key="model_name").select(model)
        changed = _milliseconds(page)
        contexts = [_with_context(page, 8192 + 256 * number) for number in range(1, RUNS + 1)]
        again = [_with_context(page, 8192 + 256 * number) for number in range(1, RUNS + 1)]
        slowest = max(slowest, changed, *contexts)
        print(
            f"{model}: model changed {changed:.0f} ms; context changed, median {statistics.median(contexts):.0f} ms, "
            f"worst {max(contexts):.0f} ms; asked before, median {statistics.median(again):.0f} ms"
        )
    page.toggle(key="all_levels").set_value(True)
    print(f"all levels in the chart: {_milliseconds(page):.0f} ms")
    print(f"slowest {slowest:.0f} ms, limit {LIMIT_MS} ms: {'ok' if slowest <= LIMIT_MS else 'TOO SLOW'}")


def _with_context(page: AppTest, tokens: int) -> float:
    page.number_input(key="context").set_value(tokens)
    return _milliseconds(page)


def _milliseconds(page: AppTest) -> float:
    begin = time.perf_counter()
    page.run()
    taken = (time.perf_counter() - begin) * 1000
    if page.exception:
        raise SystemExit(f"The page failed: {page.exception[0].message}")
    return taken


if __name__ == "__main__":
    main()
