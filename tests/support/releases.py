"""What the llama.cpp of several releases says of the same questions: `tests/truth/releases_llamacpp_memory.csv`."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from gguf.constants import GGUFValueType as Kind

from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.units import MIB
from advisor.models.catalogue import catalogue
from advisor.models.model import Model
from advisor.quantize.gguf_writing import Entry
from advisor.quantize.header_only import metadata_of_config, metadata_of_header, write_header_only
from advisor.quantize.metadata import WRITTEN
from advisor.runtimes.llama_cpp.compute.buffer import lent_buffer_bytes
from advisor.runtimes.llama_cpp.growth import Growth, lends_gpu
from advisor.runtimes.llama_cpp.lending import settled
from advisor.runtimes.llama_cpp.needs import passing_bytes
from advisor.runtimes.llama_cpp.weights import level_weights, tensors_in
from advisor.sizing.placement import HOST, Placement, place
from advisor.sizing.settings import Settings
from advisor.sources.gguf_header import read_gguf_header
from advisor.sources.reading import read_from_bytes
from tests.support.model_files import gguf_file, gguf_metadata
from tests.support.reference import TRUTH

FILE = TRUTH / "releases_llamacpp_memory.csv"
PLACED_FILE = TRUTH / "placed_releases_llamacpp_memory.csv"
_ASKED = ["model_id", "level", "n_ctx", "n_parallel", "n_ubatch", "flash_attn", "cache_k", "cache_v", "unified"]
_TOLD = ("model_mib", "context_mib", "compute_mib")
COLUMNS = ("release", *_ASKED, *_TOLD)
_PLACED = ("n_gpus", "gpu_layers", "n_cpu_moe", "op_offload", "device")
PLACED_COLUMNS = ("release", *_ASKED, *_PLACED, *_TOLD)
_PROGRAM = Path(__file__).with_name("planner_process.py")
_TIMEOUT_S = 600
_ALL_LAYERS = 999
_XIELU = ("alpha_n", "alpha_p", "beta", "eps")
_IN_64_BIT = ("layer_multipliers", "offsets", "head_vocab_sizes")
_UNKNOWN_ROPE = "internlm3-8b-instruct"


Told = tuple[int, int, int]
"""Weights, cache and compute buffer in whole MiB."""


@dataclass(frozen=True)
class Row:
    """One question, and what the llama.cpp of a release printed for the host, or for one of so many fake GPUs."""

    model_id: str
    level: str
    settings: Settings
    told: Told = (0, 0, 0)
    gpus: int = 0
    device: int = HOST

    @property
    def model(self) -> Model:
        return catalogue()[self.model_id].model

    @property
    def placement(self) -> Placement:
        settings = self.settings
        shares, experts = (1.0,) * self.gpus, settings.cpu_moe_layers
        return place(len(self.model.layers), shares, settings.gpu_layers, experts, False, settings.op_offload)

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
        """In the columns of either table."""
        settings = self.settings
        layers = "all" if settings.gpu_layers is None else settings.gpu_layers
        placed = (self.gpus, layers, settings.cpu_moe_layers, int(settings.op_offload), self.device)
        told = zip((*_PLACED, *_TOLD), (*placed, *self.told), strict=True)
        return {"release": settings.release, **self.asked, **dict(told)}


def rows(path: Path = FILE) -> Iterator[Row]:
    """All of a table."""
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            layers = row.get("gpu_layers", "all")
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
                gpu_layers=None if layers == "all" else int(layers),
                cpu_moe_layers=int(row.get("n_cpu_moe", 0)),
                op_offload=row.get("op_offload", "1") == "1",
            )
            model, context, compute = (int(row[column]) for column in _TOLD)
            gpus, device = int(row.get("n_gpus", 0)), int(row.get("device", HOST))
            yield Row(row["model_id"], row["level"], settings, (model, context, compute), gpus, device)


@cache
def _asked_about() -> dict[str, tuple[str, ...]]:
    """Models whose metadata is known, by architecture."""
    found: dict[str, list[str]] = {}
    for name, entry in sorted(catalogue().items()):
        if name in gguf_metadata() or (entry.model.architecture in WRITTEN and name != _UNKNOWN_ROPE):
            found.setdefault(entry.model.architecture, []).append(name)
    return {architecture: tuple(names) for architecture, names in sorted(found.items())}


def placed(questions: Sequence[Row], seed: str, lends: bool) -> list[Row]:
    """The same questions with one to three GPUs, layers and experts on them and on the host."""
    draw, found = random.Random(f"{seed} placed"), []
    for row in questions:
        layers = len((row.model.trunk or row.model).layers)
        on_gpus = draw.choice(
            (None, None, draw.randrange(layers + 1)) if not lends else (0, draw.randrange(layers + 1))
        )
        experts = draw.choice((0, draw.randrange(layers + 1))) if row.model.experts else 0
        settings = replace(row.settings, gpu_layers=on_gpus, cpu_moe_layers=experts, op_offload=lends)
        found.append(replace(row, settings=settings, gpus=draw.choice((1, 1, 2, 3))))
    return found


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


def ask(python: str, questions: Sequence[Row]) -> list[Row]:
    """The questions with what the llama.cpp of that Python's xllamacpp says, a row for each device.

    Left out is where it does not know the model or the types.
    """
    with tempfile.TemporaryDirectory(prefix="releases-") as folder:
        lines = []
        for row in questions:
            path = Path(folder) / f"{row.model_id}-{row.level}.gguf"
            if not path.exists():
                write_header_only(path, row.model, LEVELS[row.level], _metadata(row.model_id))
            layers = _ALL_LAYERS if row.settings.gpu_layers is None else row.settings.gpu_layers
            more = {"n_gpus": row.gpus, "gpu_layers": layers, "n_cpu_moe": row.settings.cpu_moe_layers}
            lines.append(json.dumps({**row.asked, **more, "lends": row.settings.op_offload, "path": str(path)}))
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
    return [
        replace(row, told=tuple(figures), device=HOST if name == "Host" else int(name.removeprefix("GPU")))
        for row, answer in zip(questions, answers, strict=True)
        for name, figures in (answer or {}).items()
    ]


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
    """The same of ours: where a GPU computes for the host, of the prompt alone, as llama.cpp prints it."""
    weights, settings = level_weights(row.model, LEVELS[row.level]), row.settings.without_placement
    growth, lent = Growth(row.model, settings, row.placement), None
    now = growth.now
    if lends_gpu(settings, row.placement):
        lent = lent_buffer_bytes(row.model, settings, row.placement, tensors_in(weights))
        now = settled(growth, weights)
    bound = now.compute[row.device] + (0 if row.device else passing_bytes(weights, row.placement, now))
    compute = bound if lent is None else lent[row.device]
    return weights.on_devices(row.placement)[row.device] / MIB, now.cache[row.device] / MIB, compute / MIB


def miss_mib(predicted: float, told: int) -> float:
    """How far off; nothing within the MiB that llama.cpp cuts off."""
    return 0.0 if told <= predicted < told + 1 else predicted - told
