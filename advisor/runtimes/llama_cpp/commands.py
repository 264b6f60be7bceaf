"""llama.cpp, and what is llama.cpp inside: Ollama and LM Studio.

Flags as in llama.cpp commit 0c1e57098 of October 2026 (common/arg.cpp, tools/server/README.md), Ollama's
docs/modelfile.mdx, docs/faq.mdx and api/types.go, and LM Studio's command line (lmstudio-ai/lms, src/subcommands).
"""

from __future__ import annotations

from advisor.formats.gguf_levels import LEVELS, NATIVE_MIX
from advisor.foundation.errors import InputError, nearest
from advisor.foundation.message import Message, as_it_is, fact, sentence
from advisor.foundation.numbers import bare
from advisor.runtimes.launch import Command, Launch, command_line

# llama.cpp: common_params::n_batch; a micro batch cannot be larger than a batch.
_DEFAULT_BATCH = 2048
_DEFAULT_MICRO_BATCH = 512
_PLAIN = ("F32", "F16", "BF16")
_OLLAMA_CACHE_TYPES = ("f16", "q8_0", "q4_0")
_UNKNOWN_TO_OLLAMA = {
    "experts": fact("experts_on_cpu"),
    "shares": fact("own_split"),
    "cache on host": fact("cache_on_host"),
    "tensors": fact("overridden_tensors"),
    "batch": fact("other_micro_batch"),
    "context": fact("longer_than_trained"),
}
_CALIBRATION = "calibration.txt"
# How a backend calls its devices (ggml-cuda.h, ggml-vulkan.cpp, ggml-sycl.cpp: the names of --list-devices), and which
# variable hides some of them (Ollama's docs/gpu.mdx).
_DEVICES = {"cuda": "CUDA", "rocm": "ROCm", "vulkan": "Vulkan", "sycl": "SYCL"}
_VISIBLE = {"cuda": "CUDA_VISIBLE_DEVICES", "rocm": "ROCR_VISIBLE_DEVICES", "vulkan": "GGML_VK_VISIBLE_DEVICES"}


def llama_cpp_commands(launch: Launch) -> tuple[Command, ...]:
    """The file, then `llama-server`, and for one user of a model that writes `llama-cli`."""
    settings = launch.settings
    options = (*_model(launch), *_placement(launch), *_memory(launch))
    notes = [fact("command_llama_server")]
    if not launch.mmap:
        notes.append(fact("command_no_mmap"))
    if _devices(launch):
        notes.append(fact("command_list_devices"))
    relaxed = "UR_L0_ENABLE_RELAXED_ALLOCATION_LIMITS=1 " if launch.backend == "sycl" else ""
    # Without it the server refuses what an encoder is there for.
    vectors = ("--embeddings",) if launch.embeds else ()
    serve = relaxed + command_line("llama-server", *options, "-np", settings.users, *vectors)
    server = Command(as_it_is("llama-server"), serve, tuple(notes))
    if settings.users > 1 or launch.embeds:
        return (*_file_commands(launch), server)
    return (
        *_file_commands(launch),
        server,
        Command(as_it_is("llama-cli"), relaxed + command_line("llama-cli", *options)),
    )


