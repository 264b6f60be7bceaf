"""How close the speed estimate comes to measurements it has not seen: `python -m tests.benchmarks.speed`.

Cross-validation from data/ alone: all rows of one source, of one model on one device, or of one device are left out,
constants and factors are fitted to the rest, and the rows left out are predicted. Their ranges come from what the other
rows missed by when their own source was left out. "fitted" is the error when nothing is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from advisor.speed.calibrate import SCHEMES, HeldOut, Stretch, cross_validate, ends, range_group, stretch_for
from advisor.speed.constants import KINDS, POOLED
from advisor.speed.fit_constants import cases_of
from advisor.speed.fitting import fit
from advisor.speed.row_terms import Case


def single(case: Case) -> bool:
    """One device, one user, llama.cpp."""
    return case.row.devices == 1 and (case.row.users or 1) == 1 and case.backend not in ("mlx", "vllm")


def groups_of(case: Case) -> Iterator[str]:
    """The lines of the table a case counts in; devices the catalogue lacks have a line of their own."""
    if case.group == "host":
        yield "part on the host"
        return
    if case.early:
        yield "builds before September 2025"
        return
    if not case.catalogued:
        yield "not in the machine catalogue"
        return
    if case.backend not in ("mlx", "vllm"):
        yield "llama.cpp, over all"
    if range_group(case) == "far into a context":
        yield "llama.cpp, far into a context"
    elif single(case):
        vendor = {"cuda": "NVIDIA", "metal": "Apple"}.get(case.backend, "other")
        yield f"llama.cpp, single {vendor}"
    elif case.backend in ("mlx", "vllm"):
        name = {"mlx": "MLX", "vllm": "vLLM"}[case.backend]
        yield f"{name}, several users" if (case.row.users or 1) > 1 else name
    else:
        yield f"llama.cpp, {range_group(case)}"


def within(
    schemes: Mapping[str, Sequence[HeldOut]], scheme: str, stretch: Stretch
) -> Iterator[tuple[HeldOut, float, float]]:
    """Each case with the low and high end (times typical) that the misses of the other keys give.

    `schemes` holds the cases as each of them left them out, `stretch` is what all of them need.
    """
    key = SCHEMES[scheme]
    by_key = defaultdict(list)
    for each in schemes[scheme]:
        by_key[key(each.case)].append(each)
    by_source = schemes["source"]
    for left_out, tested in by_key.items():
        known = ends([each for each in by_source if key(each.case) != left_out], stretch)
        for each in tested:
            low, high, _ = known.get((range_group(each.case), each.tier)) or known[POOLED, each.tier]
            yield each, low, high


def table(kind: str) -> None:
    known = cases_of(kind)
    fitted = fit(known, kind)
    inside_fit = {id(case): fitted.log_ms(case) - np.log(case.ms) for case in known}
    schemes = {name: cross_validate(known, kind, key) for name, key in SCHEMES.items()}
    stretch = stretch_for(schemes)
    for scheme in schemes:
        lines = defaultdict(list)
        for each, low, high in within(schemes, scheme, stretch):
            miss = float(np.exp(each.error))  # measured / predicted
            for group in groups_of(each.case):
                row = (abs(1 / miss - 1), low <= miss <= high, high / low, abs(np.exp(-inside_fit[id(each.case)]) - 1))
                lines[group].append(row)
        print(f"\n{kind}, left out: one {scheme} at a time ({len({SCHEMES[scheme](case) for case in known})})")
        print(f"{'':32}{'n':>6}{'median error':>14}{'in range':>10}{'high/low':>10}{'fitted':>8}")
        for group, rows in sorted(lines.items()):
            error, inside, width, own = np.array(rows, dtype=float).T
            print(
                f"{group:32}{len(rows):6}{np.median(error):14.1%}{inside.mean():10.1%}"
                f"{np.median(width):10.2f}{np.median(own):8.1%}"
            )


def apart(cases: Iterable[Case]) -> list[float]:
    """How far each source lies from the others that measured the very same, as a fraction: no formula comes closer.

    The same machine, model, level, part on the host, users and filled context; a source counts once for each.
    """
    told: defaultdict[tuple[object, ...], defaultdict[Hashable, list[float]]] = defaultdict(lambda: defaultdict(list))
    for case in cases:
        row = case.row
        loaded = (row.devices, row.split, row.gpu_layers, row.cpu_moe_layers, row.users, row.depth, row.micro_batch)
        told[*case.keys[-1], *loaded][SCHEMES["source"](case)].append(np.log(case.ms))
    found = []
    for by_source in told.values():
        middles = [float(np.median(times)) for times in by_source.values()]
        for at, one in enumerate(middles):
            others = middles[:at] + middles[at + 1 :]
            if others:
                found.append(abs(float(np.exp(one - np.median(others))) - 1))
    return found


_TOOL = "llmfit"  # whose own release says nothing of the engine's


def unstated(case: Case) -> bool:
    """Whether a source leaves out what its figure depends on: the engine's release; of a prompt, how much was read at
    once; of many who are served, the lengths of what is read and written.
    """
    row = case.row
    released = any(sign.isdigit() for sign in row.version) and not row.version.startswith(_TOOL)
    if row.kind == "prefill":
        return not released or row.micro_batch is None
    return not released or (case.backend == "vllm" and (row.users or 1) > 1 and row.output_tokens is None)


def scatter(kind: str) -> None:
    """How far sources lie apart, and how many figures leave out what they depend on."""
    known = cases_of(kind)
    if found := apart(known):
        half, most = np.quantile(found, (0.5, 0.9))
        print(
            f"\n{kind}: {len(found)} sources measured what others had: half within {half:.1%}, nine in ten {most:.1%}"
        )
    print(f"{kind}: {sum(map(unstated, known)) / len(known):.0%} leave out what they depend on")


if __name__ == "__main__":
    for each_kind in KINDS:
        table(each_kind)
        scatter(each_kind)
