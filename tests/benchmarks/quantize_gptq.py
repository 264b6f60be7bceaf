"""One real llmcompressor run of the tiny model per recipe; by hand, not part of the test suite.

    LLM_FIT_ADVISOR_COMPRESS_PYTHON=compress/bin/python python -m tests.benchmarks.quantize_gptq [LEVEL:MODIFIER ...]

Checks that the predicted tensor bytes are what was written, and that the quality is within 20 % of
data/tinylm/results.csv.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from pathlib import Path

from advisor.foundation.errors import AdvisorError
from advisor.quantize.compress import compress
from advisor.quantize.hf_folder import open_folder
from advisor.quantize.tinylm import CALIBRATION_TEXT, EVALUATION_TEXT, FOLDER, RESULTS

_PUBLISHED = {
    ("W4A16-g128", "gptq"): "gptq_w4a16",
    ("W4A16-g128", "rtn"): "rtn_w4a16",
    ("W4A16-asym-g128", "gptq"): "gptq_w4a16_asym",
    ("W8A16-g128", "rtn"): "rtn_w8a16",
    ("FP8-dynamic", "rtn"): "fp8_dynamic",
    ("FP8-block128", "rtn"): "fp8_block",
    ("W8A8-INT8", "rtn"): "int8_w8a8_rtn",
    ("W4A16-asym-g128", "awq"): "awq_w4a16_asym",
    ("NVFP4A16", "rtn"): "nvfp4a16",
}


def main(chosen: list[str]) -> int:
    with RESULTS.open(encoding="utf-8") as file:
        published = {row["level"]: row for row in csv.DictReader(file) if row["path"] == "compressed-tensors"}
    wrong = 0
    for level, modifier in [tuple(name.split(":")) for name in chosen] or list(_PUBLISHED):
        begin = time.monotonic()
        with tempfile.TemporaryDirectory() as scratch:
            try:
                made = compress(
                    open_folder(FOLDER), level, Path(scratch) / "made", calibration=CALIBRATION_TEXT,
                    evaluation=EVALUATION_TEXT, modifier=modifier, chunks=208,
                )  # fmt: skip
            except AdvisorError as error:
                wrong += 1
                print(f"{level}:{modifier} {error}")
                continue
        row = published[_PUBLISHED[level, modifier]] if (level, modifier) in _PUBLISHED else None
        expected = float(row["kld_mean"]) if row else made.quality.kl_divergence
        exact = made.tensor_bytes == made.predicted_tensor_bytes
        exact &= row is None or made.file_bytes == int(row["bytes"])
        near = abs(made.quality.kl_divergence - expected) <= 0.2 * expected + 5e-6
        wrong += not (exact and near)
        print(
            f"{level}:{modifier} {made.tensor_bytes:,} bytes (predicted {made.predicted_tensor_bytes:,}), "
            f"KLD {made.quality.kl_divergence:.6f} (published {expected:.6f}), "
            f"perplexity {made.quality.perplexity:.4f} (original {made.reference_perplexity:.4f}), "
            f"{time.monotonic() - begin:.0f} s, {made.engine}: {'as expected' if exact and near else 'DIFFERS'}",
            flush=True,
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
