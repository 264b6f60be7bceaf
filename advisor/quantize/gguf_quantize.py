"""Quantize a GGUF file: llama.cpp's own arithmetic, driven by our own rules for types.

Every tensor is written where it will lie in the finished file, under the name `<file>.part`; a journal beside it says
how many are safely on disk, so that an interrupted run goes on where it was. The file gets its name when it is whole.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from gguf.constants import GGML_QUANT_VERSION, GGUFValueType, LlamaFileType

from advisor.formats.ggml_types import Type
from advisor.formats.gguf_levels import Level
from advisor.foundation.errors import InputError
from advisor.quantize.errors import Cancelled, RunFailed
from advisor.quantize.gguf_source import UNQUANTIZED, GgufSource, as_float32, as_stored
from advisor.quantize.gguf_writing import Entry, Layout, Slot, finish_file, lay_out, start_file, write_atomically
from advisor.quantize.imatrix import ImportanceMatrix
from advisor.quantize.native import library, quantize_rows
from advisor.sources.gguf_file import StoredTensor

_CHUNK_ELEMENTS = 4 << 20  # 16 MiB as float32; what a thread works on at a time
_JOURNAL_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a step is, in whatever it counts; `item` is what it is at."""

    done: int
    total: int
    item: str

    @property
    def fraction(self) -> float:
        return self.done / self.total if self.total else 1.0


Report = Callable[[Progress], None]
Stop = Callable[[], bool]


def silent(_: Progress) -> None:
    return


def never() -> bool:
    return False


def worker_threads() -> int:
    """One fewer than there are cores: waiting threads of a full machine cost more than they bring."""
    return max(1, (os.cpu_count() or 2) - 1)


def check_level(source: GgufSource, level: Level, matrix: ImportanceMatrix | None) -> None:
    """Raise InputError where the level cannot be made from this source."""
    if matrix is not None:
        matrix.check(source.header)
    elif needing := source.without_matrix(level):
        raise InputError(
            "{level} needs an importance matrix for this model ('{needing}'); give one, or let llama-imatrix make one.",
            level=level.name,
            needing=needing[0],
        )


def plan_file(source: GgufSource, level: Level, target: Path, matrix: ImportanceMatrix | None = None) -> Layout:
    """The whole file as it will be, without its weights: exact to the byte."""
    replaced = ("general.quantization_version", "general.file_type")
    metadata = [
        entry for entry in source.metadata() if entry.key not in replaced and not entry.key.startswith("split.")
    ]
    metadata.append(Entry(replaced[0], GGML_QUANT_VERSION, GGUFValueType.UINT32))
    metadata.append(Entry(replaced[1], _file_type(level), GGUFValueType.UINT32))
    if matrix is not None:
        metadata += matrix.entries()
    types = source.types_at(level, matrix is not None)
    return lay_out(metadata, [(tensor.name, tensor.shape, kind) for tensor, kind in types], _beside(target, ".head"))


def _file_type(level: Level) -> int:
    names = {kind.name.removeprefix("MOSTLY_").removeprefix("ALL_"): kind.value for kind in LlamaFileType}
    return names[level.name]


def quantize_gguf(
    source: GgufSource,
    level: Level,
    target: Path,
    *,
    matrix: ImportanceMatrix | None = None,
    threads: int | None = None,
    report: Report = silent,
    stop: Stop = never,
) -> Layout:
    """Write `source` at `level` to `target`; goes on where an interrupted call for the same file was.

    Progress counts weights. Raises InputError, Cancelled (what is done is kept for the next call), RunFailed where
    the disk is full.
    """
    library()
    check_level(source, level, matrix)
    layout = plan_file(source, level, target, matrix)
    part = _beside(target, ".part")
    journal = _Journal(_beside(target, ".part.json"), _identity(source, level, matrix))
    try:
        if not part.exists() or part.stat().st_size != layout.file_bytes or not journal.load():
            start_file(part, layout)
            journal.save(0)
        with part.open("r+b") as file, ThreadPoolExecutor(threads or worker_threads()) as pool:
            _write_tensors(_Job(source, layout, matrix, file, pool, report, stop), journal)
        finish_file(part, target)
    except OSError as error:
        journal.remove()
        part.unlink(missing_ok=True)
        raise RunFailed(
            "{target} cannot be written: {strerror}.", target=target.name, strerror=error.strerror or "the disk fails"
        ) from None
    journal.remove()
    return layout


@dataclass(frozen=True, slots=True)
class _Job:
    source: GgufSource
    layout: Layout
    matrix: ImportanceMatrix | None
    file: BinaryIO
    pool: ThreadPoolExecutor
    report: Report
    stop: Stop


