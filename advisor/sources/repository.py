"""What a repository on the Hub holds, as read without downloading a weight."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, sentence
from advisor.models.wrappers import text_section
from advisor.sources.gguf_model import level_of_name
from advisor.sources.quantization import Quantization
from advisor.sources.raw_parts import is_gguf_name, piece_of
from advisor.sources.safetensors_header import CheckpointTensor
from advisor.sources.tensor_comparison import part_of

_SPLIT = re.compile(r"^(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$", re.IGNORECASE)
_SHARD = re.compile(r"(?P<stem>.+?)[-_.](?P<number>\d{1,6})-of-(?P<count>\d{1,6})\.safetensors$")
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".msgpack", ".h5", ".onnx")
_NO_WEIGHTS = ("adapter_model.safetensors", "optimizer", "scheduler", "training_args", "tokenizer", "rng_state")


@dataclass(frozen=True, slots=True)
class RepositoryFile:
    """`size` in bytes, None where the Hub does not say."""

    path: str
    size: int | None


@dataclass(frozen=True, slots=True)
class GgufFile:
    """One quantized model in a repository, its split parts joined. `bytes` None where a part's size is not known.

    `level` is told by the name alone until the header is read; `stock` says that it is one of llama.cpp's own
    levels, as far as the name goes: publishers' mixes differ even so.
    """

    name: str
    paths: tuple[str, ...]
    bytes: int | None
    level: str
    projector: bool = False
    complete: bool = True

    @property
    def stock(self) -> bool:
        return self.level in LEVELS


@dataclass(frozen=True)
class Repository:
    """`revision` is the commit that was read, `asked` the branch or tag it was asked for by.

    `tensors` are those of the safetensors files, empty where only other formats are there.
    """

    id: str
    revision: str
    asked: str
    license: str
    gated: bool
    private: bool
    pipeline: str
    library: str
    files: tuple[RepositoryFile, ...]
    config: dict[str, Any] | None
    tensors: tuple[CheckpointTensor, ...]
    gguf: tuple[GgufFile, ...]
    quantization: Quantization | None
    read_on: str
    notices: tuple[Message, ...] = field(default=())

    @cached_property
    def layers(self) -> int:
        config = self.config or {}
        for section in (text_section(config), config):
            if section is not None:
                for key in ("num_hidden_layers", "n_layer", "n_layers", "num_layers"):
                    if isinstance(section.get(key), int):
                        return int(section[key])
        return 0

    @cached_property
    def weight_bytes(self) -> int:
        """Exact bytes of all tensors in the safetensors files."""
        return sum(tensor.bytes for tensor in self.tensors)

    @cached_property
    def bytes_by_part(self) -> dict[str, int]:
        """Bytes of the text model and, where there are any, of its vision, audio and draft ("mtp") parts."""
        counted: Counter[str] = Counter()
        for tensor in self.tensors:
            counted[part_of(tensor.name, self.layers)] += tensor.bytes
        return dict(counted.most_common())

    @cached_property
    def text_tensors(self) -> tuple[CheckpointTensor, ...]:
        return tuple(tensor for tensor in self.tensors if part_of(tensor.name, self.layers) == "text")

    def part_of(self, tensor: CheckpointTensor) -> str:
        """ "text", "vision", "audio" or "mtp"."""
        return part_of(tensor.name, self.layers)

    @property
    def gguf_only(self) -> bool:
        """Whether it holds nothing that other levels are made from."""
        return bool(self.models) and not self.tensors

    @property
    def models(self) -> tuple[GgufFile, ...]:
        """The GGUF files that hold a language model."""
        return tuple(file for file in self.gguf if not file.projector)


def group_gguf(files: Iterable[RepositoryFile]) -> tuple[GgufFile, ...]:
    """GGUF files with split parts joined, largest first; importance matrices are left out."""
    groups: dict[str, list[tuple[int, int, RepositoryFile]]] = {}
    pieces: dict[str, list[tuple[int, RepositoryFile]]] = {}
    for file in files:
        base = file.path.rpartition("/")[2].lower()
        if not is_gguf_name(base) or "imatrix" in base:
            continue
        split = _SPLIT.match(file.path)
        if piece := piece_of(file.path):
            pieces.setdefault(piece[0], []).append((piece[1], file))
        elif split:
            key = f"{split['stem']}-of-{split['count']}"
            groups.setdefault(key, []).append((int(split["number"]), int(split["count"]), file))
        else:
            groups.setdefault(file.path, []).append((1, 1, file))
    found = [_joined(name, dict(numbered)) for name, numbered in pieces.items()]
    for parts in groups.values():
        parts.sort(key=lambda part: part[0])
        paths = tuple(file.path for _, _, file in parts)
        sizes = [file.size for _, _, file in parts]
        name = _SPLIT.sub(r"\g<stem>.gguf", paths[0])
        found.append(
            GgufFile(
                name=name,
                paths=paths,
                bytes=None if None in sizes else sum(size or 0 for size in sizes),
                level=level_of_name(name),
                projector="mmproj" in name.lower(),
                complete=[number for number, _, _ in parts] == list(range(1, parts[0][1] + 1)),
            )
        )
    return tuple(sorted(found, key=lambda file: (-(file.bytes or 0), file.name)))


def _joined(name: str, pieces: Mapping[int, RepositoryFile]) -> GgufFile:
    """A file that was cut into pieces: its header lies in the first."""
    sizes = [piece.size for piece in pieces.values()]
    return GgufFile(
        name=name,
        paths=(pieces[min(pieces)].path,),
        bytes=None if None in sizes else sum(size or 0 for size in sizes),
        level=level_of_name(name),
        complete=1 in pieces,
    )


def weight_files(files: Sequence[RepositoryFile]) -> tuple[list[str], list[Message]]:
    """The safetensors files that together hold the model once, and notices about what was left aside.

    Raises InputError when parts of a sharded model are missing.
    """
    names = [file.path for file in files if file.path.endswith(".safetensors")]
    names = [name for name in names if not name.rpartition("/")[2].startswith(_NO_WEIGHTS)]
    top = [name for name in names if "/" not in name]
    usual = [name for name in top if not name.startswith("consolidated")]
    chosen, notices = usual or top, []
    if usual and len(usual) < len(top):
        notices.append(
            sentence(
                "The same weights are there again in Mistral's own layout (consolidated.safetensors); they count once."
            )
        )
    elif top and not usual:
        notices.append(sentence("The weights are in Mistral's own layout (consolidated.safetensors)."))
    shards = {name: found for name in chosen if (found := _SHARD.fullmatch(name))}
    plain = [name for name in chosen if name not in shards]
    if shards:
        sets = {(found["stem"], int(found["count"])) for found in shards.values()}
        stem, count = min(sets, key=lambda key: (key[0] != "model", key[0]))
        chosen = sorted(name for name, found in shards.items() if (found["stem"], int(found["count"])) == (stem, count))
        if len(chosen) != count:
            raise InputError(
                "The repository is incomplete: {there} of {count} parts of its weights are there; try "
                "another revision.",
                there=len(chosen),
                count=count,
            )
        if len(sets) > 1 or any(name in ("model.safetensors", "pytorch_model.safetensors") for name in plain):
            notices.append(
                sentence("Several copies of the weights are there; {stem}-*.safetensors was read.", stem=stem)
            )
        # What the index adds to the numbered parts, such as a separate draft head, belongs to the model as well.
        chosen += [name for name in plain if name.startswith(("mtp", "model_mtp", "layer"))]
    elif "model.safetensors" in plain:
        if len(plain) > 1:
            notices.append(sentence("Several safetensors files are there; model.safetensors was read."))
        chosen = ["model.safetensors"]
    return chosen, notices


def refuse_what_is_no_model(repository: str, files: Sequence[RepositoryFile], library: str, base: str) -> None:
    """Raise InputError for a repository that holds no language model, with what to try instead."""
    names = {file.path for file in files}
    endings = {name.rpartition("/")[2].lower() for name in names}
    if not names - {".gitattributes", "README.md", "LICENSE", "LICENSE.txt", ".gitignore"}:
        raise InputError(
            "{repository} is empty: it holds no model files; choose another repository.", repository=repository
        )
    if "model_index.json" in names or library in ("diffusers", "diffusion-single-file"):
        raise InputError(
            "{repository} is a diffusion (image or video) model; only language models can be sized here.",
            repository=repository,
        )
    has_weights = any(
        (name.endswith(".safetensors") or is_gguf_name(name)) and not name.startswith("adapter") for name in endings
    )
    if "adapter_config.json" in names and not has_weights:
        if base:
            raise InputError(
                "{repository} is a LoRA adapter, not a whole model; give {base}, the model it was made for.",
                repository=repository,
                base=base,
            )
        raise InputError(
            "{repository} is a LoRA adapter, not a whole model; give the model it was made for.", repository=repository
        )
    if not has_weights and "config.json" not in names:
        if any(name.endswith(_PICKLED) for name in endings):
            raise InputError(
                "{repository} holds weights only in a format that is not read here (.bin and the like), and "
                "no config.json; choose a repository with safetensors or GGUF files.",
                repository=repository,
            )
        raise InputError(
            "{repository} holds no model: neither config.json nor safetensors or GGUF files.", repository=repository
        )


def only_pickled(files: Sequence[RepositoryFile]) -> bool:
    """Whether the weights are there only as PyTorch or similar files."""
    names = [file.path.lower() for file in files]
    return any(name.endswith(_PICKLED) for name in names) and not any(
        name.endswith((".safetensors", ".gguf")) for name in names
    )
