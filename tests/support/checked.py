"""Counts the rows of `tests/truth/` by architecture; `python -m tests.support.checked` writes them to `data/`."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict

from advisor.models.catalogue import catalogue
from advisor.models.checked import CHECKED_FILE, Checked
from tests.support.reference import MEMORY_FILES, SIZE_FILES, TRUTH

_FILES = {
    "sizes": SIZE_FILES,
    "memory": MEMORY_FILES,
    "placed": ("placed_llamacpp_memory.csv",),
    "tensor_split": ("tensor_split_llamacpp_memory.csv",),
}
_AS_OF, _SOURCE = "2026-11", "tests/truth/README.md"


def counted() -> dict[str, Checked]:
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    models: dict[str, set[str]] = defaultdict(set)
    for kind, names in _FILES.items():
        for name in names:
            with (TRUTH / name).open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    architecture = catalogue()[row["model_id"]].model.architecture
                    rows[architecture][kind] += 1
                    models[architecture].add(row["model_id"])
    return {
        name: Checked(
            architecture=name,
            models=len(models[name]),
            **{kind: rows[name][kind] for kind in _FILES},
            as_of=_AS_OF,
            source=_SOURCE,
        )
        for name in sorted(rows)
    }


if __name__ == "__main__":
    with CHECKED_FILE.open("w", encoding="utf-8", newline="") as written:
        writer = csv.DictWriter(written, list(Checked.model_fields), lineterminator="\n")
        writer.writeheader()
        writer.writerows(row.model_dump() for row in counted().values())
