"""Inputs for the runtime and the file: which engine, what it is told, and how the weights are stored."""

from __future__ import annotations

from advisor.formats.gguf_levels import LEVELS, PUBLISHERS_LEVELS
from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS
from advisor.models.tower import PROJECTOR_TYPES
from advisor.question.configuration import AUTO, BACKENDS, LLAMA_CPP_RELEASES, NEWEST, ROPE_SCALINGS, RUNTIMES, VISIONS
from advisor.runtimes.registry import RUNTIMES as REGISTERED
from advisor.sizing.settings import CACHE_TYPES, NEWEST_RELEASE
from advisor.sources.published_sizes import publishers
from advisor.ui import state
from advisor.ui.parts.fields import choice, number, switch
from advisor.ui.parts.pickers import draft_picker

KEYS = (
    *("runtime", "level", "backend", "kv_type_k", "kv_type_v", "kv_fp8", "flash_attention", "ubatch", "llama_cpp"),
    *("gpu_memory_utilization", "imatrix", "publisher", "mtp", "draft", "draft_level", "draft_accepted_percent"),
    *("rope_scaling", "max_num_batched_tokens", "max_num_seqs", "enforce_eager", "pipeline_parallel"),
    *("data_parallel", "expert_parallel", "mem_fraction_static"),
    *("vision", "projector", "projector_offload", "lora_rank", "loras"),
)
_ENGINE_NAMES = {AUTO: "The best that runs here"} | {str(one.id): one.name for one in REGISTERED}
_BACKEND_NAMES = {AUTO: "The usual one"} | {"cuda": "CUDA", "rocm": "ROCm", "metal": "Metal", "vulkan": "Vulkan"}


def draw() -> None:
    """Draw them."""
    choice(
        "runtime",
        "Engine",
        RUNTIMES,
        names=_ENGINE_NAMES,
        help="Ollama and LM Studio are llama.cpp with their own context and users, which hold where those are empty.",
    )
    choice("level", "Only this level", (*LEVELS, *SAFETENSORS_LEVELS, *PUBLISHERS_LEVELS), placeholder="all levels")
    choice("backend", "Backend", BACKENDS, names=_BACKEND_NAMES | {"sycl": "SYCL", "cpu": "CPU"})
    choice("kv_type_k", "KV cache type, keys", tuple(CACHE_TYPES), help="llama.cpp `-ctk`")
    choice("kv_type_v", "KV cache type, values", tuple(CACHE_TYPES), help="llama.cpp `-ctv`")
    switch("kv_fp8", "KV cache in FP8", help=f"{_readers('kv_fp8')}: `--kv-cache-dtype fp8`")
    switch("flash_attention", "Flash attention", help="llama.cpp `-fa`")
    number("ubatch", "Micro-batch (tokens)", step=128, placeholder="512", help="llama.cpp `-ub`")
    choice(
        "llama_cpp",
        "Release of llama.cpp",
        LLAMA_CPP_RELEASES,
        names={NEWEST: f"{NEWEST_RELEASE}, the newest known"},
        help="Year and month of the release on the machine; they set aside different amounts of compute memory",
    )
    number(
        "gpu_memory_utilization",
        "Share of GPU memory",
        step=0.01,
        help=f"How much of each GPU's memory {_readers('gpu_memory_utilization')} may take",
    )
    choice(
        "rope_scaling",
        "Beyond the trained context",
        ROPE_SCALINGS,
        names={AUTO: "YaRN", "none": "Not stretched", "linear": "Linear", "yarn": "YaRN, told"},
        help="How positions are stretched where the context is longer than what the model was trained for",
    )
    _server()
    choice("publisher", "Whose GGUF files", publishers(), help="Stock: as llama.cpp's own tools make them")
    switch("imatrix", "Importance matrix", help="Sizes of files made with one; some tensors differ")
    switch("mtp", "Multi-token-prediction layers", help="Only some models have them")
    draft_picker(state.value("draft"))
    choice("draft_level", "Level of the draft model", tuple(LEVELS))
    number(
        "draft_accepted_percent",
        "Drafted tokens accepted (%)",
        step=5.0,
        bounds=(0, 100),
        placeholder="not known",
        help="From a run of yours; without it, speeds are shown without the draft model.",
    )
    choice(
        "vision",
        "Images and sound",
        VISIONS,
        names={"off": "Text only", "on": "Images and sound", "video": "Videos too"},
        help="Counts the model's vision part; Ollama, LM Studio and vLLM load it unless they are told not to",
    )
    choice("projector", "Type of the vision part's file", PROJECTOR_TYPES, help="llama.cpp `--mmproj`")
    switch("projector_offload", "Vision part on the GPU", help="Off: llama.cpp `--no-mmproj-offload`")
    number("lora_rank", "Rank of LoRA adapters", step=8, help="0: no adapter is loaded")
    number("loras", "LoRA adapters at once", step=1)


def _server() -> None:
    """What servers are told that share a GPU's memory out themselves."""
    number(
        "max_num_batched_tokens",
        "Tokens of the largest step",
        step=1024,
        placeholder="its own choice",
        help="vLLM `--max-num-batched-tokens`, SGLang `--chunked-prefill-size`",
    )
    number(
        "max_num_seqs",
        "Requests at once",
        step=1,
        placeholder="the users",
        help="vLLM `--max-num-seqs`, SGLang `--max-running-requests`; where more come, they wait",
    )
    switch("enforce_eager", "Without CUDA graphs", help="vLLM `--enforce-eager`, SGLang `--disable-cuda-graph`")
    number("pipeline_parallel", "Pipeline stages", step=1, help="Each holds some of the layers")
    number(
        "data_parallel",
        "Replicas (data parallel)",
        step=1,
        help="Users are shared out to them; of mixtures of experts they share the routed experts",
    )
    switch("expert_parallel", "Experts whole on one GPU", help="vLLM `--enable-expert-parallel`, SGLang `--ep-size`")
    number(
        "mem_fraction_static",
        "SGLang's share of GPU memory",
        step=0.01,
        placeholder="its own choice",
        help="`--mem-fraction-static`: weights and KV cache",
    )


def frontends_own(runtime: str) -> str | None:
    """Whose default holds where context and users are empty: "Ollama's default"; None: the question's own."""
    chosen = next((one for one in REGISTERED if one.id == runtime), None)
    return f"{chosen.name}'s default" if chosen is not None and chosen.frontend is not None else None


def _readers(key: str) -> str:
    """The runtimes that alone read a key of the question."""
    return " and ".join(one.name for one in REGISTERED if key in one.own_keys)
