"""What a new language has to translate: `python -m advisor.words.template > messages.po`, and what one that there is
still lacks: `python -m advisor.words.template de`.

Every entry of the English catalogue, its text as a comment, and every `sentence` and error that the code holds itself.
An entry that stays empty is said in English.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from advisor.words.language import ENGLISH, LOCALES

CODE = Path(__file__).parent.parent
_SENTENCE = "sentence"
_OF_REPORTS = frozenset({"told", "to_tell"})
_BASES = frozenset({"AdvisorError", "ImpossibleValue"})


def sentences(folder: Path = CODE) -> tuple[str, ...]:
    """The texts that stand in the code, each once."""
    trees = _trees(folder)
    return _texts(trees, {_SENTENCE, *_errors(trees)})


def of_reports(folder: Path = CODE) -> tuple[str, ...]:
    """The texts of reports, each once; they have the context "report"."""
    return _texts(_trees(folder), _OF_REPORTS)


@cache
def _trees(folder: Path) -> tuple[ast.Module, ...]:
    return tuple(ast.parse(path.read_text("utf-8")) for path in sorted(folder.rglob("*.py")))


def _texts(trees: tuple[ast.Module, ...], makers: Collection[str]) -> tuple[str, ...]:
    texts = (text for tree in trees for text in _first_arguments(tree, makers))
    return tuple(dict.fromkeys(text for text in texts if any(sign.isalpha() for sign in _literal(text))))


def lacking(name: str) -> Catalog:
    """What of it the catalogue of a language has no text for."""
    with (LOCALES / name / "LC_MESSAGES" / "messages.po").open("rb") as file:
        held = {(entry.context, entry.id) for entry in read_po(file) if entry.string}
    found = Catalog()
    for entry in template():
        if entry.id and (entry.context, entry.id) not in held:
            found.add(entry.id, context=entry.context, auto_comments=entry.auto_comments)
    return found


def template() -> Catalog:
    """The catalogue of a new language, before anything is translated."""
    with (LOCALES / ENGLISH / "LC_MESSAGES" / "messages.po").open("rb") as file:
        english = read_po(file)
    found = Catalog()
    for entry in english:
        if entry.id:
            texts = [entry.string] if isinstance(entry.string, str) else entry.string or []
            found.add(entry.id, context=entry.context, auto_comments=[f"English: {text}" for text in texts])
    for text in sentences():
        found.add(text)
    for text in of_reports():
        found.add(text, context="report")
    return found


def _errors(trees: tuple[ast.Module, ...]) -> set[str]:
    """The names of the error classes whose first argument is a sentence."""
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    found: set[str] = set(_BASES)
    while more := {name for name, of in bases.items() if of & found} - found:
        found |= more
    return found


def _first_arguments(tree: ast.Module, makers: Collection[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in makers and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def _literal(text: str) -> str:
    """A text without its figures."""
    kept, depth = [], 0
    for sign in text:
        depth += (sign == "{") - (sign == "}")
        kept.append("" if depth or sign == "}" else sign)
    return "".join(kept)


if __name__ == "__main__":
    write_po(sys.stdout.buffer, lacking(sys.argv[1]) if sys.argv[1:] else template(), width=120)
