"""The files that a plan is run from: who offers them, or what they are made from, and what that takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from advisor.answer.answer import Answer
from advisor.answer.assess import published_row
from advisor.answer.candidate import Candidate
from advisor.answer.launching import is_of_the_file
from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import SizedLevel, size_level
from advisor.formats.level_id import GGUF
from advisor.formats.levels import find_level
from advisor.formats.safetensors_levels import SafetensorsLevel
from advisor.formats.safetensors_sizes import size_safetensors_level
from advisor.models.catalogue import Entry, catalogue
from advisor.quality.own_files import own_level
from advisor.runtimes.launch import Launch
from advisor.sizing.request import Levels
from advisor.sources.addresses import HubAddress, parse_address
from advisor.sources.checkpoint_size import PublishedCheckpoint
from advisor.sources.published_files import address_of, is_gated, is_in_parts, likely_repository, published_file
from advisor.sources.published_sizes import published_sizes_of

LINE_MBIT_PER_S = 100  # what a download's time is stated for
_BITS, _MEGA = 8, 10**6
_BYTES_16_BIT = 2

Origin = Literal["published", "likely", "original", "made", "to find", "yours"]


@dataclass(frozen=True, slots=True)
class Sizes:
    """What files of a level measure, in bytes: made by llama.cpp's own tools, and published by others.

    `low` to `high` holds nine published files of ten.
    """

    level: str
    stock: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Files:
    """`origin` is how they come: "published" at this level, "likely" to be, the publisher's "original" as it is, "made"
    from that, "to find" by the reader, or already "yours".

    `repository` is what is downloaded; `listed_at` and `read_on` say where and when its files were seen. Bytes are None
    where nobody knows them. `split` says that one file lies there in several parts. `gated` is True where terms must be
    accepted first, as far as that is known. `sizes` are those of all files of the level, None where the plan is of one
    certain file.
    """

    origin: Origin
    repository: str | None = None
    listed_at: str = ""
    read_on: str = ""
    download_bytes: int | None = None
    disk_bytes: int | None = None
    split: bool = False
    gated: bool = False
    sizes: Sizes | None = None

    @property
    def download_seconds(self) -> float | None:
        """At `LINE_MBIT_PER_S`."""
        return None if self.download_bytes is None else self.download_bytes * _BITS / (LINE_MBIT_PER_S * _MEGA)

    @property
    def terms(self) -> str | None:
        """Where the terms are accepted."""
        return address_of(self.repository) if self.gated and self.repository is not None else None


def files_of(answer: Answer, shown: Candidate, launch: Launch) -> Files:
    """Where the files of a plan come from, before anything is made of them; see `with_steps`."""
    size = shown.file_bytes
    known = _of_its_repository(answer, shown)
    if known is None and launch.file is not None:
        return Files("yours", download_bytes=0, disk_bytes=size)
    named = published_row(shown.plan) is not None
    known = known or (None if named else _native(answer, shown)) or _listed(answer, shown) or _likely(answer, shown)
    if known is not None:
        return known
    if launch.hf_repo is None:
        return Files("yours", disk_bytes=size)
    whole = original_bytes(answer)
    return Files("original", launch.hf_repo, "", "", whole, whole, gated=_gated(answer, launch.hf_repo))


def sizes_of(answer: Answer, shown: Candidate) -> Sizes | None:
    """What files of the plan's level measure; None where it is of one certain file."""
    plan = shown.plan
    if not isinstance(plan.sized, SizedLevel) or not isinstance(stored := plan.request.stored, Levels):
        return None
    if published_row(plan) is not None:
        return None
    found = published_sizes_of(answer.entry).range_of(answer.model, plan.sized.level, stored.imatrix)
    return Sizes(plan.level, plan.sized.file_bytes, found.low, found.high)


def made_from(files: Files, answer: Answer, shown: Candidate, steps: int) -> Files:
    """The same where `steps` commands make the level from the original: more has to lie on the disk meanwhile.

    llama.cpp's converter reads the original over the line and writes a 16-bit file, unless it writes the level itself;
    the others keep the original.
    """
    size, kept = shown.file_bytes, files.disk_bytes or 0
    if shown.level_id.format == GGUF:
        kept = size_level(answer.model, LEVELS["BF16"]).file_bytes if steps > 1 else 0
    return Files("made", files.repository, "", "", files.download_bytes, kept + size, gated=files.gated)