def ollama_commands(launch: Launch) -> tuple[Command, ...]:
    """The file, a Modelfile where it needs one, and the commands that serve and run it."""
    settings = launch.settings
    name = f"{launch.short_name}-{launch.level}".lower()
    lines = [f"FROM {_ollama_source(launch)}", f"PARAMETER num_ctx {settings.context}"]
    if launch.vision is not None and (launch.published_repo is None or launch.file is not None):
        lines.insert(1, f"FROM ./{_projector_file(launch)}")
    if launch.adapters is not None:
        lines += [f"ADAPTER ./lora-{number + 1}.gguf" for number in range(launch.adapters.count)]
    if launch.gpu_layers is not None:
        lines.append(f"PARAMETER num_gpu {launch.gpu_layers}")
    if (batched := _ollama_batch(launch)) is not None:
        lines.append(f"PARAMETER num_batch {batched}")
    plain = launch.gpu_layers is None and launch.adapters is None and batched is None
    fetched = launch.published_repo is not None and launch.file is None and plain
    environment = [
        *([f"OLLAMA_CONTEXT_LENGTH={settings.context}"] if fetched else []),
        f"OLLAMA_FLASH_ATTENTION={int(settings.flash_attention)}",
        f"OLLAMA_KV_CACHE_TYPE={settings.cache_type_k}",
        f"OLLAMA_NUM_PARALLEL={settings.users}",
    ]
    if launch.idle_gpus and launch.backend in _VISIBLE:
        environment.insert(0, f"{_VISIBLE[launch.backend]}={','.join(map(str, range(launch.gpus)))}")
    serve = " ".join([*environment, "ollama serve"])
    if fetched:
        return (
            Command(fact("command_start_ollama"), serve, _ollama_notes(launch)),
            Command(fact("command_it"), command_line("ollama", "run", _ollama_source(launch))),
        )
    create = command_line("ollama", "create", name, "-f", "Modelfile")
    return (
        *_file_commands(launch),
        Command(fact("command_modelfile"), "\n".join(lines), (fact("command_num_ctx"),)),
        Command(fact("command_start_ollama"), serve, _ollama_notes(launch)),
        Command(fact("command_it"), f"{create} && ollama run {name}"),
    )


def _ollama_batch(launch: Launch) -> int | None:
    """What an encoder's inputs must fit in, where that is not Ollama's own: it is micro-batch and batch at once."""
    batch = launch.settings.micro_batch
    return batch if launch.embeds and batch != _DEFAULT_MICRO_BATCH else None


def lm_studio_commands(launch: Launch) -> tuple[Command, ...]:
    """The file, `lms load`, and what is set in the window only."""
    settings = launch.settings
    if launch.published_repo and launch.file is None:
        link = f"https://huggingface.co/{launch.published_repo}@{launch.level}"
        fetch, key = (
            Command(fact("command_download"), command_line("lms", "get", link)),
            launch.published_repo.split("/")[1],
        )
    else:
        fetch = Command(fact("command_add_file"), command_line("lms", "import", "--copy", _local_file(launch)))
        key = launch.short_name
    identifier = f"{launch.short_name}-{launch.level}".lower()
    load = command_line(
        *("lms", "load", key, "--gpu", _share(launch)),
        *("--context-length", settings.total_context, "--identifier", identifier),
    )
    return (
        *_file_commands(launch),
        fetch,
        Command(fact("command_load"), load, _lm_studio_notes(launch)),
        Command(fact("command_serve"), "lms server start"),
    )


def _model(launch: Launch) -> tuple[object, ...]:
    if launch.file is not None:
        told = ("--mmproj", _projector_file(launch))
        return ("-mu" if _is_link(launch.file) else "-m", launch.file, *_projector(launch, (), told))
    if launch.published_repo is not None:
        # Without it a vision model's projector is loaded as well.
        return ("-hf", f"{launch.published_repo}:{launch.level}", *_projector(launch, ("--no-mmproj",), ()))
    return ("-m", _local_file(launch), *_projector(launch, (), ("--mmproj", _projector_file(launch))))


def _projector(launch: Launch, without: tuple[object, ...], told: tuple[object, ...]) -> tuple[object, ...]:
    """How the vision part is left out, or told and placed."""
    if launch.vision is None:
        return without
    return (*told, "--no-mmproj-offload") if launch.vision.on_host else told


def _projector_file(launch: Launch) -> str:
    kind = "F16" if launch.vision is None else launch.vision.projector
    return f"mmproj-{launch.short_name}-{kind}.gguf"


def _placement(launch: Launch) -> list[object]:
    """Where the layers go. `-fit off`: what was planned is what runs, or fails, instead of being changed quietly."""
    settings, layers = launch.settings, launch.gpu_layers
    options: list[object] = ["-ngl", "all" if layers is None else layers, "-fit", "off"]
    if devices := _devices(launch):
        options += ["-dev", devices]
    if settings.cpu_moe_layers:
        options += ["-ncmoe", settings.cpu_moe_layers]
    if launch.gpus > 1:
        options += ["-sm", launch.split_mode]
        if launch.tensor_split:
            options += ["-ts", ",".join(bare(share) for share in launch.tensor_split)]
    if launch.override_tensors:
        options += ["-ot", ",".join(launch.override_tensors)]
    return options


