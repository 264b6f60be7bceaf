"""A model folder's tokenizer as GGUF metadata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
from gguf.constants import TokenType

from advisor.foundation.errors import InputError
from advisor.quantize.errors import ToolMissing
from advisor.quantize.hf_folder import read_json
from advisor.quantize.native import INSTALL

# How text is split before byte-pair encoding: the pattern in tokenizer.json, and llama.cpp's name for it
# (src/llama-vocab.cpp quotes the patterns).
_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_CASED = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|"
)
_PRE_TOKENIZERS = {
    _WORDS + r"\p{N}{1,3}" + _REST: "llama-bpe",
    _WORDS + r"\p{N}" + _REST: "qwen2",
    _CASED + r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+": "tekken",
}


def add_vocabulary(writer: gguf.GGUFWriter, folder: Path, size: int) -> None:
    """Add `size` tokens and their special numbers; raises InputError for a tokenizer that is not known here."""
    if (folder / "tokenizer.model").is_file():
        _add_sentencepiece(writer, folder, size)
        merges = False
    elif (folder / "tokenizer.json").is_file():
        found = read_json(folder, "tokenizer.json")
        model = found.get("model")
        merges = not isinstance(model, dict) or model.get("type", "BPE") == "BPE"
        add = _add_byte_pairs if merges else _add_word_pieces
        add(writer, folder, size, found)
    else:
        raise InputError("{folder} holds neither tokenizer.model nor tokenizer.json.", folder=folder.name)
    try:
        gguf.SpecialVocab(folder, load_merges=merges, n_vocab=size).add_to_gguf(writer, quiet=True)
    except (KeyError, TypeError, ValueError, OSError, AttributeError):
        raise InputError("The tokenizer files of {folder} have an unexpected form.", folder=folder.name) from None
    prefix = read_json(folder, "tokenizer_config.json").get("add_prefix_space")
    if isinstance(prefix, bool):
        writer.add_add_space_prefix(prefix)


def _add_sentencepiece(writer: gguf.GGUFWriter, folder: Path, size: int) -> None:
    try:
        from sentencepiece import SentencePieceProcessor
    except ImportError:
        raise ToolMissing(
            "Reading tokenizer.model needs the package sentencepiece: {install}", install=INSTALL
        ) from None
    pieces = SentencePieceProcessor()
    try:
        pieces.Load(str(folder / "tokenizer.model"))
    except (OSError, RuntimeError):
        raise InputError("tokenizer.model in {folder} cannot be read.", folder=folder.name) from None
    words = [f"[PAD{number}]" for number in range(size)]
    scores, kinds = [-10000.0] * size, [int(TokenType.UNUSED)] * size
    for number in range(min(pieces.GetPieceSize(), size)):
        words[number], scores[number] = pieces.IdToPiece(number), pieces.GetScore(number)
        kinds[number] = int(_piece_kind(pieces, number))
    for word, number in read_json(folder, "added_tokens.json").items():
        if isinstance(number, int) and 0 <= number < size:
            words[number], scores[number], kinds[number] = word, -1000.0, int(TokenType.USER_DEFINED)
    added = read_json(folder, "tokenizer_config.json").get("added_tokens_decoder", {})
    for key, token in added.items() if isinstance(added, dict) else ():
        if str(key).isdigit() and int(key) < size and isinstance(token, dict) and token.get("content"):
            number = int(key)
            if words[number] != token["content"]:
                words[number], scores[number] = str(token["content"]), -1000.0
                kinds[number] = int(TokenType.CONTROL if token.get("special") else TokenType.USER_DEFINED)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(words)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)


def _piece_kind(pieces: Any, number: int) -> TokenType:
    for test, kind in (
        (pieces.IsUnknown, TokenType.UNKNOWN),
        (pieces.IsControl, TokenType.CONTROL),
        (pieces.IsUnused, TokenType.UNUSED),
        (pieces.IsByte, TokenType.BYTE),
    ):
        if test(number):
            return kind
    return TokenType.NORMAL


def _add_byte_pairs(writer: gguf.GGUFWriter, folder: Path, size: int, found: dict[str, Any]) -> None:
    words, kinds = _words(folder, size, found)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_pre_tokenizer(folder, found.get("pre_tokenizer")))
    writer.add_token_list(words)
    writer.add_token_types(kinds)


def _words(folder: Path, size: int, found: dict[str, Any]) -> tuple[list[str], list[int]]:
    """Every token of a tokenizer.json as it is written there, and its kind."""
    model = found.get("model")
    known = isinstance(model, dict) and model.get("type", "BPE") in ("BPE", "WordPiece")
    if not isinstance(model, dict) or not known or not isinstance(model.get("vocab"), dict):
        raise InputError(
            "The tokenizer of {folder} is neither byte-pair nor word-piece; give a GGUF file of the model.",
            folder=folder.name,
        )
    words = [f"[PAD{number}]" for number in range(size)]
    kinds = [int(TokenType.UNUSED)] * size
    for word, number in model["vocab"].items():
        if not isinstance(number, int) or not 0 <= number < size:
            raise InputError(
                "The tokenizer of {folder} has more tokens than the model's {size:,}.", folder=folder.name, size=size
            )
        words[number], kinds[number] = word, int(TokenType.NORMAL)
    for token in found.get("added_tokens") or ():
        if 0 <= int(token["id"]) < size:
            words[token["id"]] = token["content"]
            kinds[token["id"]] = int(TokenType.CONTROL if token.get("special") else TokenType.USER_DEFINED)
    return words, kinds


def _add_word_pieces(writer: gguf.GGUFWriter, folder: Path, size: int, found: dict[str, Any]) -> None:
    """BERT's: what begins a word gets a mark in front, what goes on in one loses its hashes (conversion/bert.py)."""
    words, kinds = _words(folder, size, found)
    for number, kind in enumerate(kinds):
        if kind == int(TokenType.NORMAL):
            words[number] = words[number][2:] if words[number].startswith("##") else f"\u2581{words[number]}"
    normalizer = found.get("normalizer")
    if isinstance(normalizer, dict) and isinstance(normalizer.get("lowercase"), bool):
        writer.add_bool("tokenizer.ggml.normalizer.lowercase", normalizer["lowercase"])
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(words)
    writer.add_token_types(kinds)


def _pre_tokenizer(folder: Path, found: Any) -> str:
    steps = found.get("pretokenizers", [found]) if isinstance(found, dict) else []
    patterns = [
        step["pattern"].get("Regex") for step in steps if isinstance(step, dict) and step.get("type") == "Split"
    ]
    for pattern in patterns:
        if pattern in _PRE_TOKENIZERS:
            return _PRE_TOKENIZERS[pattern]
    raise InputError(
        "How the tokenizer of {folder} splits text is not known here; give a GGUF file of the model, "
        "or set LLAMA_CPP_DIR to a llama.cpp source tree whose converter knows it.",
        folder=folder.name,
    )
