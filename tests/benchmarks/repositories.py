"""What safetensors repositories measure beside what a config alone says: `python -m tests.benchmarks.repositories`.

Where headers are read, bytes are those of the tensors that stand there. Here only the model's config is read, and the
level is given; at the end what a `quantization_config` adds. The rules in `advisor/formats/kept_layers.py` were found
by looking at these repositories: this is how well they fit, not how well they carry over, and it names what they miss.
"""

from __future__ import annotations

from statistics import median

from advisor.models.catalogue import catalogue
from advisor.sources.declared_size import declared_size
from tests.support.declared_configs import declared_configs
from tests.support.repositories import Held, held_bytes, held_elements

NEAR = 0.02
SAME = 1e-5  # scales of layers that draft are not counted


def main() -> None:
    elements = list(held_elements())
    equal = [off for _, off in elements if abs(off) <= SAME]
    print(f"headers: {len(equal)} of {len(elements)} repositories have the elements counted, to {SAME:.3%}; others:")
    for row, off in elements:
        if abs(off) > SAME:
            print(f"  {row.repo:58} {row.level:16} {off:+8.2%}")
    held = list(held_bytes())
    near = [one for one in held if abs(one.error) <= NEAR]
    inside = [one for one in held if one.inside]
    print(f"bytes: {len(near)} of {len(held)} within {NEAR:.0%}, median {median(abs(one.error) for one in held):.2%}")
    print(f"       {len(inside)} of {len(held)} in the stated range")
    for one in sorted(held, key=lambda one: -abs(one.error)):
        if abs(one.error) > NEAR / 4:
            where = "" if one.inside else "outside the range"
            print(f"  {one.row.repo:58} {one.row.level:16} {one.error:+8.2%} {where}")
    _told_by_config({one.row.repo: one for one in held})


def _told_by_config(held: dict[str, Held]) -> None:
    """Of repositories whose own config is known, what that tells."""
    print("by the repository's own quantization_config, as far as its layers are known:")
    for repo, config in declared_configs():
        size, row = declared_size(catalogue()[held[repo].row.shape].model, config), held[repo].row
        off = float("nan") if size is None else size.all_bytes / row.value - 1
        print(f"  {repo:58} {row.level:16} {off:+8.2%} instead of {held[repo].error:+.2%}")


if __name__ == "__main__":
    main()
