"""The licences of what comes along: `python -m tests.benchmarks.licences` writes advisor/deploy/THIRD_PARTY.md anew.

They are what the packages say of themselves where they are installed, of the versions that requirements.lock pins.
"""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK, LISTED = ROOT / "requirements.lock", ROOT / "advisor" / "deploy" / "THIRD_PARTY.md"
_PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", re.MULTILINE)
_WANTED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)", re.MULTILINE)
_ROW = re.compile(r"^\| (?!package )([a-z0-9._-]+) \| (\S+) \| (.+?) \|$", re.MULTILINE)
_LONGEST = 60  # a whole text stands in the old field of some
_HEAD = """# Licences of what comes along

The program's own licence is Apache-2.0. These are the packages that `requirements.lock` installs with it, and those
that its extras name, with what each says of its own licence: `python -m tests.benchmarks.licences` writes it anew.
"""


def locked() -> dict[str, str]:
    """The packages of the lock with their versions."""
    return dict(_PINNED.findall(LOCK.read_text("utf-8")))


def of_extras() -> dict[str, tuple[str, ...]]:
    """What each extra names, without what that brings along; without `dev`, which nobody ships."""
    hook = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["metadata"]["hooks"]
    files = hook["requirements_txt"]["optional-dependencies"]
    return {
        extra: tuple(_canonical(name) for path in paths for name in _WANTED.findall((ROOT / path).read_text("utf-8")))
        for extra, paths in files.items()
        if extra != "dev"
    }


def listed() -> dict[str, tuple[str, str]]:
    """Version and licence by package, as the file has them."""
    return {name: (version, licence) for name, version, licence in _ROW.findall(LISTED.read_text("utf-8"))}


def licence_of(found: Distribution) -> str:
    """What a package says: an SPDX expression, a few words, or its classifiers; "" where it says nothing."""
    fields = (found.metadata.get_all(name) for name in ("License-Expression", "License"))
    told = next((str(values[0]) for values in fields if values), "")
    if told and len(told) <= _LONGEST and "\n" not in told:
        return " ".join(told.split())
    classifiers = found.metadata.get_all("Classifier") or []
    return ", ".join(one.rpartition(" :: ")[2] for one in classifiers if one.startswith("License :: OSI Approved ::"))


def installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _table(names: list[str], versions: dict[str, str], before: dict[str, tuple[str, str]]) -> str:
    rows = []
    for name in sorted(names):
        found = installed(name)
        version = versions.get(name) or (found.version if found is not None else before.get(name, ("?", ""))[0])
        licence = licence_of(found) if found is not None and found.version == version else ""
        if not licence and before.get(name, ("", ""))[0] == version:
            licence = before[name][1]
        rows.append(f"| {name} | {version} | {licence or '?'} |")
    return "\n".join(("| package | version | licence |", "|---|---|---|", *rows))


def main() -> None:
    before = listed() if LISTED.exists() else {}
    parts = [_HEAD, _table(list(locked()), locked(), before)]
    for extra, names in of_extras().items():
        parts += [f"\n## The extra `{extra}`\n", _table(list(names), {}, before)]
    LISTED.write_text("\n".join(parts) + "\n", "utf-8")
    missing = [name for name, (_, licence) in listed().items() if licence == "?"]
    print(f"{len(listed())} packages" + (f"; look up by hand: {', '.join(missing)}" if missing else ""))


if __name__ == "__main__":
    main()
