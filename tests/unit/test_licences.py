"""The list of licences names what is installed with this program, all of it, in the version of the lock."""

from __future__ import annotations

from tests.benchmarks.licences import installed, licence_of, listed, locked, of_extras

AGAIN = "run python -m tests.benchmarks.licences"
LENT = {"psycopg", "psycopg-binary"}  # under the LGPL: imported as they are, and only used for PostgreSQL


def test_the_list_is_complete() -> None:
    found = listed()
    extras = {name for names in of_extras().values() for name in names}
    assert extras
    assert len(locked()) > 50
    assert set(found) == {*locked(), *extras}, AGAIN
    assert {name: version for name, (version, _) in found.items() if name in locked()} == locked(), AGAIN
    assert [name for name, (_, licence) in found.items() if "?" in licence] == []


def test_each_licence_is_what_its_package_says() -> None:
    compared = 0
    for name, (version, licence) in listed().items():
        here = installed(name)
        if here is not None and here.version == version and (said := licence_of(here)):
            assert licence == said, name
            compared += 1
    assert compared  # newer versions may be installed than are locked


def test_no_licence_asks_for_more_than_its_own_text() -> None:
    """None of them reaches this program or what it is deployed with."""
    assert {name for name, (_, licence) in listed().items() if "GPL" in licence} == LENT
