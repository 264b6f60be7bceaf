"""How long a report takes, cold and warm: `python -m tests.benchmarks.report_pdf`. Nothing is asserted.

Wall time, and CPU time beside it, which says more on a machine that others use too.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time

from advisor.report.pdf import render_pdf
from tests.support.sample_report import report

_COLD = """
import time
begin = time.perf_counter(), time.process_time()
from advisor.report.pdf import render_pdf
from tests.support.sample_report import report
imported = time.perf_counter(), time.process_time()
render_pdf(report())
print(imported[0] - begin[0], time.perf_counter() - imported[0])
print(imported[1] - begin[1], time.process_time() - imported[1])
"""


def main() -> None:
    runs = [subprocess.check_output([sys.executable, "-c", _COLD], text=True).splitlines() for _ in range(5)]
    for kind, line in (("wall", 0), ("CPU", 1)):
        cold = [[float(part) for part in run[line].split()] for run in runs]
        imports, first = (statistics.median(part) for part in zip(*cold, strict=True))
        both = statistics.median(sum(run) for run in cold)
        print(f"cold, {kind}: imports {imports:.3f} s, first report after them {first:.3f} s, both {both:.3f} s")
    warm, used = [], []
    for number in range(100):
        begin = time.perf_counter(), time.process_time()
        made = render_pdf(report(subject=f"Subject {number}"))
        warm.append(time.perf_counter() - begin[0])
        used.append(time.process_time() - begin[1])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    quantiles = statistics.quantiles(warm[1:], n=20)
    print(f"warm, wall: median {statistics.median(warm[1:]):.3f} s, 95 % {quantiles[-1]:.3f} s; {len(made):,} bytes")
    print(f"warm, CPU: median {statistics.median(used[1:]):.3f} s")
    print(f"most memory after {len(warm)} reports: {memory:.0f} MiB")


if __name__ == "__main__":
    main()
