"""Reading a model repository on the Hugging Face Hub: metadata, config.json and file headers, never the weights."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from huggingface_hub import HfApi, constants
from huggingface_hub.hf_api import ModelInfo

from advisor.foundation.errors import InputError, printable
from advisor.foundation.message import sentence
from advisor.sources import cache
from advisor.sources.addresses import HubAddress
from advisor.sources.gguf_file import GgufHeader, join_splits
from advisor.sources.gguf_header import read_gguf_header
from advisor.sources.hub_errors import HubUnreachable, hub_errors
from advisor.sources.quantization import recognise
from advisor.sources.raw_parts import piece_of
from advisor.sources.remote import TIMEOUT_S, HubFile
from advisor.sources.repository import (
    GgufFile,
    Repository,
    RepositoryFile,
    group_gguf,
    only_pickled,
    refuse_what_is_no_model,
    weight_files,
)
from advisor.sources.safetensors_header import CheckpointTensor, read_safetensors_header

MAX_CONFIG_BYTES = 4 << 20
_MAX_FILES = 20_000
_MAX_SHARDS = 1000
_AT_A_TIME = 8
_PATIENCE_S = 240.0  # for the headers of all files of a repository
_MAIN = "main"
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_COMMIT_LENGTH = 40


def read_repository(address: HubAddress, endpoint: str | None = None) -> Repository:
    """Everything about a repository that sizing needs; from the disk cache where this commit was read before.

    Raises InputError in one sentence: HubForbidden for a gated repository, HubUnreachable where only the Hub's
    absence is the reason and nothing was kept from before.
    """
    endpoint = endpoint or constants.ENDPOINT
    asked = address.revision or _MAIN
    if _is_commit(asked) and (kept := cache.load(endpoint, address.repository, asked)) is not None:
        return kept
    try:
        info = _info(address, endpoint)
        revision = info.sha or asked
        kept = cache.load(endpoint, address.repository, revision)
        found = kept or _read(info, address.repository, revision, asked, endpoint)
    except HubUnreachable:
        kept = cache.load(endpoint, address.repository, asked)
        if kept is None:
            raise
        return kept
    if kept is None:
        cache.save(endpoint, found)
    return found


@dataclass(frozen=True)
class RemoteGguf:
    """The header of a GGUF file, its parts joined, and the commit it was read from."""

    header: GgufHeader
    revision: str


def read_gguf(
    repository: str, revision: str, file: GgufFile, endpoint: str | None = None, *, public: bool = False
) -> RemoteGguf:
    """The header of a GGUF file in a repository; from the disk cache where this commit was read before.

    `public` says that the repository is known to be so; without it, nothing read with a token is kept.
    """
    if not file.complete:
        raise InputError(
            "{file} is incomplete: parts of it are missing in {repository}; choose another file.",
            file=file.name,
            repository=repository,
        )
    endpoint = endpoint or constants.ENDPOINT
    if _is_commit(revision) and (kept := cache.load_gguf(endpoint, repository, revision, file.name)) is not None:
        return RemoteGguf(kept, revision)
    remotes = [HubFile(HubAddress(repository, revision, path), endpoint) for path in file.paths]
    try:
        headers = _in_parallel(_header_of, remotes)
    except HubUnreachable:
        kept = cache.load_gguf(endpoint, repository, revision, file.name)
        if kept is None:
            raise
        return RemoteGguf(kept, revision)
    header = join_splits(headers) if len(headers) > 1 or headers[0].split_count > 1 else headers[0]
    commit = remotes[0].commit or revision
    if public or not remotes[0].with_token:
        cache.save_gguf(endpoint, repository, {commit, revision}, file.name, header)
    return RemoteGguf(header, commit)


def _header_of(remote: HubFile) -> GgufHeader:
    """The header of one file, held against the file's length; a piece of a file is as short as it should be."""
    header = read_gguf_header(remote.read, remote.name)
    return header if piece_of(remote.name) else header.in_file_of(remote.size)


def _is_commit(revision: str) -> bool:
    return len(revision) == _COMMIT_LENGTH and all(sign in "0123456789abcdef" for sign in revision)


def _info(address: HubAddress, endpoint: str) -> ModelInfo:
    with hub_errors(address.repository, address.revision):
        return HfApi(endpoint=endpoint).model_info(
            address.repository, revision=address.revision, files_metadata=True, timeout=TIMEOUT_S
        )


