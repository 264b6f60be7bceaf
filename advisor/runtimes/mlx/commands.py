"""MLX on Macs: `mlx_lm.convert` and `mlx_lm.server`, as in mlx-lm 0.32.2."""

from __future__ import annotations

from advisor.formats.safetensors_levels import Scheme, find_safetensors_level
from advisor.foundation.errors import InputError
from advisor.foundation.message import as_it_is, fact
from advisor.runtimes.launch import AS_PUBLISHED, Command, Launch, command_line

_CACHE_BITS = {"q8_0": 8, "q4_0": 4}


def mlx_commands(launch: Launch) -> tuple[Command, ...]:
    """The files where nobody has published them, then the server."""
    level = None if launch.level == AS_PUBLISHED else find_safetensors_level(launch.level)
    if level is not None and level.scheme not in (Scheme.MLX, Scheme.PLAIN):
        raise InputError("MLX does not read {level}; choose an MLX level or 16-bit files.", level=level.name)
    settings = launch.settings
    source = launch.published_repo or launch.file
    steps: tuple[Command, ...] = ()
    if source is None and level is not None and level.scheme is Scheme.PLAIN:
        source = launch.hf_repo
    if source is None:
        source = f"{launch.short_name}-{launch.level}"
        if level is not None and launch.hf_repo is not None:
            convert = command_line(
                *("mlx_lm.convert", "--hf-path", launch.hf_repo, "--mlx-path", source, "-q"),
                *("--q-bits", level.bits, "--q-group-size", level.group),
            )
            steps = (Command(fact("command_convert"), convert, (fact("command_with_mlx"),)),)
    # Caches of finished conversations are kept as well; ten by default, which the plan does not count.
    options: list[object] = ["--decode-concurrency", settings.users, "--prompt-cache-size", settings.users]
    if launch.prefill_step is not None:
        options += ["--prefill-step-size", launch.prefill_step]
    notes = [fact("command_mlx_server")]
    if launch.extension is not None and launch.extension.scaling != "none":
        notes.append(fact("command_scale_in_config", factor=launch.extension.factor))
    bits = _CACHE_BITS.get(settings.cache_type_k)
    if bits is not None:
        options += ["--kv-bits", bits]
        notes.append(fact("mlx_one_at_a_time"))
    elif settings.cache_type_k not in ("f16", "bf16"):
        notes.append(fact("command_mlx_cache"))
    return (
        *steps,
        Command(as_it_is("mlx_lm.server"), command_line("mlx_lm.server", "--model", source, *options), tuple(notes)),
    )
