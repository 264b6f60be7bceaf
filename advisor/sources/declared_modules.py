"""Which modules a config says are packed, and how: by its lists of what is left out, of targets, of single layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from advisor.sources.module_patterns import is_understood, matches
from advisor.sources.packing import Declared, Packing
from advisor.sources.quantization_config import compressed_group, declared, section_of

_MOST_PATTERNS = 200  # expressions; names may be many, as some list every module
_LINEAR = "Linear"
_SKIPPED = ("ignore", "exclude_modules", "modules_to_not_convert", "ignored_layers", "llm_int8_skip_modules")
_MLX = "MLX"
_ALONE = "compressed-tensors"  # takes a module that it lists for that one; the others mean what is inside as well


@dataclass(frozen=True)
class DeclaredModules:
    """`listed` modules are packed so, with what is inside; others as the first of `targets` that means them says, or
    else as `usual`, None: not at all. Left in 16 bit are `names_skipped`, with what is inside where `inside`, and what
    the patterns `skipped` mean.
    """

    how: Declared
    usual: Packing | None
    listed: Mapping[str, Packing] = field(default_factory=dict)
    targets: tuple[tuple[str, Packing], ...] = ()
    skipped: tuple[str, ...] = ()
    names_skipped: frozenset[str] = frozenset()
    inside: bool = True

    def packing_of(self, names: Sequence[str]) -> Packing | None:
        """Of a Linear layer, by the names that it may have; None: 16 bit."""
        if any(self._skips(name) for name in names):
            return None
        for name in names:
            for part in _ending_in(name):
                if part in self.listed:
                    return self.listed[part]
        for pattern, packing in self.targets:
            if pattern == _LINEAR or any(matches(pattern, name) for name in names):
                return packing
        return self.usual

    def _skips(self, name: str) -> bool:
        parts = _within(name) if self.inside else (name,)
        return any(part in self.names_skipped for part in parts) or any(matches(one, name) for one in self.skipped)


def _ending_in(name: str) -> Iterable[str]:
    """The module and those that it lies in, the innermost first."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def _within(name: str) -> Iterable[str]:
    """Every run of the parts of a name: `a.b.c` lies in `a.b`, and is a `b.c` and a `b`."""
    parts = name.split(".")
    for first in range(len(parts)):
        for last in range(first + 1, len(parts) + 1):
            yield ".".join(parts[first:last])


def declared_modules(config: Mapping[str, Any]) -> DeclaredModules | None:
    """None where the config says nothing of quantization, or where what it says is not understood."""
    how, section = declared(config), section_of(config)
    if how is None or not how.readable or how.usual.level is None or section is None:
        return None
    skipped = tuple(_skipped(section))
    targets = () if how.by_module else tuple(_targets(section))
    patterns = tuple(one for one in skipped if _is_pattern(one))
    wanted = tuple((pattern, packing) for pattern, packing in targets if _is_pattern(pattern) or pattern == _LINEAR)
    expressions = (*patterns, *(pattern for pattern, _ in wanted))
    if len(expressions) > _MOST_PATTERNS or not all(map(is_understood, expressions)):
        return None
    return DeclaredModules(
        how,
        None if targets or (how.by_module and how.kind != _MLX) else how.usual,
        dict(how.by_module) | {name: packing for name, packing in targets if (name, packing) not in wanted},
        wanted,
        patterns,
        frozenset(skipped),
        inside=how.kind != _ALONE,
    )


def _is_pattern(text: str) -> bool:
    return text.startswith("re:") or "*" in text


def _skipped(section: Mapping[str, Any]) -> Iterable[str]:
    for key in _SKIPPED:
        listed = section.get(key)
        yield from (one for one in listed if isinstance(one, str)) if isinstance(listed, list) else ()
    dynamic = section.get("dynamic")  # GPTQModel's: "-:" and an expression leave modules out
    for rule in dynamic if isinstance(dynamic, Mapping) else ():
        if str(rule).startswith("-:"):
            yield f"re:.*{str(rule)[2:]}" if not str(rule)[2:].startswith("^") else f"re:{str(rule)[3:]}"
    for name, value in section.items():  # MLX's: a module that is no mapping but False
        if value is False and "." in name:
            yield name


def _targets(section: Mapping[str, Any]) -> Iterable[tuple[str, Packing]]:
    groups = section.get("config_groups")
    plain: list[tuple[str, Packing]] = []
    for group in groups.values() if isinstance(groups, Mapping) else ():
        if (packing := compressed_group(section, group)) is None:
            continue
        for target in group.get("targets") or (_LINEAR,):
            found = plain if target == _LINEAR else None
            if found is None:
                yield str(target), packing
            else:
                found.append((_LINEAR, packing))
    yield from plain  # names and expressions go before the class of a module
