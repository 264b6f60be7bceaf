"""What a run does, step by step, inside one folder. Each step finds what it finished before and skips it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from advisor.formats.gguf_levels import Level
from advisor.foundation.errors import InputError
from advisor.foundation.places import IMPORT_FOLDER
from advisor.models.model import Model
from advisor.quantize import tinylm
from advisor.quantize.allowed import QuantizeSettings
from advisor.quantize.compress import check_level as check_compression
from advisor.quantize.compress import compress
from advisor.quantize.convert import can_convert, convert
from advisor.quantize.download import download
from advisor.quantize.embeddings import make_embeddings, measure_embeddings
from advisor.quantize.errors import RunFailed
from advisor.quantize.gguf_quantize import Progress, Report, check_level, plan_file, quantize_gguf
from advisor.quantize.gguf_source import GgufSource, open_gguf_source
from advisor.quantize.gguf_writing import write_atomically
from advisor.quantize.hf_folder import ModelFolder, open_folder
from advisor.quantize.imatrix import ImportanceMatrix, read_imatrix
from advisor.quantize.measure import (
    Reference,
    load_reference,
    make_reference,
    measure_quality,
    reference_bytes,
    save_reference,
)  # fmt: skip
from advisor.quantize.native import engine_name
from advisor.quantize.run_request import RunRequest, check_request, local_folder, matrix_of, text_of
from advisor.quantize.tool_runs import convert_with_tree, make_imatrix, quantize_with_tool
from advisor.quantize.tools import find_converter, plain_environment, python_command, run_briefly
from advisor.sources.gguf_header import read_gguf_header
from advisor.sources.local_measurements import tensors_key
from advisor.sources.reading import read_from_path

SPARE_BYTES = 64 << 20
_SPEED_TIMEOUT_S = 3600.0
# Shares of a run: getting the source ready, the reference, and the levels.
_SOURCE, _REFERENCE = 0.1, 0.1
_MATRIX = 0.08  # of the source's share, where an importance matrix is made
_QUANTIZING = 0.4  # of a level that is measured too

_UNQUANTIZED = "Running the unquantized model"
_LOGITS = "reference.logits"

Measure = Callable[[Path, Report], dict[str, Any]]
Tell = Callable[[str, float], None]  # stage, progress of the whole run


@dataclass(frozen=True)
class Steps:
    """One run at work. `keep` is called with the results known so far, by level."""

    request: RunRequest
    settings: QuantizeSettings
    folder: Path
    tell: Tell
    keep: Callable[[Mapping[str, Any]], None]

    def run(self) -> dict[str, Any]:
        """Everything; returns what was measured, by level. Raises AdvisorError in one sentence."""
        check_request(self.request, self.settings)
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.request.method != "gguf":
            return self._compress()
        source = self._source()
        matrix = self._matrix(source)
        for level in self.request.chosen_levels:
            check_level(source, level, matrix)
        self._check_disk(source, matrix)
        measure = self._measurement(source) if self.request.measure else None
        results: dict[str, Any] = {}
        for number, level in enumerate(self.request.chosen_levels):
            results[level.name] = self._level(source, level, matrix, measure, number)
            self.keep(results)
        (self.folder / _LOGITS).unlink(missing_ok=True)
        return results

    def _source(self) -> GgufSource:
        """The unquantized GGUF file: the one that was named, or one converted from a folder."""
        request, settings = self.request, self.settings
        share = _SOURCE - _MATRIX if request.matrix == "make" else _SOURCE
        report = self._reporter("Preparing the source", 0.0, share)
        if request.source == "gguf":
            path = settings.allowed_path(request.location)
            self._check_size(path.stat().st_size)
            return self._same_as_before(open_gguf_source(path))
        model = self._model_folder(report)
        target = self.folder / f"{request.name}-16bit.gguf"
        if not target.exists():
            _check_free(self.folder, 2 * model.model.parameters + SPARE_BYTES)
            if can_convert(model) or find_converter() is None:
                convert(model, target, report)
            else:
                convert_with_tree(model, target, report)
        return self._same_as_before(open_gguf_source(target))

    def _model_folder(self, report: Report) -> ModelFolder:
        request, settings = self.request, self.settings
        if request.source == "hub":
            path = download(request.location, self.folder / "source", settings.most_bytes, report)
        else:
            path = local_folder(request, settings)
        model = open_folder(path)
        self._check_size(model.weight_bytes)
        return model

    def _compress(self) -> dict[str, Any]:
        """The same with llmcompressor, which measures each level itself."""
        model = self._model_folder(self._reporter("Preparing the source", 0.0, _SOURCE))
        for name in self.request.levels:
            check_compression(model, name, self.request.method)
        _check_free(self.folder, model.weight_bytes * len(self.request.levels) + SPARE_BYTES)
        share = (1 - _SOURCE) / len(self.request.levels)
        results: dict[str, Any] = {}
        for number, name in enumerate(self.request.levels):
            kept = self.folder / f"level-{name}.json"
            if not kept.exists():
                made = compress(
                    model, name, self.folder / f"{self.request.name}-{name}",
                    calibration=tinylm.CALIBRATION_TEXT, evaluation=text_of(self.request, self.settings),
                    modifier=self.request.method, chunks=self.request.chunks,
                    report=self._reporter(f"Compressing {name}", _SOURCE + number * share, share),
                )  # fmt: skip
                write_atomically(kept, json.dumps({**asdict(made), **_identity(model.model)}))
            results[name] = json.loads(kept.read_text("utf-8"))
            self.keep(results)
        return results

    def _same_as_before(self, source: GgufSource) -> GgufSource:
        """An earlier attempt's levels count only if they came from this very file."""
        note = self.folder / "source.json"
        with suppress(OSError, ValueError):
            if json.loads(note.read_text("utf-8")) == source.fingerprint:
                return source
        for path in self.folder.glob("*.json"):
            path.unlink()
        for path in self.folder.glob("*.gguf"):
            if path != source.path:
                path.unlink()
        write_atomically(note, json.dumps(source.fingerprint))
        return source

    def _check_size(self, size: int) -> None:
        if size > self.settings.most_bytes:
            raise InputError(
                "The source has {size:gb} of weights; at most {most_bytes:gb} are allowed.",
                size=size,
                most_bytes=self.settings.most_bytes,
            )

    def _matrix(self, source: GgufSource) -> ImportanceMatrix | None:
        if not self.request.matrix:
            return None
        kept = self.folder / "imatrix.gguf"  # beside the files that are made: they record its name
        if not kept.exists():
            given = matrix_of(self.request, self.settings)
            if given is not None:
                shutil.copyfile(given, kept.with_suffix(".new"))
                kept.with_suffix(".new").replace(kept)
            elif not source.model.causal:
                raise InputError("llama-imatrix cannot read models that make embeddings; give no importance matrix.")
            else:
                report = self._reporter("Making an importance matrix", _SOURCE - _MATRIX, _MATRIX)
                make_imatrix(source, tinylm.CALIBRATION_TEXT, kept, report=report)
        return read_imatrix(kept)

    def _check_disk(self, source: GgufSource, matrix: ImportanceMatrix | None) -> None:
        """What is still to be written is known to the byte before any of it is."""
        needed = SPARE_BYTES
        for level in self.request.chosen_levels:
            size = plan_file(source, level, self._file(level), matrix).file_bytes
            missing = not self._file(level).exists() and not self._result(level).exists()
            needed = needed + size * missing if self.request.keep_files else max(needed, SPARE_BYTES + size)
        if self.request.measure and source.model.causal:
            vocabulary = source.model.vocabulary
            needed += reference_bytes(source.model.context_length, vocabulary, self.request.chunks)
        _check_free(self.folder, needed)

    def _measurement(self, source: GgufSource) -> Measure:
        """What will be measured of each level against the unquantized file, which is run once for all of them."""
        text = text_of(self.request, self.settings)
        if not source.model.causal:
            vectors = make_embeddings(source.path, text, self._reporter(_UNQUANTIZED, _SOURCE, _REFERENCE))

            def embeddings(target: Path, report: Report) -> dict[str, Any]:
                found = measure_embeddings(target, vectors, report)
                return {"embedding": asdict(found), "engine": engine_name(), "text": vectors.text}

            return embeddings
        reference = self._reference(source, text)

        def quality(target: Path, report: Report) -> dict[str, Any]:
            found = measure_quality(target, reference, text, report=report)
            return {
                "quality": asdict(found), **self._speed(target), "engine": engine_name(),
                "context": reference.context, "text": reference.text, "reference_perplexity": reference.perplexity,
            }  # fmt: skip

        return quality

    def _reference(self, source: GgufSource, text: Path) -> Reference:
        note = self.folder / "reference.json"
        if (found := load_reference(note)) is not None:
            return found
        report = self._reporter(_UNQUANTIZED, _SOURCE, _REFERENCE)
        made = make_reference(source.path, text, self.folder / _LOGITS, chunks=self.request.chunks, report=report)
        save_reference(made, note)
        return made

    def _level(
        self,
        source: GgufSource,
        level: Level,
        matrix: ImportanceMatrix | None,
        measure: Measure | None,
        number: int,
    ) -> dict[str, Any]:
        kept = self._result(level)
        with suppress(OSError, ValueError):
            found: dict[str, Any] = json.loads(kept.read_text("utf-8"))
            return found
        share = (1 - _SOURCE - _REFERENCE) / len(self.request.levels)
        begin = _SOURCE + _REFERENCE + number * share
        target = self._file(level)
        layout = plan_file(source, level, target, matrix)
        if not target.exists():
            report = self._reporter(f"Quantizing {level.name}", begin, share * _QUANTIZING)
            quantize = quantize_gguf if self.request.program == "library" else quantize_with_tool
            quantize(source, level, target, matrix=matrix, report=report)
        result: dict[str, Any] = {
            "level": level.name,
            "imatrix": matrix is not None,
            "file_bytes": target.stat().st_size,
            "predicted_file_bytes": layout.file_bytes,
            "tensor_bytes": open_size(target),
            **_identity(source.model),
        }
        if measure is not None:
            report = self._reporter(f"Measuring {level.name}", begin + share * _QUANTIZING, share * (1 - _QUANTIZING))
            result |= measure(target, report)
        if not self.request.keep_files:
            target.unlink()
        write_atomically(kept, json.dumps(result))
        return result

    def _speed(self, target: Path) -> dict[str, Any]:
        """In a process of its own, so that the memory is this file's alone."""
        command = python_command("advisor.quantize.speed_process", str(target))
        printed = run_briefly(command, plain_environment(), IMPORT_FOLDER, _SPEED_TIMEOUT_S)
        found: dict[str, Any] = json.loads(printed.output)
        return found

    def _reporter(self, stage: str, begin: float, share: float) -> Report:
        def report(at: Progress) -> None:
            self.tell(stage, begin + share * at.fraction)

        self.tell(stage, begin)
        return report

    def _file(self, level: Level) -> Path:
        return self.folder / f"{self.request.name}-{level.name}.gguf"

    def _result(self, level: Level) -> Path:
        return self.folder / f"level-{level.name}.json"


def _identity(model: Model) -> dict[str, Any]:
    """Which model was measured, for whoever keeps the measurement: a folder's name says nothing."""
    return {"model": tensors_key(model), "parameters": model.parameters}


def open_size(path: Path) -> int:
    """Tensor bytes of a finished file, read back from it."""
    header = read_gguf_header(read_from_path(path), path.name)
    if path.stat().st_size != header.header_bytes + header.data_bytes:
        raise RunFailed("{path} is not as long as its header says.", path=path.name)
    return header.tensor_bytes


def _check_free(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise RunFailed(
            "The run needs {needed:gb} of disk, and {free:gb} are free; remove old runs.", needed=needed, free=free
        )
