"""A model repository from the Hub: only its weights, JSON and tokenizer; never a program."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from advisor.foundation.errors import InputError
from advisor.foundation.units import gb
from advisor.quantize.errors import RunFailed
from advisor.quantize.gguf_quantize import Progress, Report, silent

_SPARE_BYTES = 64 << 20
_LOOK_EVERY_S = 0.5


def download(
    repository: str, target: Path, most_bytes: int, report: Report = silent, endpoint: str | None = None
) -> Path:
    """Fetch the repository into `target`, going on where it was; raises InputError or RunFailed in one sentence."""
    from huggingface_hub import HfApi, hf_hub_download  # takes a while, and most runs need no Hub
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    try:
        info = HfApi(endpoint=endpoint).model_info(repository, files_metadata=True, timeout=30)
        wanted = [file for file in info.siblings or [] if _is_wanted(file.rfilename)]
        total = sum(file.size or 0 for file in wanted)
        if not any(file.rfilename.endswith(".safetensors") for file in wanted):
            raise InputError("{repository} holds no safetensors weights.", repository=repository)
        if total > most_bytes:
            raise InputError(
                "{repository} has {total:gb}; at most {most_bytes:gb} are allowed.",
                repository=repository,
                total=total,
                most_bytes=most_bytes,
            )
        target.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(target).free + _size(target)
        if free < total + _SPARE_BYTES:
            raise RunFailed(
                "{repository} needs {total:gb} of disk, and {free:gb} are free.",
                repository=repository,
                total=total,
                free=free,
            )
        with _Watch(target, total, report):
            for file in wanted:
                hf_hub_download(repository, file.rfilename, revision=info.sha, local_dir=target, endpoint=endpoint)
    except (RepositoryNotFoundError, GatedRepoError):
        raise InputError("{repository} is not on the Hub, or needs a token.", repository=repository) from None
    except (HfHubHTTPError, OSError) as error:
        reason = getattr(error, "strerror", None) or "the Hub does not answer"
        raise RunFailed(
            "{repository} cannot be downloaded: {reason}; start the run again to go on.",
            repository=repository,
            reason=reason,
        ) from None
    return target


def _is_wanted(name: str) -> bool:
    return "/" not in name and (name.endswith((".safetensors", ".json")) or name == "tokenizer.model")


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


class _Watch:
    """Reports how much of a folder is there while something fills it."""

    def __init__(self, folder: Path, total: int, report: Report):
        self._folder, self._total, self._report = folder, total, report
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_LOOK_EVERY_S):
            try:
                done = min(self._total, _size(self._folder))
            except OSError:  # a file was renamed just now
                continue
            self._report(Progress(done, self._total, f"{gb(done)} of {gb(self._total)}"))
