"""The article's own cases, each asked of the engine anew: what is said, what is found, and whether it holds.

Nothing here is an answer: a case is what the article says, in our words and with its figures, and the question that
asks the same. What comes out is computed when it is asked for.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import assert_never

from advisor.answer.case import Case, Worked
from advisor.answer.cases_of_advice import advised
from advisor.answer.cases_of_methods import blind, calibrated, one_file
from advisor.answer.cases_of_money import workstation
from advisor.answer.cases_on_machines import on_machine, surveyed
from advisor.costs.article import LINK
from advisor.foundation.caches import remembered
from advisor.foundation.message import fact
from advisor.foundation.units import KIB, MIB

_WORKED_BYTES, _EACH = 4 * MIB, 64 * KIB
_70B = "model=llama-3.1-70b-instruct"
_8B = "model=llama-3.1-8b-instruct&machine=a100-sxm4-80gb&runtime=vllm"

CASES: tuple[Case, ...] = (
    Case(
        "fp16-two-a100",
        "machine",
        fact("says_fp16", said=140, machines=2),
        f"{_70B}&machine=a100-sxm4-80gb&gpus=2&level=F16",
        also=(f"{_70B}&machine=a100-sxm4-80gb&gpus=2&level=BF16-safetensors&runtime=vllm",),
        said_gb=140,
    ),
    Case(
        "q4-one-a100",
        "machine",
        fact("says_q4_a100", said=40),
        f"{_70B}&machine=a100-sxm4-80gb&level=Q4_K_M",
        said_gb=40,
    ),
    Case(
        "q4-mac-studio",
        "survey",
        fact("says_q4_mac", said=40),
        f"{_70B}&machine=apple-m4-max-40c-64gb&level=Q4_K_M",
        said_gb=40,
        level="Q4_K_M",
        over="Mac Studios",
    ),
    Case(
        "q4-two-24gb",
        "survey",
        fact("says_q4_cards", said=40),
        f"{_70B}&machine=rtx-3090&gpus=2&level=Q4_K_M",
        said_gb=40,
        level="Q4_K_M",
        over="24 GB cards",
    ),
    Case(
        "q2-consumer",
        "survey",
        fact("says_q2", said=20),
        f"{_70B}&machine=rtx-4090&level=Q2_K",
        said_gb=20,
        level="Q2_K",
        over="consumer cards",
    ),
    Case(
        "laptop",
        "survey",
        fact("says_laptop"),
        f"{_70B}&machine=apple-m4-max-40c-128gb",
        over="laptops",
    ),
    Case("blind-test", "blind test", fact("says_blind"), f"{_70B}&machine=a100-sxm4-80gb&level=Q4_K_M"),
    Case("q4-k-m", "advice", fact("says_q4"), "model=qwen3-8b&machine=rtx-4060", level="Q4_K_M"),
    Case("q5-k-m", "advice", fact("says_q5"), "model=qwen3-8b&machine=rtx-4060&goal=quality", level="Q5_K_M"),
    Case("q3-k-m", "advice", fact("says_q3"), "model=qwen3-14b&machine=rtx-4060", level="Q3_K_M"),
    Case("q8-0", "advice", fact("says_q8"), "model=qwen3-8b&machine=rtx-3090&goal=quality", level="Q8_0"),
    Case(
        "gptq",
        "gptq",
        fact("says_gptq"),
        f"{_8B}&level=GPTQ-W4A16-g128",
        source="https://arxiv.org/abs/2210.17323",
    ),
    Case(
        "gguf",
        "gguf",
        fact("says_gguf"),
        f"{_70B}&machine=a100-sxm4-80gb&level=Q4_K_M",
        source="https://github.com/ggml-org/ggml/blob/master/docs/gguf.md",
    ),
    Case(
        "awq",
        "awq",
        fact("says_awq"),
        f"{_8B}&level=AWQ-W4A16-g128",
        source="https://arxiv.org/abs/2306.00978",
    ),
    Case(
        "workstation",
        "workstation",
        fact("says_workstation", price=2000),
        LINK,
        also=(f"{LINK}&users=8&context=2048", f"{LINK.replace('&level=Q4_K_M', '')}&users=8&context=8192"),
    ),
)


def worked(case: Case, today: date | None = None) -> Worked:
    """The case asked of the engine: figures, and whether it holds."""
    return _worked(case, today or datetime.now(UTC).date())


@remembered(_WORKED_BYTES, lambda _: _EACH)
def _worked(case: Case, today: date) -> Worked:
    match case.kind:
        case "machine":
            return on_machine(case, today)
        case "survey":
            return surveyed(case, today)
        case "advice":
            return advised(case, today)
        case "blind test":
            return blind(case, today)
        case "gptq" | "awq":
            return calibrated(case, case.kind, today)
        case "gguf":
            return one_file(case, today)
        case "workstation":
            return workstation(case, today)
        case _:
            assert_never(case.kind)