def _write_tensors(job: _Job, journal: _Journal) -> None:
    stored = {tensor.name: tensor for tensor in job.source.header.tensors}
    total = sum(tensor.elements for tensor in stored.values())
    done = 0
    for number, slot in enumerate(job.layout.slots):
        tensor = stored[slot.name]
        if number >= journal.done:
            job.file.seek(slot.offset)
            for piece in _pieces(job, tensor, slot):
                if job.stop():
                    _save(job.file, journal, number)
                    raise Cancelled
                job.file.write(piece)
            if journal.due():
                _save(job.file, journal, number + 1)
        done += tensor.elements
        job.report(Progress(done, total, slot.name))


def _save(file: BinaryIO, journal: _Journal, done: int) -> None:
    """The weights are on disk before the journal says so."""
    file.flush()
    os.fsync(file.fileno())
    journal.save(done)


def _pieces(job: _Job, tensor: StoredTensor, slot: Slot) -> Iterator[bytes]:
    """The tensor's bytes in order, computed a few chunks ahead."""
    raw = job.source.raw(tensor)
    if slot.type is tensor.type:
        for start in range(0, len(raw), _CHUNK_ELEMENTS * 4):
            yield raw[start : start + _CHUNK_ELEMENTS * 4].tobytes()
        return
    columns = tensor.shape[0]
    size = len(raw) // (tensor.elements // columns)
    weights = job.matrix.weights.get(tensor.name) if job.matrix is not None else None
    rows_each = max(1, _CHUNK_ELEMENTS // columns)
    rows_of_matrix = tensor.shape[1] if len(tensor.shape) > 1 else 1

    def convert(span: tuple[int, int]) -> bytes:
        first, end = span
        rows = as_float32(raw[first * size : end * size], Type(tensor.type)).reshape(-1, columns)
        return _converted(rows, slot.type, _importance(weights, first // rows_of_matrix))

    for batch in _batches(tensor.elements // columns, rows_of_matrix, rows_each):
        yield from job.pool.map(convert, batch)


def _converted(rows: npt.NDArray[np.float32], kind: Type, weights: npt.NDArray[np.float32] | None) -> bytes:
    if kind in UNQUANTIZED:
        return as_stored(rows, kind).tobytes()
    return quantize_rows(kind, rows, weights).tobytes()


def _importance(weights: npt.NDArray[np.float32] | None, matrix: int) -> npt.NDArray[np.float32] | None:
    """The columns' importance for one matrix of a stack; a single set serves them all."""
    if weights is None:
        return None
    found: npt.NDArray[np.float32] = weights[matrix if len(weights) > 1 else 0]
    return found


def _batches(rows: int, rows_of_matrix: int, rows_each: int) -> Iterator[list[tuple[int, int]]]:
    """Spans of rows, none across two matrices, in batches that fill every thread once."""
    spans = [
        (start, min(start + rows_each, first + rows_of_matrix))
        for first in range(0, rows, rows_of_matrix)
        for start in range(first, first + rows_of_matrix, rows_each)
    ]
    step = worker_threads() * 2
    for start in range(0, len(spans), step):
        yield spans[start : start + step]


def _identity(source: GgufSource, level: Level, matrix: ImportanceMatrix | None) -> dict[str, object]:
    found = matrix.path.stat() if matrix is not None else None
    return {
        "source": source.fingerprint,
        "level": level.name,
        "imatrix": None if found is None else [found.st_size, found.st_mtime_ns],
    }


def _beside(target: Path, ending: str) -> Path:
    return target.with_name(target.name + ending)


def discard(target: Path) -> None:
    """Remove what an interrupted run left beside `target`."""
    for ending in (".part", ".part.json", ".part.json.new", ".head"):
        _beside(target, ending).unlink(missing_ok=True)


class _Journal:
    """How many tensors of a part file are safely on disk, and of which file."""

    def __init__(self, path: Path, identity: dict[str, object]):
        self.path, self.identity, self.done = path, identity, 0
        self._saved_at = time.monotonic()

    def load(self) -> bool:
        """Whether there is one, and for the very same file."""
        try:
            found = json.loads(self.path.read_text("utf-8"))
        except (OSError, ValueError):
            return False
        if not isinstance(found, dict) or found.get("of") != self.identity or not isinstance(found.get("done"), int):
            return False
        self.done = found["done"]
        return True

    def due(self) -> bool:
        return time.monotonic() - self._saved_at >= _JOURNAL_EVERY_S

    def save(self, done: int) -> None:
        write_atomically(self.path, json.dumps({"of": self.identity, "done": done}))
        self.done, self._saved_at = done, time.monotonic()

    def remove(self) -> None:
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
