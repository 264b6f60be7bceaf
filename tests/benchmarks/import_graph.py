"""`python -m tests.benchmarks.import_graph`: who imports whom among the packages of `advisor`, into CONTRIBUTING.md.

An arrow is left out where others lead the same way. Modules that lie beside the packages are not drawn.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import grimp

FILE = Path(__file__).resolve().parents[2] / "CONTRIBUTING.md"
_PLACE = re.compile(r"(?<=<!-- imports -->\n).*?(?=<!-- /imports -->)", re.DOTALL)


def drawn(text: str) -> str:
    """The text with the graph of today between its markers; raises ValueError where they are not there once."""
    found = _PLACE.findall(text)
    if len(found) != 1:
        raise ValueError("CONTRIBUTING.md must hold the markers <!-- imports --> and <!-- /imports --> once.")
    return _PLACE.sub(lambda _: _mermaid(_packages()), text)


def _packages() -> dict[str, set[str]]:
    """Every package right under `advisor`, with those that it imports."""
    graph = grimp.build_graph("advisor")
    roots = {name for name in graph.find_children("advisor") if graph.find_children(name)}
    for name in roots:
        graph.squash_module(name)
    return {name: (graph.find_modules_directly_imported_by(name) & roots) - {name} for name in roots}


def _mermaid(imports: dict[str, set[str]]) -> str:
    kept = {name: set(others) for name, others in imports.items()}
    for name in sorted(kept):
        for other in sorted(kept[name]):
            kept[name].discard(other)
            if other not in _reached(kept, name):
                kept[name].add(other)
    lines = [f"    {_short(name)} --> {_short(other)}" for name in sorted(kept) for other in sorted(kept[name])]
    return "\n".join(["```mermaid", "graph TD", *lines, "```", ""])


def _reached(imports: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    left = [start]
    while left:
        new = imports[left.pop()] - found
        found |= new
        left += new
    return found


def _short(name: str) -> str:
    return name.removeprefix("advisor.")


if __name__ == "__main__":
    FILE.write_text(drawn(FILE.read_text("utf-8")), "utf-8")
    sys.stdout.write(f"{FILE.name} shows the imports of today.\n")
