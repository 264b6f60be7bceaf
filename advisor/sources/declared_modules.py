"""Which modules a config says are packed, and how: by its lists of what is left out, of targets, of single layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from advisor.sources.module_patterns import is_understood, matches
from advisor.sources.packing import Declared, Packing
from advisor.sources.packings import number, truthy
from advisor.sources.quantization_config import compressed_group, declared, section_of

_MOST_PATTERNS = 200  # expressions; names may be many, as some list every module
_LINEAR = "Linear"
_SKIPPED = ("ignore", "exclude_modules", "modules_to_not_convert", "ignored_layers", "llm_int8_skip_modules")
_MLX = "MLX"
_LONGEST_VERSION = 4  # digits
_ALONE = "compressed-tensors"  # takes a module that it lists for that one; the others mean what is inside as well
_BITS, _WHOLE_BITS = range(2, 9), 16
# Methods whose lists are read here.
_READ = (
    *("gptq", "marlin", "auto", "intel/auto-round", "inc", "awq", "bitsandbytes", "bnb", "fp8", "fbgemm", "ptpc_fp8"),
    "torchao",
)
_EVERY_LINEAR = (_ALONE, "modelopt")  # these name every Linear layer that they do not pack
_BY_TRANSFORMERS = ("bitsandbytes", "bnb", "torchao")  # which has them pack what is a Linear layer to it
_EXPERTS_TOGETHER = 5  # version of transformers from which on all experts of a layer are one tensor to it
_SEEING = ("vis", "vit", "tower", "projector", "merger")  # in names of modules of a vision part


@dataclass(frozen=True)
class DeclaredModules:
    """`listed` modules are packed so, with what is inside; others as the first of `targets` that means them says, or
    else as `usual`, None: not at all. Left in 16 bit are `names_skipped`, with what is inside where `inside`, and what
    the patterns `skipped` mean. `every_linear` says that gates and the output head are packed too unless they are
    left out by name; others pack what their writers pack. Where `linear_only`, experts that are one tensor stay as they
    are; where `experts_whole`, all routed experts and their gates do; where `vision_too`, the Linear layers of a vision
    part are packed as well.
    """

    how: Declared
    usual: Packing | None
    listed: Mapping[str, Packing] = field(default_factory=dict)
    targets: tuple[tuple[str, Packing], ...] = ()
    skipped: tuple[str, ...] = ()
    names_skipped: frozenset[str] = frozenset()
    inside: bool = True
    every_linear: bool = False
    linear_only: bool = False
    experts_whole: bool = False
    vision_too: bool = False

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
    method = _method(section)
    if how.kind != _MLX and not method.startswith((*_READ, *_EVERY_LINEAR, "mxfp4")):
        return None
    if method == "torchao" and not _all_alike(section):
        return None
    skipped = tuple(_skipped(section))
    others = tuple(_of_other_bits(section, how))
    targets = () if how.by_module else tuple(_targets(section))
    patterns = tuple(one for one in skipped if _is_pattern(one))
    named = {name: packing for name, packing in (*others, *targets) if not _is_pattern(name) and name != _LINEAR}
    wanted = tuple((name, packing) for name, packing in (*others, *targets) if name not in named)
    expressions = (*patterns, *(pattern for pattern, _ in wanted))
    if len(expressions) > _MOST_PATTERNS or not all(map(is_understood, expressions)):
        return None
    return DeclaredModules(
        how,
        None if targets or (how.by_module and how.kind != _MLX) else how.usual,
        dict(how.by_module) | named,
        wanted,
        patterns,
        frozenset(skipped),
        inside=method != _ALONE,
        every_linear=method.startswith(_EVERY_LINEAR),
        linear_only=method.startswith(_BY_TRANSFORMERS),
        experts_whole=method.startswith(_BY_TRANSFORMERS) and _major_version(config) >= _EXPERTS_TOGETHER,
        vision_too=method.startswith((_ALONE, *_BY_TRANSFORMERS)) and not _leaves_vision(skipped),
    )


def _major_version(config: Mapping[str, Any]) -> int:
    """Of the transformers that saved the config, 0 where it does not say."""
    first = str(config.get("transformers_version", "")).partition(".")[0]
    return int(first) if first.isdecimal() and len(first) < _LONGEST_VERSION else 0


def _leaves_vision(skipped: Iterable[str]) -> bool:
    """Whether anything of a vision part is left out: nobody leaves out a piece of it."""
    return any(part in name.lower() for name in skipped for part in _SEEING)


def _method(section: Mapping[str, Any]) -> str:
    method = str(section.get("quant_method", "")).lower()
    if not method and truthy(section, "load_in_4bit", "load_in_8bit"):
        return "bitsandbytes"
    return method or ("modelopt" if "quant_algo" in section else "")


def _all_alike(section: Mapping[str, Any]) -> bool:
    """Whether torchao packs every Linear layer in the same way, and no embeddings."""
    kinds = section.get("quant_type")
    single = not isinstance(kinds, Mapping) or set(kinds) <= {"default"}
    return single and not truthy(section, "include_input_output_embeddings", "untie_embedding_weights")


def _is_pattern(text: str) -> bool:
    return text.startswith("re:") or "*" in text


def _skipped(section: Mapping[str, Any]) -> Iterable[str]:
    for key in _SKIPPED:
        listed = section.get(key)
        yield from (one for one in listed if isinstance(one, str)) if isinstance(listed, list) else ()
    for rule, _ in _rules(section):
        if rule.startswith("-:"):
            yield _expression(rule)
    for name, each in _items(section.get("extra_config")):  # AutoRound's
        if number(each, "bits") == _WHOLE_BITS:
            yield name
    for name, value in section.items():  # MLX's: a module that is no mapping but False
        if value is False and "." in name:
            yield name


def _items(listed: Any) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """The entries of a mapping of mappings."""
    for name, each in listed.items() if isinstance(listed, Mapping) else ():
        if isinstance(each, Mapping):
            yield str(name), each


def _rules(section: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """GPTQModel's: "-:" and an expression leave modules out, "+:" or the bare one pack them otherwise."""
    yield from _items(section.get("dynamic"))


def _expression(rule: str) -> str:
    bare = rule[2:] if rule.startswith(("-:", "+:")) else rule
    return f"re:{bare}"


def _of_other_bits(section: Mapping[str, Any], how: Declared) -> Iterable[tuple[str, Packing]]:
    if how.integer is None:
        return
    for rule, each in _rules(section):
        bits, group = number(each, "bits") or how.usual.bits, number(each, "group_size") or how.usual.group
        if not rule.startswith("-:") and bits in _BITS:
            yield _expression(rule), how.integer(int(bits or 0), group)
    for name, each in _items(section.get("extra_config")):
        bits, group = number(each, "bits"), number(each, "group_size") or how.usual.group
        if bits in _BITS:
            yield name, how.integer(bits or 0, group)


def _targets(section: Mapping[str, Any]) -> Iterable[tuple[str, Packing]]:
    plain: list[tuple[str, Packing]] = []
    for _, group in _items(section.get("config_groups")):
        packing, listed = compressed_group(section, group), group.get("targets")
        if packing is None:
            continue
        for target in listed if isinstance(listed, list) and listed else [_LINEAR]:
            if target == _LINEAR:
                plain.append((_LINEAR, packing))
            else:
                yield str(target), packing
    yield from plain  # names and expressions go before the class of a module
