"""What a licence says about commercial use, as far as its name tells. A hint for choosing, not legal advice."""

from __future__ import annotations

from typing import Literal, NamedTuple

Use = Literal["allowed", "with conditions", "not allowed", "unknown"]


class CommercialUse(NamedTuple):
    """Whether a model may be used commercially, and what to look at, in one sentence."""

    use: Use
    sentence: str

    @property
    def possible(self) -> bool:
        return self.use in ("allowed", "with conditions")


_FREE = ("apache-2.0", "mit", "openmdw-1.1")
_LLAMA = "Companies with more than 700 million monthly users need Meta's permission, and a use policy applies."
_CONDITIONS = {
    "apache-2.0 + acceptable use policy": "The publisher's acceptable use policy applies.",
    "gemma": "Google's use policy for Gemma applies.",
    "llama2": _LLAMA,
    "llama3": _LLAMA,
    "llama3.1": _LLAMA,
    "llama3.2": _LLAMA,
    "llama3.3": _LLAMA,
    "llama4": _LLAMA,
    "modified-mit": "Products above a size that the licence names must show the model's name.",
    "bigcode-openrail-m": "The licence lists uses that are forbidden.",
    "deepseek": "The licence lists uses that are forbidden.",
    "nvidia-open-model-license": "NVIDIA's terms apply; guard rails must not be removed without a substitute.",
    "nvidia-nemotron-open-model-license": "NVIDIA's terms apply.",
    "falcon-llm-license": "The publisher's acceptable use policy applies.",
    "lfm1.0": "Free below a yearly revenue that the licence names.",
    "qwen": "Products above a number of users that the licence names need Alibaba's permission.",
}
_FORBIDDEN = ("cc-by-nc-4.0", "exaone", "mrl", "mnpl", "qwen-research")


def commercial_use(licence: str) -> CommercialUse:
    """What the licence with this name allows; a name that is not listed is "unknown", never guessed at."""
    name = licence.strip().lower()
    if name in _FREE:
        return CommercialUse("allowed", f"{licence} allows commercial use.")
    if name in _CONDITIONS:
        return CommercialUse("with conditions", _CONDITIONS[name])
    if name in _FORBIDDEN:
        return CommercialUse("not allowed", f"The licence {licence} does not allow commercial use.")
    shown = f"The licence '{licence}'" if name and name != "other" else "The licence"
    return CommercialUse("unknown", f"{shown} is not one whose terms are known here: read it before commercial use.")
