"""What the operator allows: everything is off until LLM_FIT_ADVISOR_QUANTIZE=on is set."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from advisor.foundation.environment import real_run_environment
from advisor.foundation.errors import InputError, one_line
from advisor.foundation.places import user_data_folder

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


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
            raise InputError(
                "Real runs are switched off on this server; the operator can set LLM_FIT_ADVISOR_QUANTIZE=on."
            )

    def allowed_path(self, text: str) -> Path:
        """A file or folder inside the allowed ones, links followed; raises InputError."""
        try:
            path = Path(text).expanduser().resolve(strict=True)
        except (OSError, RuntimeError, ValueError):
            path = None
        if path is None or not any(path == folder or folder in path.parents for folder in self.folders):
            # One sentence for both, so that nobody can feel out which files there are.
            raise InputError(
                "'{words}' is not there or not in a folder that is allowed here (LLM_FIT_ADVISOR_QUANTIZE_FOLDERS).",
                words=one_line(Path(text).name),
            )
        return path

    def allowed_repository(self, name: str) -> str:
        """A Hub repository that the operator allows; raises InputError."""
        if not _REPOSITORY.fullmatch(name) or not any(fnmatch.fnmatchcase(name, each) for each in self.repositories):
            raise InputError(
                "The repository '{name}' is not among those allowed here (LLM_FIT_ADVISOR_QUANTIZE_REPOS).",
                name=one_line(name, 80),
            )
        return name


def read_settings(given: Mapping[str, str] | None = None) -> QuantizeSettings:
    """From environment variables, those in `given` before the process's own.

    Raises InputError for values that make no sense.
    """
    found = real_run_environment(given)
    return QuantizeSettings(
        enabled=found.enabled,
        folders=found.folders,
        repositories=found.repositories,
        output=found.output or user_data_folder() / "runs",
        most_bytes=int(found.most_gb * 1e9),
        queue=found.queue.get_secret_value(),
    )
