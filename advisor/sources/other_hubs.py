"""Links to hubs that are not read here: what they name, as far as the catalogue knows it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit

from advisor.foundation.errors import InputError
from advisor.foundation.message import sentence
from advisor.models.catalogue import Entry
from advisor.models.find import suggest
from advisor.models.names import find_by_name, find_by_ollama_name
from advisor.sources.gguf_model import level_of_name
from advisor.sources.raw_parts import is_gguf_name
from advisor.sources.resolved import ResolvedModel, from_entry

_OLLAMA = ("ollama.com", "ollama.ai", "registry.ollama.ai")
_HOSTS = (
    *_OLLAMA,
    *("modelscope.cn", "modelscope.ai", "kaggle.com", "lmstudio.ai", "openrouter.ai", "replicate.com", "wisemodel.cn"),
    *("gitee.com", "build.nvidia.com", "catalog.ngc.nvidia.com", "civitai.com", "github.com", "aifasthub.com"),
)
_NO_NAMES = ("models", "model", "library", "catalog", "blob", "tree", "resolve", "master", "main")


@dataclass(frozen=True, slots=True)
class OtherHub:
    """A page of another hub; `parts` are those of its path that may name the model."""

    host: str
    parts: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.parts[-1] if self.parts else ""


def other_hub(url: str) -> OtherHub | None:
    """The page that a link leads to; None for other hosts, and for a GGUF file, which is read wherever it lies."""
    try:
        link = urlsplit(url if "://" in url else f"https://{url}")
        host = (link.hostname or "").lower().removeprefix("www.")
    except ValueError:
        return None
    if host not in _HOSTS or (is_gguf_name(link.path) and "://" in url):
        return None
    parts = (unquote(part) for part in link.path.split("/"))
    return OtherHub(host, tuple(part for part in parts if part and part.lower() not in _NO_NAMES))


def entry_of(page: OtherHub) -> tuple[Entry, str | None]:
    """What the catalogue knows of it, and the level that a tag names; raises InputError where it knows nothing."""
    if page.host in _OLLAMA:
        found, level = by_ollama_name(page.name)
    else:
        # The last part that names a model: Kaggle's pages end with framework and version.
        found = next((one for part in reversed(page.parts) if (one := find_by_name(part)) is not None), None)
        level = None
    if found is None:
        where = "/".join(page.parts[:2]) if len(page.parts) > 1 else "org/name"
        raise InputError(
            "Pages of {host} are not read here; give the model's repository on the Hugging Face Hub "
            "(such as {where}), its config.json, or the https link of a GGUF file.",
            suggest(page.name),
            host=page.host,
            where=where[:80],
        )
    return found, level


def from_other_hub(page: OtherHub) -> ResolvedModel:
    """The catalogue's model of that name."""
    entry, level = entry_of(page)
    note = sentence(
        "Pages of {host} are not read here: these are the catalogue's figures for {entry}.",
        host=page.host,
        entry=entry.name,
    )
    return replace(from_entry(entry), notes=(note,), level=level)


def by_ollama_name(name: str) -> tuple[Entry | None, str | None]:
    """The model and the level that a name of Ollama's means: `llama3.3:70b-instruct-q4_K_M`."""
    model, _, tag = name.partition(":")
    level = level_of_name(tag)
    if level:
        at = tag.upper().rindex(level if level in tag.upper() else level.replace("F", "FP", 1))
        tag = tag[:at].rstrip("-_.")
    elif tag.lower().endswith("-qat"):  # Google's, trained for it
        tag, level = tag[: -len("-qat")], "Q4_0"
    return find_by_ollama_name(f"{model}:{tag}" if tag else model), level or None