def _devices(launch: Launch) -> str:
    """The devices by name, where others have to stay idle; llama.cpp takes all that it sees."""
    if not launch.idle_gpus or launch.backend not in _DEVICES:
        return ""
    return ",".join(f"{_DEVICES[launch.backend]}{number}" for number in range(launch.gpus))


def _memory(launch: Launch) -> list[object]:
    """Context, caches and batches."""
    settings = launch.settings
    options: list[object] = [
        "-c",
        settings.total_context,
        "-fa",
        "on" if settings.flash_attention else "off",
    ]
    if launch.extension is not None:
        options += launch.extension.llama_cpp_options()
    if settings.unified:
        options.append("--kv-unified")
    options += ["-ctk", settings.cache_type_k, "-ctv", settings.cache_type_v]
    if settings.micro_batch > _DEFAULT_BATCH:
        options += ["-b", settings.micro_batch]
    options += ["-ub", settings.micro_batch]
    if not launch.kv_offload:
        options.append("--no-kv-offload")
    if not launch.settings.op_offload:
        options.append("--no-op-offload")
    if not launch.mmap:
        options += ["-lm", "none"]
    if launch.adapters is not None:
        for number in range(launch.adapters.count):
            options += ["--lora", f"lora-{number + 1}.gguf"]
    if launch.mtp:
        options += ["--spec-type", "draft-mtp"]
    elif launch.draft_file is not None:
        options += ["--spec-type", "draft-simple", "-md", launch.draft_file, "-ngld", "all" if launch.gpus else 0]
        if devices := _devices(launch):
            options += ["-devd", devices]
    return options


def _file_commands(launch: Launch) -> tuple[Command, ...]:
    """How to make the file with llama.cpp's own tools, where nobody is known to have published it."""
    if launch.file is not None or launch.published_repo is not None:
        return ()
    level = LEVELS.get(launch.level)
    if level is None:
        raise InputError(
            "{level} is no GGUF level; {hint}",
            level=launch.level,
            hint=nearest(launch.level, LEVELS) or sentence("choose a GGUF level."),
        )
    if launch.hf_repo is None:
        return ()
    # The converter writes these itself, and keeps what the publisher stored in MXFP4.
    direct = launch.level.lower() if launch.level in _PLAIN else None
    made = _local_file(launch) if direct else f"{launch.short_name}-BF16.gguf"
    convert = command_line(
        *("python", "convert_hf_to_gguf.py", "--remote", launch.hf_repo),
        *("--outtype", direct or "bf16", "--outfile", made),
        *(("--no-mtp",) if launch.has_mtp and not launch.mtp else ()),
    )
    steps = [Command(fact("command_convert"), convert, (fact("command_in_checkout"),))]
    if launch.vision is not None:
        steps.append(_projector_command(launch, launch.hf_repo))
    if direct:
        return tuple(steps)
    importance: tuple[str, ...] = ()
    if level.needs_imatrix or launch.imatrix:
        importance = ("--imatrix", f"{launch.short_name}-imatrix.gguf")
        measure = command_line("llama-imatrix", "-m", made, "-f", _CALIBRATION, "-o", importance[1])
        steps.append(Command(fact("command_measure"), measure, (fact("command_calibration", file=_CALIBRATION),)))
    mix = NATIVE_MIX if level.native_only else launch.level
    quantize = command_line("llama-quantize", *importance, made, _local_file(launch), mix)
    return (*steps, Command(fact("command_quantize"), quantize))


def _projector_command(launch: Launch, repository: str) -> Command:
    kind = "f16" if launch.vision is None else launch.vision.projector.lower()
    convert = command_line(
        *("python", "convert_hf_to_gguf.py", "--remote", repository, "--mmproj"),
        *("--outtype", kind, "--outfile", _projector_file(launch)),
    )
    return Command(fact("command_convert_projector"), convert)