def original_bytes(answer: Answer) -> int:
    """The publisher's own files: by their headers where they were read, else as published or in 16 bit."""
    repository, entry = answer.entry.repository, _entry(answer)
    if repository is not None and repository.tensors:
        return repository.weight_bytes
    for file in () if entry is None else entry.own_files:
        level = find_level(f"{file.format}:{file.level}")
        if file.kind == "native" and isinstance(level, SafetensorsLevel):
            return size_safetensors_level(answer.model, level).file_bytes
    counted = answer.model.parameters if entry is None else entry.parameters.published or entry.parameters.counted
    return _BYTES_16_BIT * max(counted, answer.model.parameters)


def _of_its_repository(answer: Answer, shown: Candidate) -> Files | None:
    """What the repository holds that was asked about."""
    repository = answer.entry.repository
    if answer.entry.file is not None or repository is None:
        return _of_a_file_there(answer, shown)
    if isinstance(shown.plan.sized, PublishedCheckpoint):
        size = repository.weight_bytes
        return Files(
            "published",
            repository.id,
            address_of(repository.id),
            repository.read_on,
            size,
            size,
            False,
            repository.gated,
        )
    for file in repository.models:
        if shown.level_id == (GGUF, file.level) and file.complete:
            size = file.bytes or shown.file_bytes
            listed = (address_of(repository.id), repository.read_on)
            return Files("published", repository.id, *listed, size, size, len(file.paths) > 1, repository.gated)
    return None


def _of_a_file_there(answer: Answer, shown: Candidate) -> Files | None:
    """The GGUF file on the Hub that was asked about."""
    address = _hub_address(answer)
    if address is None or not is_of_the_file(shown.plan):
        return None
    size = shown.file_bytes
    gated = is_gated(address.repository, answer.entry.license)
    return Files("published", address.repository, address_of(address.repository), "", size, size, False, gated)


def _hub_address(answer: Answer) -> HubAddress | None:
    """The file on the Hub that the answer is about, as it is; None for everything else."""
    file = answer.entry.file
    if file is None or not file.level or answer.question.model.level is not None:
        return None
    address = parse_address(answer.entry.id)
    return address if isinstance(address, HubAddress) and "/" in address.repository else None


def _native(answer: Answer, shown: Candidate) -> Files | None:
    """The publisher's own, where it offers the model in this level; its bytes need not be those of the level."""
    entry = _entry(answer)
    file, row = own_level(entry, shown.level_id), published_file(entry, shown.level_id)
    if file is None or file.kind == "qat":  # one trained for its level is another file
        return None
    if row is not None and row.repo == file.repo:
        return _listed(answer, shown)
    size, gated = shown.file_bytes, _gated(answer, file.repo)
    split = shown.level_id.format == GGUF and is_in_parts(size)
    return Files("published", file.repo, file.source, file.as_of, size, size, split, gated)


def _listed(answer: Answer, shown: Candidate) -> Files | None:
    file = published_row(shown.plan) or published_file(_entry(answer), shown.level_id)
    if file is None:
        return None
    size = file.bytes or shown.file_bytes
    gated = _gated(answer, file.repo)
    return Files("published", file.repo, file.source, file.read, size, size, file.split == "yes", gated)


def _likely(answer: Answer, shown: Candidate) -> Files | None:
    size = shown.file_bytes
    row = likely_repository(_entry(answer), shown.level_id, size)
    if row is None:
        return None
    return Files("likely", row.repo, row.source, row.read, size, size, is_in_parts(size), _gated(answer, row.repo))


def _entry(answer: Answer) -> Entry | None:
    """The model of the catalogue, also where its repository was asked about."""
    found = answer.entry
    if found.entry is not None or found.repository is None:
        return found.entry
    asked = found.repository.id.lower()
    return next((entry for entry in catalogue().values() if entry.hf_repo.lower() == asked), None)


def _gated(answer: Answer, repository: str) -> bool:
    read = answer.entry.repository
    if read is not None and read.id.lower() == repository.lower():
        return read.gated
    return is_gated(repository, answer.entry.license)
