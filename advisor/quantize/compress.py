"""GPTQ, AWQ, FP8 and INT8 through llmcompressor, which lives in a virtual environment of its own.

It pins an older transformers than the newest, so the advisor only ever starts it as a program:
`LLM_FIT_ADVISOR_COMPRESS_PYTHON` names the Python of an environment with `advisor/quantize/requirements-compress.txt`.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor.formats.safetensors_dtypes import DTYPE_BITS
from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS, find_safetensors_level
from advisor.formats.safetensors_sizes import size_safetensors_level
from advisor.foundation.environment import real_run_environment
from advisor.foundation.errors import InputError, choose_one_of, nearest
from advisor.foundation.message import sentence
from advisor.quantize.errors import RunFailed, ToolMissing
from advisor.quantize.gguf_quantize import Progress, Report, Stop, never, silent
from advisor.quantize.hf_folder import ModelFolder
from advisor.quantize.measure import Quality
from advisor.quantize.tools import ended, plain_environment, run_streaming
from advisor.sources.reading import read_from_path
from advisor.sources.safetensors_header import read_safetensors_header

_PROGRAM = Path(__file__).with_name("compress_program.py")
_STEP = re.compile(r"\((\d+)/(\d+)\): (\w+)")
_SAMPLES, _SAMPLE_TOKENS = 128, 256
_MOST_AWQ_PARAMETERS = 100_000_000


@dataclass(frozen=True, slots=True)
class Recipe:
    """How llmcompressor is told to make a level: its preset scheme, and the modifier that chooses the roundings."""

    scheme: str
    modifier: str


# Presets of compressed-tensors 0.19 (quantization/quant_scheme.py). AWQ and GPTQ write the same tensors.
RECIPES: dict[str, tuple[Recipe, ...]] = {
    "W4A16-g128": (Recipe("W4A16", "gptq"), Recipe("W4A16", "rtn")),
    "W4A16-asym-g128": (Recipe("W4A16_ASYM", "gptq"), Recipe("W4A16_ASYM", "awq"), Recipe("W4A16_ASYM", "rtn")),
    "W8A16-g128": (Recipe("W8A16", "rtn"),),
    "FP8-dynamic": (Recipe("FP8_DYNAMIC", "rtn"),),
    "FP8-block128": (Recipe("FP8_BLOCK", "rtn"),),
    "W8A8-INT8": (Recipe("W8A8", "gptq"), Recipe("W8A8", "rtn")),
    "NVFP4A16": (Recipe("NVFP4A16", "rtn"),),
}


@dataclass(frozen=True, slots=True)
class Compressed:
    """What was made and how good it is. Bytes over all safetensors files; `engine` computed the logits."""

    level: str
    modifier: str
    predicted_tensor_bytes: int
    tensor_bytes: int
    file_bytes: int
    quality: Quality
    reference_perplexity: float
    engine: str


def compress_python() -> Path:
    """The Python that has llmcompressor; raises ToolMissing."""
    named = real_run_environment().compress_python
    if named is None or not named.is_file():
        raise ToolMissing(
            "GPTQ, AWQ, FP8 and INT8 need llmcompressor in a virtual environment of its own: python3 -m venv compress, "
            "compress/bin/pip install -r advisor/quantize/requirements-compress.txt, and set "
            "LLM_FIT_ADVISOR_COMPRESS_PYTHON to compress/bin/python."
        )
    return named


def check_level(folder: ModelFolder, level: str, modifier: str) -> Recipe:
    """Raise InputError where the level cannot be made of this model."""
    recipe = next((recipe for recipe in RECIPES.get(level, ()) if recipe.modifier == modifier), None)
    if recipe is None:
        raise InputError(
            "'{level}' cannot be made by {modifier}; {hint}",
            level=level[:40],
            modifier=modifier[:20],
            hint=nearest(level, RECIPES) or choose_one_of(RECIPES),
        )
    if not folder.model.causal:
        raise InputError("Models that make embeddings are not compressed here; quantize them to GGUF.")
    sized = size_safetensors_level(folder.model, SAFETENSORS_LEVELS[level])
    if sized.refuses:
        name, why = sized.kept[0]
        raise InputError("{level} is not possible for this model: {name}: {why}.", level=level, name=name, why=why)
    if modifier == "awq" and folder.model.parameters > _MOST_AWQ_PARAMETERS:
        raise InputError("AWQ of more than 0.1 B parameters takes hours on a CPU; choose GPTQ.")
    return recipe


def compress(
    folder: ModelFolder,
    level: str,
    target: Path,
    *,
    calibration: Path,
    evaluation: Path,
    modifier: str = "gptq",
    chunks: int = 50,
    report: Report = silent,
    stop: Stop = never,
) -> Compressed:
    """Write the folder's model at `level` to the new folder `target` and measure it against the original.

    Raises InputError, ToolMissing, Cancelled, or RunFailed with llmcompressor's last line.
    """
    recipe = check_level(folder, level, modifier)
    python = compress_python()
    dtype = next(iter(folder.tensors.values())).tensor.dtype
    predicted = size_safetensors_level(folder.model, find_safetensors_level(level), dtype).tensor_bytes
    part = target.with_name(target.name + ".part")
    order = {
        "source": str(folder.path), "target": str(part), "scheme": recipe.scheme, "modifier": recipe.modifier,
        "calibration": str(calibration), "samples": _SAMPLES,
        "sample_tokens": min(_SAMPLE_TOKENS, folder.model.context_length or _SAMPLE_TOKENS),
        "evaluation": str(evaluation), "chunks": chunks, "context": min(512, folder.model.context_length or 512),
    }  # fmt: skip
    try:
        found = _run(python, order, target.parent, report, stop)
        tensors, files = _stored_bytes(part)
        _make_readable(part)
        part.replace(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Compressed(
        level=level,
        modifier=modifier,
        predicted_tensor_bytes=predicted,
        tensor_bytes=tensors,
        file_bytes=files,
        quality=Quality(**found["quality"]),
        reference_perplexity=found["reference_perplexity"],
        engine=found["engine"],
    )


def _run(python: Path, order: Mapping[str, Any], cwd: Path, report: Report, stop: Stop) -> dict[str, Any]:
    environment = {**plain_environment(), "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    last: deque[str] = deque(maxlen=5)
    result: dict[str, Any] | None = None

    def hear(line: str, complete: bool) -> None:
        nonlocal result
        if not complete:
            return
        if line.startswith('{"quality"'):
            result = json.loads(line)
            return
        last.append(line)
        if step := _STEP.search(line):
            report(Progress(int(step[1]), int(step[2]), step[3]))

    code = run_streaming([python, _PROGRAM, json.dumps(order)], environment, cwd, hear, stop)
    if code == -9:
        raise RunFailed("llmcompressor was killed (signal 9): most likely the machine ran out of memory.")
    if code != 0 or result is None:
        raise RunFailed(
            "llmcompressor failed ({code}): {said}",
            code=ended(code),
            said=last[-1][:300] if last else sentence("it gives no reason"),
        )
    return result


def _stored_bytes(folder: Path) -> tuple[int, int]:
    """Tensor bytes by the headers, and bytes of the files, over all safetensors in a folder."""
    tensors = files = 0
    for path in sorted(folder.glob("*.safetensors")):
        files += path.stat().st_size
        tensors += sum(
            tensor.elements * DTYPE_BITS[tensor.dtype] // 8
            for tensor in read_safetensors_header(read_from_path(path), path.name)
        )
    if not files:
        raise RunFailed("llmcompressor ended without writing any weights.")
    return tensors, files


def _make_readable(folder: Path) -> None:
    """It writes files that only their owner can read; a server runs as somebody else."""
    for path in folder.iterdir():
        path.chmod(0o644)