def _local_file(launch: Launch) -> str:
    return launch.file or f"{launch.short_name}-{launch.level}.gguf"


def _is_link(file: str) -> bool:
    return file.startswith(("http://", "https://"))


def _ollama_source(launch: Launch) -> str:
    if launch.published_repo and launch.file is None:
        return f"hf.co/{launch.published_repo}:{launch.level}"
    file = _local_file(launch)
    return file if file.startswith("/") else f"./{file}"


def unknown_to_ollama(launch: Launch) -> tuple[str, ...]:
    """What of a plan Ollama cannot be told: "cache type", and keys of `_UNKNOWN_TO_OLLAMA`."""
    settings = launch.settings
    caches = settings.cache_type_k == settings.cache_type_v and settings.cache_type_k in _OLLAMA_CACHE_TYPES
    found = (
        ("cache type", not caches),
        ("experts", bool(settings.cpu_moe_layers) and launch.gpus > 0),
        ("shares", (bool(launch.tensor_split) or launch.split_mode != "layer") and launch.gpus > 0),
        ("cache on host", not launch.kv_offload and launch.gpus > 0),
        ("tensors", bool(launch.override_tensors) and launch.gpus > 0),
        ("context", launch.extension is not None),
        ("batch", settings.micro_batch != _DEFAULT_MICRO_BATCH and launch.gpus > 0 and not launch.embeds),
    )
    return tuple(key for key, wanted in found if wanted)


def _ollama_notes(launch: Launch) -> tuple[Message, ...]:
    notes = []
    unknown = unknown_to_ollama(launch)
    if "cache type" in unknown:
        notes.append(fact("ollama_one_cache_type", types=_OLLAMA_CACHE_TYPES))
    if named := tuple(_UNKNOWN_TO_OLLAMA[key] for key in unknown if key in _UNKNOWN_TO_OLLAMA):
        notes.append(fact("ollama_cannot_be_told", what=named))
    if launch.gpu_layers is None:
        notes.append(fact("ollama_decides_layers"))
    return tuple(notes)


def _share(launch: Launch) -> str:
    """LM Studio takes the share of layers on the GPU, "max" or "off"."""
    layers = launch.gpu_layers
    if layers == 0:
        return "off"
    if layers is None or launch.layers is None or layers >= launch.layers:
        return "max"
    # A little less than the share would round down to one layer less.
    return f"{min(1.0, (layers + 0.5) / launch.layers):.3f}"


def _lm_studio_notes(launch: Launch) -> tuple[Message, ...]:
    settings = launch.settings
    # What its dialog calls by name stays as it is there.
    wanted = [
        as_it_is(f"Flash Attention {'on' if settings.flash_attention else 'off'}"),
        fact("set_cache_types", keys=settings.cache_type_k, values=settings.cache_type_v),
        as_it_is(f"Evaluation Batch Size {settings.micro_batch}"),
        as_it_is(f"Max Concurrent Predictions {settings.users}"),
        as_it_is(f"Unified KV Cache {'on' if settings.unified else 'off'}"),
    ]
    if launch.extension is not None and launch.extension.scaling != "none":
        wanted.append(as_it_is(f"RoPE Frequency Scale {bare(round(1 / launch.extension.factor, 4))}"))
    if not launch.kv_offload:
        wanted.append(as_it_is("Offload KV Cache to GPU Memory off"))
    if settings.cpu_moe_layers:
        wanted.append(fact("set_experts_on_cpu", layers=settings.cpu_moe_layers))
    if not launch.mmap:
        wanted.append(as_it_is("Try mmap() off"))
    if launch.draft_file is not None:
        wanted.append(fact("set_drafting", file=launch.draft_file))
    notes = [fact("lm_studio_settings", wanted=tuple(wanted))]
    if launch.idle_gpus:
        notes.append(fact("lm_studio_idle_gpus", n=launch.gpus))
    return tuple(notes)
