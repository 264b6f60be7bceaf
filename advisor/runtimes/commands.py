"""From a plan to the commands that run it."""

from __future__ import annotations

from advisor.foundation.errors import InputError
from advisor.runtimes.launch import Command, Launch
from advisor.runtimes.llama_cpp.commands import llama_cpp_commands, lm_studio_commands, ollama_commands
from advisor.runtimes.mlx.commands import mlx_commands
from advisor.runtimes.vllm.commands import vllm_commands

__all__ = ["Command", "Launch", "commands"]

_BY_RUNTIME = {
    "llama.cpp": llama_cpp_commands,
    "ollama": ollama_commands,
    "lm-studio": lm_studio_commands,
    "vllm": vllm_commands,
    "mlx": mlx_commands,
}


def commands(launch: Launch) -> tuple[Command, ...]:
    """How to get the files and run the plan, in order; raises InputError for an unknown runtime, level or name.

    The texts are for a POSIX shell, with every argument quoted, except where a title says that it is a file or
    Python. Flags are those of the versions in tests/support/recorded.
    """
    build = _BY_RUNTIME.get(launch.runtime)
    if build is None:
        raise InputError(f"There are no commands for runtime '{launch.runtime}'; choose {', '.join(_BY_RUNTIME)}.")
    return build(launch)
