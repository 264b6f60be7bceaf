"""A class whose methods are written late behaves as any other."""

from __future__ import annotations

import dataclasses
import pickle
import sys
from dataclasses import FrozenInstanceError, dataclass, field, replace
from typing import Any

import pytest

from advisor.foundation.quick_classes import write_methods_late


def classes() -> tuple[type[Any], type[Any], type[Any]]:
    """Made anew, as they are while modules are imported."""

    @dataclass(frozen=True, slots=True)
    class Plain:
        number: int
        words: tuple[str, ...] = ("a",)
        more: list[int] = field(default_factory=list, compare=False)

    @dataclass(frozen=True)
    class Base:
        """Has a subclass."""

        number: int

        def __post_init__(self) -> None:
            if self.number < 0:
                raise ValueError("below zero")

    @dataclass(frozen=True, kw_only=True, eq=False)
    class Derived(Base):
        """Has another field, which is not compared."""

        name: str = "x"

    return Plain, Base, Derived


@pytest.fixture(params=["as always", "late"])
def _methods(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "_create_fn"
    if request.param == "late":
        if sys.version_info >= (3, 13):
            pytest.skip("methods are made in another way")
        monkeypatch.setattr(dataclasses, name, getattr(dataclasses, name))  # put back afterwards
        write_methods_late()


@pytest.mark.usefixtures("_methods")
def test_it_behaves_as_any_other() -> None:
    plain, base, derived = classes()
    one, other = plain(1, more=[2]), plain(number=1)
    assert one == other
    assert hash(one) == hash(other) == hash((1, ("a",)))
    assert (one != plain(2), one.more, other.more, plain(1).more is plain(1).more) == (True, [2], [], False)
    assert repr(one).endswith("Plain(number=1, words=('a',), more=[2])")
    assert repr(one) == repr(one)
    assert replace(one, number=3) == plain(3)
    assert (one == (1,)) is False
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'number'"):
        one.number = 2
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'number'"):
        del one.number
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'number'"):
        plain()
    with pytest.raises(TypeError, match="unexpected keyword argument 'none'"):
        plain(1, none=2)
    with pytest.raises(ValueError, match="below zero"):
        base(-1)
    with pytest.raises(ValueError, match="below zero"):
        derived(number=-1)
    late = derived(number=1)
    assert (late.number, late.name) == (1, "x")
    assert (late == derived(number=1, name="y"), late == derived(number=2)) == (True, False)  # as its base compares
    assert (base(1) == base(1), base(1) == late) == (True, False)
    assert {derived(number=2): 1}
    assert plain.__match_args__ == ("number", "words", "more")


@pytest.mark.usefixtures("_methods")
def test_its_first_object_may_come_from_a_pickle() -> None:
    global _Kept
    _Kept, _, _ = classes()
    _Kept.__qualname__, _Kept.__module__ = "_Kept", __name__
    sys.modules.setdefault(__name__, sys.modules[classes.__module__])
    again = pickle.loads(pickle.dumps(_Kept(1)))
    assert again == _Kept(1)


_Kept: Any = None
