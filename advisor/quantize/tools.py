"""llama.cpp's own programs, where somebody installed them."""

from __future__ import annotations

import os
import re
import shutil
import site
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from advisor.foundation.environment import real_run_environment
from advisor.quantize.errors import Cancelled, RunFailed, ToolMissing

TOOLS = ("llama-quantize", "llama-imatrix", "llama-fit-params")
_PROBE_S = 20
_VERSION = re.compile(r"version: *(.+)")


@dataclass(frozen=True, slots=True)
class Printed:
    """What a program wrote to its two channels."""

    output: str
    errors: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A program, the environment it needs, and what it says about itself."""

    path: Path
    environment: Mapping[str, str]
    version: str
    help: str

    @property
    def name(self) -> str:
        return self.path.stem


def find_tool(name: str) -> Tool | None:
    """The program of this name in LLAMA_CPP_BIN, on PATH, or beside llama-cpp-python; None where it does not run."""
    for path in _candidates(name):
        try:
            found = path.stat()
        except OSError:
            continue
        if tool := _probed(path, found.st_mtime_ns, found.st_size):
            return tool
    return None


def must_find(name: str, option: str = "") -> Tool:
    """The program, which knows `option`; raises ToolMissing in one sentence."""
    tool = find_tool(name)
    if tool is None:
        raise ToolMissing(
            "{name} was not found: install llama.cpp and set LLAMA_CPP_BIN to the folder it lies in.", name=name
        )
    if option and option not in tool.help:
        raise ToolMissing(
            "{name} ({version}) is too old: it does not know {option}; install a newer llama.cpp.",
            name=name,
            version=tool.version,
            option=option,
        )
    return tool


def find_converter() -> Tool | None:
    """llama.cpp's converter, where LLAMA_CPP_DIR names its source tree."""
    folder = real_run_environment().llama_cpp_tree
    script = folder / "convert_hf_to_gguf.py" if folder else None
    if script is None or not script.is_file():
        return None
    return Tool(script, {**plain_environment(), "TRANSFORMERS_OFFLINE": "1"}, "of the configured source tree", "")


def _candidates(name: str) -> Iterator[Path]:
    if folder := real_run_environment().llama_cpp_programs:
        yield folder / name
    if found := shutil.which(name):
        yield Path(found)
    for packages in {sysconfig.get_path("platlib"), *site.getsitepackages()}:
        yield Path(packages) / "bin" / name


@lru_cache(maxsize=32)
def _probed(path: Path, _modified: int, _size: int) -> Tool | None:
    """What the program says about itself, asked once as long as the file stays the same."""
    environment = plain_environment()
    libraries = path.parent.parent / "lib"
    if path.parent.name == "bin" and libraries.is_dir():  # llama-cpp-python installs programs without a run path
        environment["LD_LIBRARY_PATH"] = str(libraries)
    said = []
    for option in ("--version", "--help"):
        try:
            done = subprocess.run(  # noqa: S603
                [path, option],
                capture_output=True,
                timeout=_PROBE_S,
                env=environment,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        if done.returncode < 0:
            return None
        said.append((done.stdout + done.stderr).decode("utf-8", "replace"))
    version = _VERSION.search(said[0])
    return Tool(path, environment, version[1].strip() if version else "version unknown", said[1])


def plain_environment() -> dict[str, str]:
    """As little as programs need: none of our secrets, no network for libraries that would use one."""
    kept = {key: os.environ[key] for key in ("PATH", "LANG", "TMPDIR", "SYSTEMROOT") if key in os.environ}
    return {
        **kept,
        "GGML_NO_BACKTRACE": "1",  # a failed assertion would start a debugger
        "HF_HUB_OFFLINE": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
    }


def run_briefly(command: list[str | Path], environment: Mapping[str, str], cwd: Path, timeout_s: float) -> Printed:
    """Run a program that takes seconds and return what it printed; raises RunFailed with its last line."""
    name = "llama.cpp" if "-m" in command[1:2] else Path(command[0]).stem
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, timeout=timeout_s, env=dict(environment), cwd=cwd, stdin=subprocess.DEVNULL,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise RunFailed(
            "{name} did not answer within {timeout_s:.0f} seconds.", name=name, timeout_s=timeout_s
        ) from None
    except OSError:
        raise RunFailed("{name} cannot be started.", name=name) from None
    if done.returncode != 0:
        raise RunFailed(
            "{name} failed ({returncode}): {stderr}",
            name=name,
            returncode=ended(done.returncode),
            stderr=last_line(done.stderr or done.stdout),
        )
    return Printed(done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def run_streaming(
    command: list[str | Path],
    environment: Mapping[str, str],
    cwd: Path,
    line: Callable[[str, bool], None],
    stop: Callable[[], bool],
) -> int:
    """Run a program that takes long, in this process's group; its exit code.

    `line` gets what it prints, output and errors alike, and whether the line is complete: progress often is not.
    Raises Cancelled.
    """
    with subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd,
        env=dict(environment), bufsize=0,
    ) as process:  # fmt: skip
        assert process.stdout is not None  # noqa: S101
        left = b""
        try:
            while data := process.stdout.read(65536):
                if stop():
                    raise Cancelled
                *lines, left = re.split(rb"[\r\n]", left + data)
                for raw in lines:
                    if text := raw.decode("utf-8", "replace").strip():
                        line(text, True)
                if left:
                    line(left.decode("utf-8", "replace"), False)
            return process.wait()
        finally:
            if process.poll() is None:
                process.kill()


def last_line(output: bytes) -> str:
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it gives no reason"


def ended(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def python_command(module: str, *arguments: str) -> list[str | Path]:
    """This very Python running one of our modules in a process of its own."""
    return [Path(sys.executable), "-m", module, *arguments]
