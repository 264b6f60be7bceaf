"""What is to be run, and one command of the answer."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

from advisor.foundation.errors import InputError, one_line
from advisor.foundation.message import Message
from advisor.runtimes.extension import Extension
from advisor.runtimes.server import ServerOptions
from advisor.sizing.plan import Serving
from advisor.sizing.request import Adapters, Vision
from advisor.sizing.settings import Settings

AS_PUBLISHED = "as-published"  # the level of a checkpoint that is loaded as its repository has it
_LONGEST = 1000
# Keeps "org/name" and "org/name@revision" apart from anything a shell, a Modelfile or Python could take otherwise.
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_LEVEL = re.compile(r"[\w.-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Command:
    """`text` is what to copy; `notes` say what it does not say itself."""

    title: Message
    text: str
    notes: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A plan as the runtime is told it; `settings` hold the placement that was chosen (`-ngl`, `-ncmoe`).

    `hf_repo` is the publisher's repository, `published_repo` one that holds files of this very level, `file` a file
    that is already there or a link to it. `gpus` counts the devices it uses (0: the CPU alone): the first ones, beside
    `idle_gpus` others; `backend` is whose names they have. `layers` is the number of layers, for runtimes that want a
    share of them. `tensor_split` are shares by device, `override_tensors` llama.cpp's `pattern=buffer` pairs.
    `kv_offload` False leaves the KV cache in host memory, `mmap` False reads the file whole. `draft_file` is the GGUF
    of a model that drafts for this one, `draft_repo` its repository. `has_mtp` says that the model has layers that
    could draft, `sees` that it has a vision part, `embeds` that it gives vectors instead of text; `vision` and
    `adapters` say how the vision part, and LoRA adapters, are loaded.
    `wired_limit_mb` is to what a Mac's budget is raised first.
    `experts` says that it is a mixture of experts, `extension` how a context is reached that the model was not trained
    for. `server` is what vLLM and SGLang are told, `serving` what a plan made of it (None: nothing is planned).
    `prefill_step` is how many tokens of a prompt MLX reads at once (None: its own).
    """

    model_name: str
    level: str
    runtime: str
    settings: Settings
    hf_repo: str | None = None
    published_repo: str | None = None
    file: str | None = None
    gpus: int = 1
    idle_gpus: int = 0
    backend: str = "cuda"
    layers: int | None = None
    split_mode: str = "layer"
    tensor_split: tuple[float, ...] | None = None
    override_tensors: tuple[str, ...] = ()
    kv_offload: bool = True
    mmap: bool = True
    imatrix: bool = False
    mtp: bool = False
    draft_file: str | None = None
    draft_repo: str | None = None
    has_mtp: bool = False
    sees: bool = False
    embeds: bool = False
    vision: Vision | None = None
    adapters: Adapters | None = None
    wired_limit_mb: int | None = None
    experts: bool = False
    extension: Extension | None = None
    server: ServerOptions = field(default_factory=ServerOptions)
    serving: Serving | None = None
    prefill_step: int | None = None

    def __post_init__(self) -> None:
        for what, value, form in (
            ("repository", self.hf_repo, _REPOSITORY),
            ("repository", self.published_repo, _REPOSITORY),
            ("level", self.level, _LEVEL),
        ):
            if value is not None and (len(value) > _LONGEST or not form.fullmatch(value) or value.startswith("-")):
                raise InputError("'{value}' is not the name of a {what}.", value=one_line(value), what=what)
        if self.file is not None and not (
            self.file.isprintable() and 0 < len(self.file) <= _LONGEST and self.file[0] != "-"
        ):
            raise InputError("'{file}' is not the name of a file.", file=one_line(self.file))

    @property
    def requests(self) -> int:
        """How many requests at once a server is told of: on each of its replicas."""
        return self.settings.users if self.serving is None else self.serving.requests

    @property
    def tensor_parallel(self) -> int:
        """Over how many GPUs every tensor is split."""
        return self.gpus if self.serving is None else self.serving.together

    @property
    def short_name(self) -> str:
        """The model's name as files are called: no spaces, no signs that mean something to a shell."""
        base = self.hf_repo.split("/")[1] if self.hf_repo else self.model_name.removesuffix(".gguf")
        return re.sub(r"[^A-Za-z0-9._-]+", "-", base[:_LONGEST]).strip("-.") or "model"

    @property
    def gpu_layers(self) -> int | None:
        """Layers on the GPUs; None: all."""
        return 0 if self.gpus == 0 else self.settings.gpu_layers


def command_line(*arguments: object) -> str:
    """Arguments as a POSIX shell takes them, one option a line where one line would be long."""
    quoted = [shlex.quote(str(argument)) for argument in arguments]
    line = " ".join(quoted)
    if len(line) <= 100:
        return line
    lines = [quoted[0]]
    for argument, shown in zip(arguments[1:], quoted[1:], strict=True):
        if re.match(r"--?[A-Za-z]", str(argument)):
            lines.append(shown)
        else:
            lines[-1] += f" {shown}"
    return " \\\n  ".join(lines)
