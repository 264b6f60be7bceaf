"""What hosts call models in their APIs, without the hosts' own additions: `us.meta.llama3-3-70b-instruct-v1:0` is
`llama-3.3-70b-instruct`, as is `accounts/fireworks/models/llama-v3p3-70b-instruct`.

Rules, held against every name in `data/prices/api.csv` by a test. A name in which nothing of a host is found stays as
it is.
"""

from __future__ import annotations

import re

_LONGEST = 200
# What routers put before the name that a host has for a model, and which of it no owner on the Hub is called.
_NO_OWNER = (
    r"(?:bedrock|bedrock_converse|openrouter|ollama|ollama_chat|lm_studio|hosted_vllm|together_ai|fireworks_ai"
    r"|vertex_ai|azure_ai|nvidia_nim)/"
)
_ROUTERS = re.compile(
    rf"^{_NO_OWNER}|^groq/(?!.*groq)"
    r"|^(?:deepinfra|groq|cloudflare|sambanova|cerebras|databricks|replicate|azure|watsonx|novita|nebius|huggingface)/"
    r"(?=[^/]+/)"
)
_FOLDERS = re.compile(r"^(?:accounts/[\w.\-]+/models/|@cf/|@hf/|publishers/[\w.\-]+/models/|models/)")
_REGION = re.compile(r"^(?:us-gov|us|eu|apac|ap|jp|au|ca|global)\.(?=[a-z]+\.)")
_VENDOR = re.compile(r"^(?:meta|mistral|openai|qwen|google|nvidia|moonshotai|moonshot|minimax|zai|cohere)\.(?=[a-z])")
_DEEPSEEK = re.compile(r"^deepseek\.(?=[a-z])")
_OWN = re.compile(r"^databricks-(?!dbrx)|^(?:FW|fw)-(?=[A-Z])|^zai-(?=glm)")
_MISTRALS_VERSION = re.compile(r"-v0:(\d)$")
_BEDROCK_VERSION = re.compile(r"(?:-v[1-9]\d*|-\d+)?:\d+$")
# Ways in which a router serves a model, behind its name.
VARIANTS = ("free", "nitro", "floor", "online", "extended", "exacto", "beta")
_VARIANT = re.compile(rf":(?:{'|'.join(VARIANTS)})$|@(?:\d{{3}}|default|latest)$")
# How a host runs it; the model is the same.
_WAY = re.compile(
    r"(?:-(?:turbo|maas|versatile|instant|specdec|fast|preview|free|tput|ultra|fp8|bf16|int8))+$", re.IGNORECASE
)
_POINT = re.compile(r"(?<=\d)p(?=\d)")
_V = re.compile(r"(?<=llama-)v(?=\d)")
_RUN_TOGETHER = re.compile(r"(?<=qwen)(\d)(\d)(?=-)")
# A version written with a hyphen: what follows is no number of parameters.
_HYPHEN = re.compile(r"(?<![\d.])(\d)[-_](\d)(?![\d.]|[bmtekx](?![a-z]))")


def is_routed(name: str) -> bool:
    """Whether a name begins with a router's, so that it is none of a repository on the Hub."""
    return re.match(_NO_OWNER, name.strip()) is not None


def without_host(name: str) -> str:
    """The name of a model without what a host adds to it; the same text where nothing of a host is found."""
    text = name.strip()[:_LONGEST]
    text = _VARIANT.sub("", _FOLDERS.sub("", _ROUTERS.sub("", text)))
    bare = _DEEPSEEK.sub("deepseek-", _VENDOR.sub("", _REGION.sub("", text)))
    if bare != text and "/" not in bare:
        text = _BEDROCK_VERSION.sub("", _MISTRALS_VERSION.sub(r"-v0.\1", bare))
    return _RUN_TOGETHER.sub(r"\1.\2", _V.sub("", _POINT.sub(".", _OWN.sub("", text))))


def with_point(name: str) -> str:
    """A name with its version's hyphen as a point: `llama-3-3-70b` is llama-3.3-70b."""
    return _HYPHEN.sub(r"\1.\2", name)


def spellings(name: str) -> tuple[str, ...]:
    """How else a name of a host's may be written, the likeliest first: with a point in its version, without a way of
    running it, without an owner.
    """
    bare = without_host(name).rpartition("/")[2]
    tried = [with_point(bare), bare]
    tried += [_WAY.sub("", text) for text in tried]
    return tuple(text for text in dict.fromkeys(tried) if text and text != name)
