"""From a plan to the commands that run it."""

from __future__ import annotations

from advisor.runtimes.launch import Command, Launch
from advisor.runtimes.registry import find_runtime

__all__ = ["Command", "Launch", "commands"]


def commands(launch: Launch) -> tuple[Command, ...]:
    """How to get the files and run the plan, in order; raises InputError for an unknown runtime, level or name.

    The texts are for a POSIX shell, with every argument quoted, except where a title says that it is a file or
    Python. Flags are those of the versions in tests/support/recorded.
    """
    return find_runtime(launch.runtime).commands(launch)
