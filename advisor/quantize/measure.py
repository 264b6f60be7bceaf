"""What a quantized file really costs in quality, measured by running it.

Perplexity, KL divergence and agreement of the first choice follow llama.cpp's llama-perplexity: the text is cut into
chunks of one context, each is read on its own, and the second half of each is scored. The reference's logits are kept
in a file, so that each level is run once and only one model is in memory at a time.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from advisor.foundation.errors import InputError
from advisor.foundation.ranges import Range
from advisor.quantize.errors import Cancelled, RunFailed
from advisor.quantize.gguf_quantize import Progress, Report, Stop, never, silent, worker_threads
from advisor.quantize.gguf_writing import write_atomically
from advisor.quantize.memory_growth import MeasuredMemory
from advisor.quantize.native import engine_name
from advisor.quantize.network import Network
from advisor.quantize.speed import Speed
from advisor.sources.gguf_header import read_gguf_header
from advisor.sources.reading import read_from_path

Scores = npt.NDArray[np.float32]

MAX_TEXT_BYTES = 64 << 20
MAX_REFERENCE_BYTES = 2 << 30  # about 16 chunks of 512 tokens with a vocabulary of 128,000
_DEFAULT_CONTEXT = 512


@dataclass(frozen=True, slots=True)
class Quality:
    """Against the reference's logits; errors are standard errors of the mean.

    `kl_divergence` is in nats per token, `same_top` the fraction of tokens with the same first choice, `tokens` how
    many were scored. `increase_error` is that of ln(perplexity / reference's): both read the same tokens, so it is far
    smaller than the perplexities' own. None in what older versions measured.
    """

    perplexity: float
    perplexity_error: float
    kl_divergence: float
    kl_error: float
    same_top: float
    tokens: int
    increase_error: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """One level as measured here. `engine` names what computed the logits: figures of two engines do not compare.

    `memory` is None where it was not measured, or by an older version that counted the process with it; `text` names
    the text and its fingerprint.
    """

    level: str
    imatrix: bool
    file_bytes: int
    tensor_bytes: int
    quality: Quality
    speed: Speed
    memory: MeasuredMemory | None
    engine: str
    context: int
    text: str


@dataclass(frozen=True, slots=True)
class Reference:
    """Where the logits of the unquantized file lie: float32, shape (chunks, scored, vocabulary)."""

    path: Path
    text: str
    context: int
    chunks: int
    vocabulary: int
    perplexity: float
    engine: str

    @property
    def scored(self) -> int:
        return scored_per_chunk(self.context)

    def logits(self) -> Scores:
        shape = (self.chunks, self.scored, self.vocabulary)
        try:
            return np.memmap(self.path, np.float32, "r", shape=shape)
        except (OSError, ValueError):
            raise RunFailed("The reference's logits are gone; start the run again.") from None


def measured_of(result: Mapping[str, Any]) -> Measured:
    """A level's result as kept in the row; raises RunFailed where it was not measured."""
    try:
        speed = result["speed"]
        return Measured(
            level=result["level"], imatrix=result["imatrix"], file_bytes=result["file_bytes"],
            tensor_bytes=result["tensor_bytes"], quality=Quality(**result["quality"]),
            speed=Speed(**{**speed, **{name: Range(**speed[name]) for name in ("prefill_per_s", "decode_per_s")}}),
            memory=MeasuredMemory(**result["memory"]) if "memory" in result else None,
            engine=result["engine"], context=result["context"], text=result["text"],
        )  # fmt: skip
    except KeyError:
        raise RunFailed("This level was made but not measured.") from None


def scored_per_chunk(context: int) -> int:
    """Tokens whose successor is predicted within the second half of a chunk."""
    return context - 1 - context // 2


def reference_bytes(context: int | None, vocabulary: int, chunks: int) -> int:
    """The most disk that the reference's logits take."""
    each = scored_per_chunk(min(context or _DEFAULT_CONTEXT, _DEFAULT_CONTEXT)) * vocabulary * 4
    return each * min(chunks, max(2, MAX_REFERENCE_BYTES // each))


def read_text(path: Path) -> str:
    """The evaluation text; raises InputError where it is none."""
    try:
        if path.stat().st_size > MAX_TEXT_BYTES:
            raise InputError(
                "{path} is larger than {max_text_bytes} MiB; give a shorter text.",
                path=path.name,
                max_text_bytes=MAX_TEXT_BYTES >> 20,
            )
        text = path.read_bytes().decode("utf-8")
    except OSError:
        raise InputError("{path} cannot be read.", path=path.name) from None
    except UnicodeDecodeError:
        raise InputError("{path} is no text in UTF-8; save it as such.", path=path.name) from None
    if not text.strip() or "\0" in text:
        raise InputError("{path} holds no text.", path=path.name)
    return text


def make_reference(
    model: Path,
    text_file: Path,
    target: Path,
    *,
    chunks: int | None = None,
    context: int | None = None,
    threads: int | None = None,
    report: Report = silent,
    stop: Stop = never,
) -> Reference:
    """Run the unquantized file over the text and keep its logits at `target`.

    `context` is at most what the model was trained for; `chunks` at most what the text and 2 GiB hold.
    """
    text = read_text(text_file)
    header = read_gguf_header(read_from_path(model), model.name)
    trained = header.number(f"{header.architecture}.context_length") or _DEFAULT_CONTEXT
    size = min(context or _DEFAULT_CONTEXT, trained)  # beyond what it was trained for, a model predicts nothing
    with Network(model, size, threads or worker_threads(), gpu_layers=0) as network:
        tokens = network.tokens(text)
        each = scored_per_chunk(size) * network.vocabulary * 4
        count = min(len(tokens) // size, max(2, MAX_REFERENCE_BYTES // each), chunks or len(tokens))
        if count < 2:
            raise InputError(
                "{text_file} holds {count:,} tokens; at least {size:,} are needed, two contexts.",
                text_file=text_file.name,
                count=len(tokens),
                size=2 * size,
            )
        part = target.with_name(target.name + ".part")
        losses = []
        try:
            with part.open("wb") as file:
                for chunk, logits in _run(network, tokens, size, count, report, stop):
                    logits.tofile(file)
                    losses.append(_losses(logits, chunk))
            part.replace(target)
        except OSError as error:
            raise RunFailed(
                "The reference's logits cannot be kept: {strerror}.", strerror=error.strerror or "the disk fails"
            ) from None
        finally:
            part.unlink(missing_ok=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        return Reference(
            path=target,
            text=f"{text_file.name} ({digest})",
            context=size,
            chunks=count,
            vocabulary=network.vocabulary,
            perplexity=math.exp(float(np.concatenate(losses).mean())),
            engine=engine_name(),
        )


def save_reference(reference: Reference, path: Path) -> None:
    write_atomically(path, json.dumps({**asdict(reference), "path": reference.path.name}))


def load_reference(path: Path) -> Reference | None:
    """What `save_reference` wrote, or None where it or the logits are missing."""
    try:
        found = json.loads(path.read_text("utf-8"))
        reference = Reference(**{**found, "path": path.with_name(found["path"])})
        reference.logits()
    except (OSError, ValueError, KeyError, TypeError, RunFailed):
        return None
    return reference


def measure_quality(
    model: Path,
    reference: Reference,
    text_file: Path,
    *,
    threads: int | None = None,
    report: Report = silent,
    stop: Stop = never,
) -> Quality:
    """Perplexity of the file over the reference's text, and how far its predictions are from the reference's."""
    text = read_text(text_file)
    if not reference.text.endswith(f"({hashlib.sha256(text.encode()).hexdigest()[:12]})"):
        raise InputError("{text_file} is not the text that the reference was made with.", text_file=text_file.name)
    losses, increases, divergences, agreeing = [], [], [], []
    with Network(model, reference.context, threads or worker_threads(), gpu_layers=0) as network:
        if network.vocabulary != reference.vocabulary:
            raise InputError("{model} is another model than the reference: its vocabulary differs.", model=model.name)
        tokens = network.tokens(text)
        run = _run(network, tokens, reference.context, reference.chunks, report, stop)
        for (chunk, logits), kept in zip(run, reference.logits(), strict=True):
            base = _log_probabilities(kept)
            own = _log_probabilities(logits)
            losses.append(_losses(logits, chunk))
            increases.append(losses[-1] - _losses(kept, chunk))
            divergences.append((np.exp(base) * (base - own)).sum(axis=1))
            agreeing.append(base.argmax(axis=1) == own.argmax(axis=1))
    loss, divergence = np.concatenate(losses), np.concatenate(divergences)
    if not np.isfinite(loss).all():
        raise RunFailed("{model} computes numbers that are not finite; the file is damaged.", model=model.name)
    perplexity = math.exp(float(loss.mean()))
    return Quality(
        perplexity=perplexity,
        perplexity_error=perplexity * _standard_error(loss),
        kl_divergence=float(divergence.mean()),
        kl_error=_standard_error(divergence),
        same_top=float(np.concatenate(agreeing).mean()),
        tokens=len(loss),
        increase_error=_standard_error(np.concatenate(increases)),
    )


def _run(
    network: Network, tokens: npt.NDArray[np.int32], context: int, chunks: int, report: Report, stop: Stop
) -> Iterator[tuple[npt.NDArray[np.int32], Scores]]:
    """For each chunk the tokens to be predicted, and the logits that predict them."""
    first = context // 2
    for number in range(chunks):
        if stop():
            raise Cancelled
        chunk = tokens[number * context : (number + 1) * context]
        asked = chunk.copy()
        if network.first_token is not None:
            asked[0] = network.first_token
        network.clear()
        yield chunk[first + 1 :], network.scores(asked, slice(first, context - 1))
        report(Progress(number + 1, chunks, f"chunk {number + 1} of {chunks}"))


def _log_probabilities(logits: Scores) -> npt.NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    found: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return found


def _losses(logits: Scores, targets: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = -_log_probabilities(logits)[np.arange(len(targets)), targets]
    return found


def _standard_error(values: npt.NDArray[np.float64]) -> float:
    return float(values.std() / math.sqrt(max(1, len(values) - 1)))
