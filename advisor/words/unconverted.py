"""Sentences that are not messages yet, or never will be: errors, what data and repositories say, how a bill is counted.

They name keys of the question, as scripts and the command line need them: "give host_price". On a page a key becomes
the label of its input (`labelled`); in a report, which has no inputs, it becomes words or goes away (`without_keys`).
"""

from __future__ import annotations

import re

from advisor.question.question import FIELDS
from advisor.words.language import ENGLISH, language

_KEYS = tuple(sorted(FIELDS, key=len, reverse=True))
_KEY = "|".join(key for key in _KEYS if "_" in key)
_LISTED = re.compile(rf" \((?:{_KEY})(?:(?:, | and )(?:{_KEY}))*\)")
# "...: give host_price." tells a user of the page what to do; a reader of the report cannot.
_ADVICE = re.compile(rf"[:;,] (?:give|set) [^.;:]*?\b(?:{_KEY})\b[^.;:]*(?=[.;:])")
_SETTING = re.compile(rf"; (?:{'|'.join(_KEYS)})=[^;.]*(?=[;.])")
# "region=any", but not what stands in a link.
_SET = re.compile(rf"(?<![?&\w])({'|'.join(_KEYS)})=([^\s&=]+)(?![&=])")
_NAMED = re.compile(rf"\b(?:{_KEY})\b")
_WORDS = {
    "co2_g_per_kwh": "CO2 per kWh",
    "storage_gb": "storage",
    "egress_gb": "traffic",
    "min_quality": "least quality",
    "min_tokens_per_s": "least tokens/s",
    "max_first_token_s": "longest wait for the first token",
    "max_cost_per_month": "most money a month",
    "cpu_moe_layers": "layers with experts on the host",
    "gpu_layers": "layers on the GPU",
    "kv_type_k": "KV cache type (keys)",
    "kv_type_v": "KV cache type (values)",
    "memory_gib": "memory (GiB)",
    "host_memory_gib": "host memory (GiB)",
    "bandwidth_gb_s": "memory bandwidth (GB/s)",
    "draft_accepted_percent": "drafted tokens accepted (%)",
    "host_bandwidth_gb_s": "host memory bandwidth (GB/s)",
    "margin_percent": "safety margin (%)",
    "gpus": "devices",
    "mtp": "multi-token-prediction layers",
    "imatrix": "importance matrix",
    "mmap": "map the file into memory",
}


def key_words(key: str) -> str:
    """A key of the question in words: "admin_hours" is "admin hours"."""
    return _WORDS.get(key, key.replace("_", " "))


def without_keys(sentence: str) -> str:
    """A sentence of the engine without the names of settings."""
    shorter = _SETTING.sub("", _ADVICE.sub("", _LISTED.sub("", sentence)))
    return _NAMED.sub(lambda found: key_words(found[0]), shorter)


def labelled(sentence: str) -> str:
    """A sentence of the engine for the page: "give “The computer around it”", "“Where to rent” = any"."""
    said = _SET.sub(lambda found: f"“{_label(found[1])}” = {found[2]}", sentence)
    return _NAMED.sub(lambda found: f"“{_label(found[0])}”", said)


def _label(key: str) -> str:
    return language(ENGLISH).label(key)
