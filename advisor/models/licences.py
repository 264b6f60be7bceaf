"""What a licence says about commercial use, as far as its name tells. A hint for choosing, not legal advice."""

from __future__ import annotations

from typing import Literal, NamedTuple

from advisor.foundation.message import Message, fact

Use = Literal["allowed", "with conditions", "not allowed", "unknown"]


class CommercialUse(NamedTuple):
    """Whether a model may be used commercially, and what to look at."""

    use: Use
    message: Message

    @property
    def possible(self) -> bool:
        return self.use in ("allowed", "with conditions")


_FREE = ("apache-2.0", "mit", "openmdw-1.1")
_LLAMA = fact("licence_llama")
_CONDITIONS = {
    "apache-2.0 + acceptable use policy": fact("licence_use_policy"),
    "gemma": fact("licence_gemma"),
    "llama2": _LLAMA,
    "llama3": _LLAMA,
    "llama3.1": _LLAMA,
    "llama3.2": _LLAMA,
    "llama3.3": _LLAMA,
    "llama4": _LLAMA,
    "modified-mit": fact("licence_show_name"),
    "bigcode-openrail-m": fact("licence_forbids_uses"),
    "deepseek": fact("licence_forbids_uses"),
    "nvidia-open-model-license": fact("licence_nvidia_guards"),
    "nvidia-nemotron-open-model-license": fact("licence_nvidia"),
    "falcon-llm-license": fact("licence_use_policy"),
    "lfm1.0": fact("licence_revenue"),
    "qwen": fact("licence_qwen"),
}
_FORBIDDEN = ("cc-by-nc-4.0", "exaone", "mrl", "mnpl", "qwen-research")


def commercial_use(licence: str) -> CommercialUse:
    """What the licence with this name allows; a name that is not listed is "unknown", never guessed at."""
    name = licence.strip().lower()
    if name in _FREE:
        return CommercialUse("allowed", fact("licence_allows", licence=licence))
    if name in _CONDITIONS:
        return CommercialUse("with conditions", _CONDITIONS[name])
    if name in _FORBIDDEN:
        return CommercialUse("not allowed", fact("licence_forbids", licence=licence))
    if name and name != "other":
        return CommercialUse("unknown", fact("licence_not_known", licence=licence))
    return CommercialUse("unknown", fact("licence_without_name"))