def _read(info: ModelInfo, repository: str, revision: str, asked: str, endpoint: str) -> Repository:
    files = tuple(RepositoryFile(file.rfilename, file.size) for file in (info.siblings or [])[:_MAX_FILES])
    names = {file.path: file for file in files}
    library = str(info.library_name or "")
    base = ""
    if "adapter_config.json" in names:
        adapter = _json(names["adapter_config.json"], repository, revision, endpoint) or {}
        base = printable(str(adapter.get("base_model_name_or_path", "")))[:120]
    refuse_what_is_no_model(repository, files, library, base)
    config = _json(names["config.json"], repository, revision, endpoint) if "config.json" in names else None
    if config is not None and "quantization_config" not in config:
        config |= _separate_quantization(names, repository, revision, endpoint)
    paths, notices = weight_files(files)
    tensors = _checkpoint(paths, repository, revision, endpoint)
    gguf = group_gguf(files)
    if only_pickled(files):
        notices.append(
            sentence(
                "The weights are there only as .bin files, which are not opened: sizes follow from config.json alone."
            )
        )
    if base:
        notices.append(sentence("There is a LoRA adapter for {base} beside the model; it is not counted.", base=base))
    notices += [
        sentence("{file} is incomplete: parts are missing.", file=file.name) for file in gguf if not file.complete
    ]
    return Repository(
        id=repository,
        revision=revision,
        asked=asked,
        license=_license(info),
        gated=bool(info.gated),
        private=bool(info.private),
        pipeline=str(info.pipeline_tag or ""),
        library=library,
        files=files,
        config=config,
        tensors=tensors,
        gguf=gguf,
        quantization=recognise(config or {}, tensors),
        read_on=datetime.now(UTC).date().isoformat(),
        notices=tuple(notices),
    )


def _license(info: ModelInfo) -> str:
    card = info.card_data
    named = card.get("license_name") or card.get("license") if card is not None else None
    return named if isinstance(named, str) else ", ".join(map(str, named)) if isinstance(named, list) else ""


def _json(file: RepositoryFile, repository: str, revision: str, endpoint: str) -> dict[str, Any] | None:
    remote = HubFile(HubAddress(repository, revision, file.path), endpoint)
    if (file.size or 0) > MAX_CONFIG_BYTES:
        raise InputError(
            "{path} of {repository} is larger than {max_config_bytes} MiB, which no config is.",
            path=file.path,
            repository=repository,
            max_config_bytes=MAX_CONFIG_BYTES >> 20,
        )
    content = remote.read(0, MAX_CONFIG_BYTES)
    try:
        found = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        raise InputError(
            "{path} of {repository} is not valid JSON; tell its publisher, or choose another repository.",
            path=file.path,
            repository=repository,
        ) from None
    return found if isinstance(found, dict) else None


def _separate_quantization(
    names: dict[str, RepositoryFile], repository: str, revision: str, endpoint: str
) -> dict[str, Any]:
    """Older GPTQ and ModelOpt repositories describe their quantization in a file of its own."""
    for name, method in (
        ("quantize_config.json", "gptq"),
        ("quant_config.json", "awq"),
        ("hf_quant_config.json", "modelopt"),
    ):
        if name in names:
            found = _json(names[name], repository, revision, endpoint) or {}
            inner = found.get("quantization")
            return {"quantization_config": {"quant_method": method, **(inner if isinstance(inner, dict) else found)}}
    return {}


def _checkpoint(paths: Sequence[str], repository: str, revision: str, endpoint: str) -> tuple[CheckpointTensor, ...]:
    if len(paths) > _MAX_SHARDS:
        raise InputError(
            "{repository} has {count:,} safetensors files; at most {max_shards:,} are read.",
            repository=repository,
            count=len(paths),
            max_shards=_MAX_SHARDS,
        )

    def header(path: str) -> tuple[CheckpointTensor, ...]:
        return read_safetensors_header(HubFile(HubAddress(repository, revision, path), endpoint).read, path)

    return tuple(tensor for tensors in _in_parallel(header, paths) for tensor in tensors)


def _in_parallel(work: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
    """Results in order; the first error ends it, and so does a Hub that is slow with all of them."""
    if len(items) < 2:
        return [work(item) for item in items]
    until = time.monotonic() + _PATIENCE_S
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            return [future.result(max(until - time.monotonic(), 0)) for future in futures]
        except TimeoutError:
            for future in futures:
                future.cancel()
            raise HubUnreachable(
                "The Hub is too slow to read {count:,} files from; try again later.", count=len(items)
            ) from None
        except BaseException:
            for future in futures:
                future.cancel()
            raise
