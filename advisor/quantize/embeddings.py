"""What quantization does to a model that makes embeddings: it continues no text, so it has no perplexity.

Each passage of a text becomes one vector, by the unquantized file and by the quantized one; their cosine says how far
the vector turned, and whether a passage keeps its nearest neighbour says what a search would notice.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from advisor.foundation.errors import InputError
from advisor.quantize.errors import Cancelled, RunFailed
from advisor.quantize.gguf_quantize import Progress, Report, Stop, never, silent, worker_threads
from advisor.quantize.measure import read_text
from advisor.quantize.network import Embedder

Vectors = npt.NDArray[np.float64]

_CONTEXT = 128  # tokens of a passage that are read
_LEAST_CHARACTERS = 40
_LEAST_PASSAGES = 10
_MOST_PASSAGES = 200


@dataclass(frozen=True, slots=True)
class EmbeddingQuality:
    """Cosine of each passage's vector to the unquantized file's; `same_nearest` is the fraction that keeps its
    nearest neighbour among the others."""

    mean_cosine: float
    worst_cosine: float
    same_nearest: float
    passages: int


@dataclass(frozen=True, slots=True)
class EmbeddingReference:
    """The unquantized file's vectors of length one, shape (passages, width). `text` names the text."""

    passages: tuple[str, ...]
    vectors: Vectors
    text: str


def passages_of(text: str) -> tuple[str, ...]:
    """Paragraphs that are long enough to mean something, evenly spread over the text."""
    found = [part for part in (" ".join(part.split()) for part in text.split("\n\n")) if len(part) >= _LEAST_CHARACTERS]
    step = max(1, len(found) // _MOST_PASSAGES)
    return tuple(found[::step][:_MOST_PASSAGES])


def make_embeddings(model: Path, text_file: Path, report: Report = silent, stop: Stop = never) -> EmbeddingReference:
    """Run the unquantized file over the text's paragraphs; raises InputError where there are too few."""
    text = read_text(text_file)
    passages = passages_of(text)
    if len(passages) < _LEAST_PASSAGES:
        raise InputError(
            "{text_file} has {count} paragraphs; at least {least_passages} are needed.",
            text_file=text_file.name,
            count=len(passages),
            least_passages=_LEAST_PASSAGES,
        )
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return EmbeddingReference(passages, _vectors(model, passages, report, stop), f"{text_file.name} ({digest})")


def measure_embeddings(
    model: Path, reference: EmbeddingReference, report: Report = silent, stop: Stop = never
) -> EmbeddingQuality:
    """How far a quantized file's vectors are from the reference's."""
    found = _vectors(model, reference.passages, report, stop)
    if found.shape != reference.vectors.shape or not np.isfinite(found).all():
        raise RunFailed("{model} makes vectors that cannot be compared; the file is damaged.", model=model.name)
    cosines = (found * reference.vectors).sum(axis=1)
    return EmbeddingQuality(
        mean_cosine=float(cosines.mean()),
        worst_cosine=float(cosines.min()),
        same_nearest=float((_nearest(found) == _nearest(reference.vectors)).mean()),
        passages=len(cosines),
    )


def _vectors(model: Path, passages: tuple[str, ...], report: Report, stop: Stop) -> Vectors:
    found = []
    with Embedder(model, _CONTEXT, worker_threads()) as network:
        for number, passage in enumerate(passages, start=1):
            if stop():
                raise Cancelled
            vector = network.embed(passage).astype(np.float64)
            found.append(vector / (np.linalg.norm(vector) or 1.0))
            report(Progress(number, len(passages), f"passage {number} of {len(passages)}"))
    return np.stack(found)


def _nearest(vectors: Vectors) -> npt.NDArray[np.intp]:
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -2.0)
    found: npt.NDArray[np.intp] = likeness.argmax(axis=1)
    return found
