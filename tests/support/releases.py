"""What the llama.cpp of several releases says of the same questions: `tests/truth/releases_llamacpp_memory.csv`."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gguf.constants import GGUFValueType as Kind

from advisor.formats.gguf_levels import LEVELS
from advisor.models.catalogue import catalogue
from advisor.models.model import Model
from advisor.quantize.gguf_writing import Entry
from advisor.quantize.header_only import metadata_of_config, metadata_of_header, write_header_only
from advisor.quantize.metadata import WRITTEN
from advisor.sizing.placement import HOST, Placement, place
from advisor.sizing.settings import Settings
from advisor.sources.gguf_header import read_gguf_header
from advisor.sources.reading import read_from_bytes
from tests.support.model_files import gguf_file, gguf_metadata
from tests.support.reference import TRUTH

FILE = TRUTH / "releases_llamacpp_memory.csv"
_ASKED = ["model_id", "level", "n_ctx", "n_parallel", "n_ubatch", "flash_attn", "cache_k", "cache_v", "unified"]
_TOLD = ("model_mib", "context_mib", "compute_mib")
COLUMNS = ("release", *_ASKED, *_TOLD)
_PROGRAM = Path(__file__).with_name("planner_process.py")
_TIMEOUT_S = 600
_XIELU = ("alpha_n", "alpha_p", "beta", "eps")
_IN_64_BIT = ("layer_multipliers", "offsets", "head_vocab_sizes")
_UNKNOWN_ROPE = "internlm3-8b-instruct"


@dataclass(frozen=True)
class Row:
    """One question on one CPU, and the whole MiB that the llama.cpp of a release printed for it."""

    model_id: str
    level: str
    settings: Settings
    told: tuple[int, int, int] = (0, 0, 0)

    @property
    def model(self) -> Model:
        return catalogue()[self.model_id].model

    @property
    def placement(self) -> Placement:
        return place(len(self.model.layers), ())

    @property
    def asked(self) -> dict[str, Any]:
        """In the columns of the table."""
        settings = self.settings
        values = (
            *(self.model_id, self.level, settings.total_context, settings.users, settings.micro_batch),
            *("auto" if settings.flash_attention else "off", settings.cache_type_k, settings.cache_type_v),
            int(settings.unified),
        )
        return dict(zip(_ASKED, values, strict=True))

    @property
    def written(self) -> dict[str, Any]:
        return {"release": self.settings.release, **self.asked, **dict(zip(_TOLD, self.told, strict=True))}


def rows() -> Iterator[Row]:
    """All of the table."""
    with FILE.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            unified, users = row["unified"] == "1", int(row["n_parallel"])
            settings = Settings(
                context=int(row["n_ctx"]) // (1 if unified else users),
                users=users,
                micro_batch=int(row["n_ubatch"]),
                flash_attention=row["flash_attn"] != "off",
                cache_type_k=row["cache_k"],
                cache_type_v=row["cache_v"],
                unified=unified,
                release=row["release"],
            )
            model, context, compute = (int(row[column]) for column in _TOLD)
            yield Row(row["model_id"], row["level"], settings, (model, context, compute))


@cache
def _asked_about() -> dict[str, tuple[str, ...]]:
    """Models whose metadata is known, by architecture."""
    found: dict[str, list[str]] = {}
    for name, entry in sorted(catalogue().items()):
        if name in gguf_metadata() or (entry.model.architecture in WRITTEN and name != _UNKNOWN_ROPE):
            found.setdefault(entry.model.architecture, []).append(name)
    return {architecture: tuple(names) for architecture, names in sorted(found.items())}


def drawn(release: str, seed: str, count: int) -> list[Row]:
    """Questions over all architectures, each as likely as the others; equal for equal seeds."""
    draw = random.Random(seed)
    found: list[Row] = []
    while len(found) < count:
        names = _asked_about()[draw.choice(tuple(_asked_about()))]
        flash = draw.random() < 0.75
        settings = Settings(
            context=round(2 ** draw.uniform(8, 17)),
            users=draw.choice((1, 1, 1, 2, 3, 4, 8)),
            micro_batch=draw.choice((64, 128, 256, 512, 512, 512, 1024, 2048)),
            flash_attention=flash,
            cache_type_k=draw.choice(("f16", "f16", "q8_0", "q4_0", "bf16")),
            cache_type_v=draw.choice(("f16", "f16", "q8_0", "q5_1")) if flash else "f16",
            unified=draw.random() < 0.2,
            release=release,
        )
        level = draw.choice(("Q4_K_M", "Q4_K_M", "Q8_0", "Q6_K", "IQ4_XS", "F16"))
        found.append(Row(draw.choice(names), level, settings))
    return found


def ask(python: str, questions: Sequence[Row]) -> list[tuple[int, int, int] | None]:
    """What the llama.cpp of that Python's xllamacpp says; None where it does not know the model or the types."""
    with tempfile.TemporaryDirectory(prefix="releases-") as folder:
        lines = []
        for row in questions:
            path = Path(folder) / f"{row.model_id}-{row.level}.gguf"
            if not path.exists():
                write_header_only(path, row.model, LEVELS[row.level], _metadata(row.model_id))
            lines.append(json.dumps({**row.asked, "path": str(path)}))
        program = subprocess.run(
            [python, str(_PROGRAM)],
            input="\n".join(lines) + "\n",
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    answers = [json.loads(line) for line in program.stdout.splitlines()]
    if len(answers) != len(questions):
        raise SystemExit(program.stderr.strip() or "The planner stopped early.")
    return [tuple(answer) if answer else None for answer in answers]


def _metadata(model_id: str) -> list[Entry]:
    """As the converter writes it, and what only loading asks for."""
    entry = catalogue()[model_id]
    if model_id not in gguf_metadata():
        return metadata_of_config(entry.model, entry.config)
    content, _ = gguf_file(model_id)
    found = metadata_of_header(read_gguf_header(read_from_bytes(content), "header.gguf"))
    match entry.model.architecture:
        case "bert" | "nomic-bert":
            found.append(Entry("tokenizer.ggml.token_type_count", 2, Kind.UINT32))
        case "apertus":
            ones = [1.0] * len(entry.model.layers)
            found += [Entry(f"xielu.{name}", ones, Kind.ARRAY, Kind.FLOAT32) for name in _XIELU]
        case "qwen4exp":
            found = [
                Entry(one.key, one.value, one.type, Kind.UINT64) if one.key.endswith(_IN_64_BIT) else one
                for one in found
            ]
        case _:
            pass
    return found


def predicted_mib(row: Row) -> tuple[float, float, float]:
    """The same of ours."""
    from advisor.foundation.units import MIB
    from advisor.runtimes.llama_cpp.compute.buffer import compute_buffer_bytes
    from advisor.runtimes.llama_cpp.kv_cache import layer_cache_bytes
    from advisor.runtimes.llama_cpp.weights import weight_bytes

    weights = weight_bytes(row.model, LEVELS[row.level], row.placement)[HOST]
    cache = sum(layer_cache_bytes(row.model, row.settings))
    compute = compute_buffer_bytes(row.model, row.settings, row.placement)[HOST]
    return weights / MIB, cache / MIB, compute / MIB


def miss_mib(predicted: float, told: int) -> float:
    """How far off; nothing within the MiB that llama.cpp cuts off."""
    return 0.0 if told <= predicted < told + 1 else predicted - told
