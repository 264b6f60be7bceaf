"""What a report calls the values that the engine names by themselves: verdicts, statuses, choices."""

from __future__ import annotations

from advisor.answer.choices import Role
from advisor.answer.status import Status
from advisor.report.document import Tone
from advisor.sizing.plan import Verdict
from advisor.words import to_tell, told

_VERDICTS: dict[Verdict, str] = {
    "fits": to_tell("fits"),
    "fits with offload": to_tell("fits with offload"),
    "tight": to_tell("tight"),
    "does not fit": to_tell("does not fit"),
}
_STATUSES: dict[Status, str] = {
    "good": to_tell("Good"),
    "limited": to_tell("Limited"),
    "slow": to_tell("Slow"),
    "last resort": to_tell("Last resort"),
    "does not fit": to_tell("Does not fit"),
    "not as asked": to_tell("Not as asked"),
}
STATUS_TONES: dict[Status, Tone] = {
    "good": "good",
    "limited": "tight",
    "slow": "tight",
    "last resort": "bad",
    "does not fit": "bad",
    "not as asked": "bad",
}
VERDICT_TONES: dict[Verdict, Tone] = {
    "fits": "good",
    "fits with offload": "good",
    "tight": "tight",
    "does not fit": "bad",
}
_ROLES: dict[Role, str] = {
    "better quality": to_tell("Better quality"),
    "faster": to_tell("Faster"),
    "longer context": to_tell("Longer context"),
    "other engine": to_tell("Other engine"),
    "own 4-bit file": to_tell("Own 4-bit file"),
    "other model": to_tell("Other model"),
}


_STATUSES_INSIDE: dict[Status, str] = {
    "good": to_tell("good"),
    "limited": to_tell("limited"),
    "slow": to_tell("slow"),
    "last resort": to_tell("last resort"),
    "does not fit": to_tell("does not fit"),
    "not as asked": to_tell("not as asked"),
}
_BASES = {
    "measured": to_tell("measured"),
    "transferred": to_tell("carried over"),
    "estimated": to_tell("estimated"),
    "scaled": to_tell("scaled from similar devices"),
}


def verdict_word(verdict: Verdict) -> str:
    return told(_VERDICTS[verdict])


def status_word(status: Status) -> str:
    """At the beginning of a line: "Last resort"."""
    return told(_STATUSES[status])


def status_inside(status: Status) -> str:
    """Inside a line, or after its sign: "last resort"."""
    return told(_STATUSES_INSIDE[status])


def basis_word(basis: str) -> str:
    """What a figure rests on: "carried over"."""
    return told(_BASES.get(basis, basis))


def role_word(role: Role) -> str:
    """What a choice is beside the plan, at the beginning of a line: "Better quality"."""
    return told(_ROLES[role])
