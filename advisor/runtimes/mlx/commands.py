"""MLX on Macs: `mlx_lm.convert` and `mlx_lm.server`, as in mlx-lm 0.32.2."""

from __future__ import annotations

from advisor.formats.safetensors_levels import Scheme, find_safetensors_level
from advisor.foundation.errors import InputError
from advisor.runtimes.launch import Command, Launch, command_line

_CACHE_BITS = {"q8_0": 8, "q4_0": 4}


def mlx_commands(launch: Launch) -> tuple[Command, ...]:
    """The files where nobody has published them, then the server."""
    level = find_safetensors_level(launch.level)
    if level.scheme not in (Scheme.MLX, Scheme.PLAIN):
        raise InputError("MLX does not read {level}; choose an MLX level or 16-bit files.", level=level.name)
    settings = launch.settings
    source = launch.published_repo or launch.file
    steps: tuple[Command, ...] = ()
    if source is None and level.scheme is Scheme.PLAIN:
        source = launch.hf_repo
    if source is None:
        source = f"{launch.short_name}-{launch.level}"
        if launch.hf_repo is not None:
            convert = command_line(
                *("mlx_lm.convert", "--hf-path", launch.hf_repo, "--mlx-path", source, "-q"),
                *("--q-bits", level.bits, "--q-group-size", level.group),
            )
            steps = (Command("Convert", convert, "With `pip install mlx-lm` on a Mac with Apple silicon."),)
    # Caches of finished conversations are kept as well; ten by default, which the plan does not count.
    options: list[object] = ["--decode-concurrency", settings.users, "--prompt-cache-size", settings.users]
    notes = [
        "Answers OpenAI's API on http://127.0.0.1:8080/v1. The context is not limited by a flag: keep to the plan's."
    ]
    bits = _CACHE_BITS.get(settings.cache_type_k)
    if bits is not None:
        options += ["--kv-bits", bits]
        notes.append("With a quantized KV cache mlx_lm.server serves one request at a time.")
    elif settings.cache_type_k not in ("f16", "bf16"):
        notes.append("MLX quantizes its KV cache to 8 or 4 bits (q8_0, q4_0).")
    return (
        *steps,
        Command("mlx_lm.server", command_line("mlx_lm.server", "--model", source, *options), " ".join(notes)),
    )
