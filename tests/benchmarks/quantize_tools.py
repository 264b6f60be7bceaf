"""Our quantized files and answers against llama.cpp's own programs; by hand, not part of the test suite.

    python -m tests.benchmarks.quantize_tools [--build SOURCE] [--levels Q4_K_M ...]

With `--build` the programs are first built from a llama.cpp source tree (or a llama-cpp-python source distribution:
`pip download --no-binary :all: --no-deps llama-cpp-python`, unpacked); otherwise those in LLAMA_CPP_BIN or on PATH are
taken. Checks, for every level of the tiny model: the whole file is identical to llama-quantize's, byte by byte, with
and without an importance matrix; an importance matrix can be made; and for catalogue models: the dry run confirms our
sizes to the byte, llama-fit-params our weights and KV cache to the MiB.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import size_level
from advisor.foundation.errors import AdvisorError
from advisor.models.catalogue import catalogue
from advisor.quantize.ask import ask_memory, ask_size, compare_with_plan
from advisor.quantize.convert import convert
from advisor.quantize.gguf_quantize import quantize_gguf
from advisor.quantize.gguf_source import GgufSource, open_gguf_source
from advisor.quantize.header_only import metadata_of_config
from advisor.quantize.hf_folder import open_folder
from advisor.quantize.imatrix import ImportanceMatrix, read_imatrix
from advisor.quantize.metadata import WRITTEN
from advisor.quantize.tinylm import CALIBRATION_TEXT, FOLDER, IMPORTANCE_MATRIX
from advisor.quantize.tool_runs import make_imatrix, quantize_with_tool
from advisor.quantize.tools import TOOLS, must_find
from advisor.runtimes.llama_cpp.runtime import LLAMA_CPP
from advisor.sizing.memory import Memory
from advisor.sizing.request import Levels, PlanRequest
from advisor.sizing.settings import Settings

_OPTIONS = ("-DCMAKE_BUILD_TYPE=Release", "-DLLAMA_BUILD_SERVER=OFF", "-DLLAMA_OPENSSL=OFF", "-DBUILD_SHARED_LIBS=OFF")
_ASKED = ("Q4_K_M", "Q2_K", "Q8_0")


def build(source: Path, target: Path) -> Path:
    """Build the three programs; about 10 CPU-minutes. Returns their folder."""
    tree = source if (source / "ggml").is_dir() else source / "vendor" / "llama.cpp"
    begin = time.monotonic()
    subprocess.run(["cmake", "-S", tree, "-B", target, *_OPTIONS], check=True)
    jobs = str(max(1, (os.cpu_count() or 2) - 1))
    subprocess.run(["cmake", "--build", target, "-j", jobs, "--target", *TOOLS], check=True)
    print(f"built in {time.monotonic() - begin:.0f} s")
    return target / "bin"


def compare_files(source: GgufSource, levels: list[str], matrix: ImportanceMatrix | None, scratch: Path) -> int:
    """How many levels are not identical."""
    wrong = 0
    for name in levels:
        ours, theirs = scratch / "ours.gguf", scratch / "theirs.gguf"
        try:
            quantize_gguf(source, LEVELS[name], ours, matrix=matrix)
            quantize_with_tool(source, LEVELS[name], theirs, matrix=matrix)
            same = ours.read_bytes() == theirs.read_bytes()
        except AdvisorError as error:
            print(f"{name:10} {error}")
            wrong += not (LEVELS[name].needs_imatrix and matrix is None)
            continue
        wrong += not same
        print(f"{name:10} {ours.stat().st_size:>10,} bytes  {'identical' if same else 'DIFFERENT'}", flush=True)
    return wrong


def compare_answers() -> int:
    """How many sizes and memory figures of catalogue models llama.cpp does not confirm."""
    wrong, sizes, figures = 0, 0, 0
    settings = Settings(4096)
    for entry in catalogue().values():
        if entry.model.architecture not in WRITTEN:
            continue
        try:
            metadata = metadata_of_config(entry.model, entry.config)
            for name in _ASKED:
                sizes += 1
                if (told := ask_size(entry.model, LEVELS[name], metadata)) != (
                    ours := size_level(entry.model, LEVELS[name]).tensor_bytes
                ):
                    wrong += 1
                    print(f"{entry.id} {name}: {ours:,} bytes predicted, the dry run says {told:,}")
            answer = ask_memory(entry.model, LEVELS["Q4_K_M"], settings, metadata)
            (plan,) = LLAMA_CPP.plan(
                PlanRequest(entry.model, Memory((), None), settings, stored=Levels(LEVELS["Q4_K_M"].id))
            )
            for row in compare_with_plan(answer, plan):
                figures += 1
                if not row.agrees:
                    wrong += 1
                    print(f"{entry.id} {row.figure}: {row.predicted_bytes:,} predicted, told {row.told_bytes:,}")
        except AdvisorError as error:
            print(f"{entry.id}: {error}")
    print(f"{sizes} sizes and {figures} memory figures compared")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, help="a llama.cpp or llama-cpp-python source tree")
    parser.add_argument(
        "--levels", nargs="*", default=[name for name, level in LEVELS.items() if not level.native_only]
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        if options.build:
            os.environ["LLAMA_CPP_BIN"] = str(build(options.build, scratch / "build"))
        print(*(f"{must_find(name).path} {must_find(name).version}" for name in TOOLS), sep="\n")
        convert(open_folder(FOLDER), scratch / "tiny.gguf")
        source = open_gguf_source(scratch / "tiny.gguf")
        wrong = compare_answers()
        wrong += compare_files(source, options.levels, None, scratch)
        (scratch / "imatrix.gguf").write_bytes(IMPORTANCE_MATRIX.read_bytes())
        wrong += compare_files(source, options.levels, read_imatrix(scratch / "imatrix.gguf"), scratch)
        make_imatrix(source, CALIBRATION_TEXT, scratch / "made.gguf", chunks=20)
        made = read_imatrix(scratch / "made.gguf")
        print(f"an importance matrix of {made.chunks} chunks for {len(made.weights)} tensors was made")
        wrong += len(made.weights) != 28 or compare_files(source, ["Q4_K_M"], made, scratch)
    print("all identical" if not wrong else f"{wrong} DIFFERENCES")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
