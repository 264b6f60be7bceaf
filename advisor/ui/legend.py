"""What charts and tables call the same things: names, signs and numbers that both show."""

from __future__ import annotations

from decimal import Decimal

from advisor.answer.policy import GOOD_BITS, GOOD_PERCENT, GOOD_TOKENS_PER_S, LEAST_BITS, READING_TOKENS_PER_S
from advisor.answer.status import Status
from advisor.costs.staircase import Crossing
from advisor.sizing.plan import Verdict
from advisor.words import to_tell

COMPONENTS = {
    "Weights": "weights_bytes",
    "KV cache": "kv_cache_bytes",
    "Compute buffers": "compute_bytes",
    "Overhead": "overhead_bytes",
}
BESIDE = "Other parts"  # draft model, vision part, adapters: stacked on top of them where there are any
NAMES = {"own": "Own", "rent": "Rent", "api": "API"}
MOST_CROSSINGS = 8  # a load of many machines crosses at each of them: the first ones say what matters
SIGNS: dict[Verdict, str] = {"fits": "✔", "fits with offload": "◐", "tight": "▲", "does not fit": "✖"}
RECOMMENDED = "★"
STATUS_SIGNS: dict[Status, str] = {
    "good": "✔",
    "limited": "◐",
    "slow": "◐",
    "last resort": "▲",
    "does not fit": "✖",
    "not as asked": "✖",
}
STATUS_COLOURS: dict[Status, str] = {
    "good": "green",
    "limited": "orange",
    "slow": "orange",
    "last resort": "red",
    "does not fit": "red",
    "not as asked": "red",
}
STATUS_HELP = (
    f"Good: {GOOD_BITS:.0f} bits or more, {GOOD_PERCENT:.0f} % kept of all tasks together, {GOOD_TOKENS_PER_S:.0f} "
    f"tokens/s for each user. Limited: {LEAST_BITS:.0f} bits, or slower. Slow: under {READING_TOKENS_PER_S:.0f} "
    "tokens/s, slower than people read. Last resort: visibly damaged, or hardly moving."
)


# What computes, by its makers' names.
BACKEND_NAMES = {
    "cuda": "CUDA",
    "rocm": "ROCm",
    "metal": "Metal",
    "vulkan": "Vulkan",
    "sycl": "SYCL",
    "cpu": "the CPU",
    "mlx": "MLX",
    "vllm": "vLLM",
}
# What a figure of quality rests on; the names are the engine's.
BASIS_SIGNS = {"measured": "●", "transferred": "◐", "estimated": "○"}
BASIS_WORDS = {
    "measured": to_tell("measured"),
    "transferred": to_tell("carried over"),
    "estimated": to_tell("estimated"),
}


def crossing_words(crossing: Crossing) -> str:
    """ "Own beats API"."""
    return f"{NAMES[crossing.cheaper]} beats {NAMES[crossing.dearer]}"


def number(value: Decimal) -> str:
    """A number of any size with at most six digits and no noise: "0.0977", "1,500"."""
    digits = max(0, 6 - max(1, value.adjusted() + 1)) if value else 0
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
