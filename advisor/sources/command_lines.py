"""What people paste around the name of a model: quotes, prompts, and the commands that fetch or run it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

_QUOTES = "\"'`“”‘’«»"
# Commands whose first own argument is the model, after these words.
_FETCHING = (
    *(("ollama", verb) for verb in ("run", "pull", "show", "create", "push")),
    ("vllm", "serve"),
    ("huggingface-cli", "download"),
    ("hf", "download"),
    ("docker", "model", "run"),
    ("docker", "model", "pull"),
    ("lms", "get"),
    ("lms", "load"),
    ("modelscope", "download"),
)
# Programs that take the model behind a flag.
_PROGRAMS = ("llama-", "llamafile", "koboldcpp", "mlx_lm.", "sglang", "python", "vllm", "docker", "lms", "./")
_MODEL_FLAGS = ("-hf", "-hfr", "--hf-repo", "--model", "--model-path", "-m", "--repo-id")
_FILE_FLAGS = ("-hff", "--hf-file", "--include", "--filename")
_REVISION_FLAGS = ("--revision",)
_NO_VALUE = ("-it", "-d", "--verbose", "--quiet", "--insecure", "-y")


@dataclass(frozen=True, slots=True)
class Pasted:
    """The name of a model as it was pasted; `file` is the file of a repository that the command names, or "".

    `ollama` says that it was given to Ollama, whose names differ from everybody else's.
    """

    name: str
    file: str = ""
    ollama: bool = False


def unwrap(text: str) -> Pasted:
    """The name of the model in what was pasted; a text that is no command is itself the name, without its quotes."""
    text = _unquoted(text.removeprefix("$ ").removeprefix("> "))
    if text.startswith("{") or not any(sign.isspace() for sign in text):
        return Pasted(text)
    try:
        words = shlex.split(text.replace("\\\n", " "))
    except ValueError:
        words = text.split()
    while words and (words[0] == "sudo" or re.fullmatch(r"[A-Z_]+=\S*", words[0])):
        words.pop(0)
    return _of_command(words) or Pasted(text)


def _unquoted(text: str) -> str:
    before = None
    while text != before:
        before = text
        text = text.strip().strip(_QUOTES).rstrip(",;").strip()
    return text.rstrip("/")


def _of_command(words: list[str]) -> Pasted | None:
    flags, plain = _arguments(words)
    file = next((flags[flag] for flag in _FILE_FLAGS if flag in flags), "")
    revision = next((f"@{flags[flag]}" for flag in _REVISION_FLAGS if flag in flags), "")
    named = next((flags[flag] for flag in _MODEL_FLAGS if flag in flags), "")
    for start in _FETCHING:
        if tuple(word.lower() for word in words[: len(start)]) == start:
            rest = plain[len(start) :]
            if not named and rest:
                named, rest = rest[0], rest[1:]
            if rest and start[-1] == "download":
                file = file or rest[0]
            break
    else:
        if not words or not (words[0] in flags or words[0].lower().startswith(_PROGRAMS)):
            return None
    return Pasted(_unquoted(named) + revision, file, words[0].lower() == "ollama") if named else None


def _arguments(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """Values by flag, and what is no flag and no flag's value."""
    flags: dict[str, str] = {}
    plain: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if not word.startswith("-") or len(word) < 2:
            plain.append(word)
        elif "=" in word:
            name, _, value = word.partition("=")
            flags.setdefault(name, value)
        elif word not in _NO_VALUE and at < len(words) and not words[at].startswith("-"):
            flags.setdefault(word, words[at])
            at += 1
    return flags, plain
