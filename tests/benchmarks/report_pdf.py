"""How long a report takes, cold and warm: `python -m tests.benchmarks.report_pdf`. Nothing is asserted."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time

from advisor.report.pdf import render_pdf
from tests.sample_report import report

_COLD = """
import time
begin = time.perf_counter()
from advisor.report.pdf import render_pdf
from tests.sample_report import report
imported = time.perf_counter()
render_pdf(report())
print(imported - begin, time.perf_counter() - imported)
"""


def main() -> None:
    cold = [
        [float(part) for part in subprocess.check_output([sys.executable, "-c", _COLD], text=True).split()]
        for _ in range(5)
    ]
    for what, place in (("imports", 0), ("first report after them", 1)):
        print(f"{what}: median {statistics.median(run[place] for run in cold):.3f} s")
    print(f"cold, both: median {statistics.median(sum(run) for run in cold):.3f} s")
    warm = []
    for number in range(100):
        begin = time.perf_counter()
        made = render_pdf(report(subject=f"Subject {number}"))
        warm.append(time.perf_counter() - begin)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    quantiles = statistics.quantiles(warm[1:], n=20)
    print(f"warm: median {statistics.median(warm[1:]):.3f} s, 95 % {quantiles[-1]:.3f} s; {len(made):,} bytes")
    print(f"most memory after {len(warm)} reports: {memory:.0f} MiB")


if __name__ == "__main__":
    main()
