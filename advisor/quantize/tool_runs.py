"""llama.cpp's own programs at work: importance matrices, and quantization as an alternative to the library."""

from __future__ import annotations

import os
import re
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

from advisor.formats.gguf_levels import Level
from advisor.foundation.environment import real_run_environment
from advisor.quantize.errors import RunFailed, ToolMissing
from advisor.quantize.gguf_quantize import (
    Progress,
    Report,
    Stop,
    check_level,
    discard,
    never,
    plan_file,
    silent,
    worker_threads,
)  # fmt: skip
from advisor.quantize.gguf_source import GgufSource
from advisor.quantize.gguf_writing import Layout, sync_folder
from advisor.quantize.hf_folder import ModelFolder
from advisor.quantize.imatrix import ImportanceMatrix
from advisor.quantize.tools import (
    Tool,
    ended,
    find_converter,
    must_find,
    run_streaming,
)
from advisor.sources.gguf_header import read_gguf_header
from advisor.sources.reading import read_from_path

_TENSOR = re.compile(r"\[ *(\d+)/ *(\d+)\] (\S+)")
_PERCENT = re.compile(r"(\d+)%\|")
_CHUNK = re.compile(r"\[(\d+)\]")
_CHUNKS = re.compile(r"over (\d+) chunks")
_KEPT_LINES = 8
_IMATRIX_CHUNKS = 100


def quantize_with_tool(
    source: GgufSource,
    level: Level,
    target: Path,
    *,
    matrix: ImportanceMatrix | None = None,
    threads: int | None = None,
    report: Report = silent,
    stop: Stop = never,
) -> Layout:
    """The same file as `quantize_gguf` writes, made by llama-quantize. Begins anew when it was interrupted."""
    tool = must_find("llama-quantize")
    check_level(source, level, matrix)
    layout = plan_file(source, level, target, matrix)
    part = target.with_name(target.name + ".part")
    options: list[str | Path] = []
    if matrix is not None:  # by its name alone: the file that is made records it
        options = ["--imatrix", matrix.path.name]
    command = [tool.path, *options, source.path, part, level.name, str(threads or worker_threads())]

    def line(text: str) -> None:
        if found := _TENSOR.search(text):
            report(Progress(int(found[1]), int(found[2]), found[3]))

    try:
        _run(tool, command, matrix.path.parent if matrix is not None else target.parent, line, stop)
        # An exit code of 0 is no proof.
        header = read_gguf_header(read_from_path(part), target.name)
        stored = [(tensor.name, tensor.type) for tensor in header.tensors]
        if part.stat().st_size != layout.file_bytes or stored != [(slot.name, slot.type) for slot in layout.slots]:
            raise RunFailed(
                "llama-quantize ({version}) chose other types than predicted for {level}: it wrote "
                "{st_size:,} bytes, not {file_bytes:,}.",
                version=tool.version,
                level=level.name,
                st_size=part.stat().st_size,
                file_bytes=layout.file_bytes,
            )
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
        sync_folder(target.parent)
    finally:
        discard(target)
    return layout


def make_imatrix(
    source: GgufSource,
    text: Path,
    target: Path,
    *,
    chunks: int = _IMATRIX_CHUNKS,
    threads: int | None = None,
    report: Report = silent,
    stop: Stop = never,
) -> None:
    """Let llama-imatrix measure which columns matter, on a calibration text; raises ToolMissing, RunFailed."""
    tool = must_find("llama-imatrix")
    context = min(512, source.model.context_length or 512)
    part = target.with_name("part-" + target.name)
    total = [chunks]
    command: list[str | Path] = [
        tool.path, "-m", source.path, "-f", text, "-o", part, "-c", str(context), "--chunks", str(chunks),
        "-t", str(threads or worker_threads()), "-ngl", "0",
    ]  # fmt: skip

    def line(said: str) -> None:
        if found := _CHUNKS.search(said):
            total[0] = int(found[1])
        if numbers := _CHUNK.findall(said):
            report(Progress(int(numbers[-1]), total[0], f"chunk {numbers[-1]} of {total[0]}"))

    try:
        _run(tool, command, target.parent, line, stop)
        if not part.is_file():
            raise RunFailed("llama-imatrix ({version}) ended without writing a matrix.", version=tool.version)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def convert_with_tree(folder: ModelFolder, target: Path, report: Report = silent, stop: Stop = never) -> None:
    """llama.cpp's own converter, for architectures that are not written here; raises ToolMissing, RunFailed.

    It would run code that a folder names; `open_folder` has refused such folders.
    """
    tool = find_converter()
    if tool is None:
        raise ToolMissing("llama.cpp's converter was not found: set LLAMA_CPP_DIR to its source tree.")
    python = real_run_environment().llama_cpp_python or Path(sys.executable)
    part = target.with_name(target.name + ".part")
    command: list[str | Path] = [python, tool.path, folder.path, "--outfile", part, "--outtype", "f16"]

    def line(text: str) -> None:
        if found := _PERCENT.search(text):
            report(Progress(int(found[1]), 100, "converting"))

    try:
        _run(tool, command, target.parent, line, stop)
        # Without weight files it still reports success, with no tensors in the file.
        names = {tensor.name for tensor in read_gguf_header(read_from_path(part), target.name).tensors}
        if missing := sorted({tensor.name for tensor in folder.model.tensors} - names - {"rope_freqs.weight"}):
            raise RunFailed(
                "llama.cpp's converter left out {count} tensors, '{missing}' among them.",
                count=len(missing),
                missing=missing[0],
            )
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _run(tool: Tool, command: list[str | Path], cwd: Path, line: Callable[[str], None], stop: Stop) -> None:
    """Run to the end; raises RunFailed with the tool's last line, Cancelled."""
    last: deque[str] = deque(maxlen=_KEPT_LINES)

    def hear(text: str, complete: bool) -> None:
        if complete:
            last.append(text)
        line(text)

    code = run_streaming(command, tool.environment, cwd, hear, stop)
    if code != 0:
        errors = [text for text in last if "rror" in text or "fail" in text.lower()]
        raise RunFailed(
            "{tool} failed ({code}): {errors}",
            tool=tool.name,
            code=ended(code),
            errors=(errors or [*last, "it gives no reason"])[0][:300],
        )
