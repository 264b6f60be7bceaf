"""What the operator allows: everything is off until LLM_FIT_ADVISOR_QUANTIZE=on is set."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from advisor.errors import InputError, one_line
from advisor.store.database import data_folder

ENABLED = "LLM_FIT_ADVISOR_QUANTIZE"
FOLDERS = "LLM_FIT_ADVISOR_QUANTIZE_FOLDERS"  # separated as in PATH
REPOSITORIES = "LLM_FIT_ADVISOR_QUANTIZE_REPOS"  # separated by commas, "owner/*" allowed
OUTPUT = "LLM_FIT_ADVISOR_QUANTIZE_OUTPUT"
MOST_GB = "LLM_FIT_ADVISOR_QUANTIZE_MAX_GB"
QUEUE = "LLM_FIT_ADVISOR_QUEUE"
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_DEFAULT_GB = 40.0


@dataclass(frozen=True, slots=True)
class QuantizeSettings:
    """`folders` are resolved; `most_bytes` bounds the weights of a source; `queue` is "" or an address for huey."""

    enabled: bool
    folders: tuple[Path, ...]
    repositories: tuple[str, ...]
    output: Path
    most_bytes: int
    queue: str
    most_waiting: int = 20
    most_levels: int = 16
    most_kept: int = 200

    def check_enabled(self) -> None:
        if not self.enabled:
            raise InputError(f"Real runs are switched off on this server; the operator can set {ENABLED}=on.")

    def allowed_path(self, text: str) -> Path:
        """A file or folder inside the allowed ones, links followed; raises InputError."""
        try:
            path = Path(text).expanduser().resolve(strict=True)
        except (OSError, RuntimeError, ValueError):
            path = None
        if path is None or not any(path == folder or folder in path.parents for folder in self.folders):
            # One sentence for both, so that nobody can feel out which files there are.
            raise InputError(
                f"'{one_line(Path(text).name)}' is not there or not in a folder that is allowed here ({FOLDERS})."
            )
        return path

    def allowed_repository(self, name: str) -> str:
        """A Hub repository that the operator allows; raises InputError."""
        if not _REPOSITORY.fullmatch(name) or not any(fnmatch.fnmatchcase(name, each) for each in self.repositories):
            raise InputError(f"The repository '{one_line(name, 80)}' is not among those allowed here ({REPOSITORIES}).")
        return name


def read_settings(environment: Mapping[str, str] = os.environ) -> QuantizeSettings:
    """From environment variables; raises InputError for values that make no sense."""
    try:
        most = float(environment.get(MOST_GB) or _DEFAULT_GB)
        if not 0 < most < 1e6:
            raise ValueError
    except ValueError:
        raise InputError(f"{MOST_GB} must be a number of gigabytes, such as 40.") from None
    folders = (Path(part).expanduser().resolve() for part in environment.get(FOLDERS, "").split(os.pathsep) if part)
    repositories = (part.strip() for part in environment.get(REPOSITORIES, "").split(","))
    return QuantizeSettings(
        enabled=environment.get(ENABLED, "").strip().lower() in ("on", "1", "true", "yes"),
        folders=tuple(folders),
        repositories=tuple(part for part in repositories if part),
        output=Path(environment.get(OUTPUT) or data_folder() / "runs"),
        most_bytes=int(most * 1e9),
        queue=environment.get(QUEUE, ""),
    )
