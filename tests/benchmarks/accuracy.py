"""How close the engine comes to what llama.cpp reports: `python -m tests.benchmarks.accuracy`."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import size_level
from advisor.foundation.units import MIB
from advisor.models.catalogue import catalogue
from advisor.runtimes.llama_cpp.compute.buffer import compute_buffer_bytes
from advisor.runtimes.llama_cpp.kv_cache import layer_cache_bytes
from advisor.runtimes.llama_cpp.weights import weight_bytes
from tests.support.reference import MEMORY_FILES, SIZE_FILES, memory_rows, size_rows


def sizes(file: str) -> None:
    rows = size_rows(file)
    exact = 0
    worst = 0
    for row in rows:
        sized = size_level(catalogue()[row["model_id"]].model, LEVELS[row["level"]], row["imatrix"] == "yes")
        error = abs(sized.tensor_bytes - int(row["tensor_bytes"]))
        exact += error == 0 and sized.data_bytes == int(row["data_section_bytes"])
        worst = max(worst, error)
    models, levels = {row["model_id"] for row in rows}, {row["level"] for row in rows}
    print(f"{file}: {len(models)} models, {len(levels)} levels, {exact} of {len(rows)} rows exact, worst {worst} bytes")


def memory(file: str) -> None:
    exact: Counter[str] = Counter()
    rows, errors, per_architecture = 0, [], defaultdict(list)
    for row in memory_rows(file):
        rows += 1
        model, placement = row.model, row.placement
        weights = weight_bytes(model, LEVELS[row.level], placement)[row.device]
        layers = zip(layer_cache_bytes(model, row.settings), placement.layers, strict=True)
        cache = sum(size for size, device in layers if device == row.device)
        compute = compute_buffer_bytes(model, row.settings, placement)[row.device] // MIB
        exact["model"] += weights // MIB == row.model_mib
        exact["context"] += cache // MIB == row.context_mib
        exact["compute"] += compute == row.compute_mib
        if row.compute_mib:
            errors.append((compute - row.compute_mib, compute / row.compute_mib - 1, row))
            per_architecture[model.architecture].append(compute / row.compute_mib - 1)
    print(f"{file}: {rows} rows; equal to the MiB: {dict(exact)}")
    shares = [abs(share) for _, share, _ in errors]
    high = max(errors, key=lambda error: error[1] if error[0] > 32 else 0)
    low = min(errors, key=lambda error: error[1])
    close = sum(share <= 0.03 for share in shares) / len(shares)
    print(f"  compute: median error {statistics.median(shares):.2%}, {close:.1%} within 3 %")
    for name, (mib, share, row) in (("most too high", high), ("most too low", low)):
        print(
            f"  {name}: {share:+.1%} ({mib:+d} MiB) {row.model_id}, device {row.device} of {row.gpus}, {row.settings}"
        )
    print(f"  more than 5 % too low: {sum(share < -0.05 and mib < -1 for mib, share, _ in errors)} rows")
    print(f"  above 15 % and 32 MiB: {sum(abs(share) > 0.15 and abs(mib) > 32 for mib, share, _ in errors)} rows")
    weak = sorted(per_architecture.items(), key=lambda item: min(item[1]))[:6]
    print("  lowest by architecture:", ", ".join(f"{name} {min(found):+.1%}" for name, found in weak))


if __name__ == "__main__":
    for size_file in SIZE_FILES:
        sizes(size_file)
    for memory_file in MEMORY_FILES:
        memory(memory_file)
