"""A model folder with safetensors to a 16-bit GGUF file, for Llama-like networks and BERT.

Tensors are copied by the `gguf` package's own name map; every one that our tensor table promises must be there, in
its shape. Other architectures go through llama.cpp's converter where its source tree is configured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt
from gguf.constants import MODEL_ARCH_NAMES, GGUFValueType, LlamaFileType, PoolingType

from advisor.formats.ggml_types import Type
from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import grouped_tensors
from advisor.foundation.errors import InputError
from advisor.quantize.errors import Cancelled, RunFailed
from advisor.quantize.gguf_quantize import Progress, Report, Stop, discard, never, silent
from advisor.quantize.gguf_source import as_float32, as_stored
from advisor.quantize.gguf_writing import Entry, Layout, Slot, finish_file, lay_out, start_file
from advisor.quantize.hf_folder import ModelFolder, read_json
from advisor.quantize.metadata import CONVERTED, encoder_writer, entries, rope_factors, writer_for
from advisor.quantize.vocabulary import add_vocabulary

_DTYPES = {"F32": Type.F32, "F16": Type.F16, "BF16": Type.BF16}
_LARGEST_F16 = 65504.0
_CHUNK_BYTES = 16 << 20
_IGNORED = ("rotary_emb.inv_freq", ".attention.bias", ".masked_bias", "position_ids", "pooler.dense", "cls.")
_ROPE = "rope_freqs.weight"


class _TooLargeForF16(Exception):
    """A weight lies outside F16's range."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """The layout of the file to be written, and which checkpoint tensor goes into each slot."""

    layout: Layout
    names: Mapping[str, str]


def can_convert(folder: ModelFolder) -> bool:
    """Whether this architecture's tensors map one to one."""
    model = folder.model
    if model.architecture == "bert" and folder.config.get("model_type") != "bert":
        return False  # RoBERTa: other positions, another tokenizer
    if any(part.name.startswith("cls.") for part in model.globals):
        return False  # a head that gives scores, under another name in every family
    return model.architecture in CONVERTED and not model.experts


def plan_conversion(folder: ModelFolder, target: Path, stored_as: Type = Type.F16) -> Conversion:
    """What the converted file will be, exact to the byte; raises InputError where the folder cannot be converted."""
    model = folder.model
    if not can_convert(folder):
        writer_for(model, folder.config)  # names what is missing for architectures that are not written at all
        raise InputError(
            "Folders of architecture '{architecture}' are converted by llama.cpp's own converter: set "
            "LLAMA_CPP_DIR to its source tree, or give a GGUF file of the model.",
            architecture=model.architecture,
        )
    level = LEVELS["F16" if stored_as is Type.F16 else "BF16"]
    table = grouped_tensors(model)
    types = table.converted_types(level)
    tensors = [(tensor.name, tensor.shape, types[group]) for tensor, group in table.members]
    names = _names(folder, {name for name, _, _ in tensors})
    for name, shape, _ in tensors:
        if name == _ROPE:
            continue
        if name not in names:
            raise InputError("{path} lacks the weights of '{name}'.", path=folder.path.name, name=name)
        placed = folder.tensors[names[name]].tensor
        if placed.shape != shape[::-1]:
            raise InputError(
                "'{placed}' has the shape {shape}, not {expected}.",
                placed=placed.name[:80],
                shape=str(list(placed.shape)),
                expected=str(list(shape[::-1])),
            )
        if placed.dtype not in _DTYPES:
            raise InputError(
                "{path} is already quantized ('{placed}' is {dtype}).",
                path=folder.path.name,
                placed=placed.name[:80],
                dtype=placed.dtype,
            )
    if model.causal:
        writer = writer_for(model, folder.config)
    else:
        writer = encoder_writer(model, folder.config, _pooling(folder))
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(folder.path.name)
    add_vocabulary(writer, folder.path, model.vocabulary)
    kind = LlamaFileType.MOSTLY_F16 if stored_as is Type.F16 else LlamaFileType.MOSTLY_BF16
    metadata = [*entries(writer), Entry("general.file_type", kind.value, GGUFValueType.UINT32)]
    return Conversion(lay_out(metadata, tensors, target.with_name(target.name + ".head")), names)


def _pooling(folder: ModelFolder) -> PoolingType:
    """How sentence-transformers makes one vector of all: the file beside the model says it."""
    found = read_json(folder.path / "1_Pooling", "config.json")
    for key, kind in (
        ("pooling_mode_mean_tokens", PoolingType.MEAN),
        ("pooling_mode_cls_token", PoolingType.CLS),
        ("pooling_mode_lasttoken", PoolingType.LAST),
    ):
        if found.get(key) is True:
            return kind
    raise InputError(
        "{path} does not say how its tokens become one vector (1_Pooling/config.json is missing); "
        "give a GGUF file of the model.",
        path=folder.path.name,
    )


def _names(folder: ModelFolder, wanted: set[str]) -> dict[str, str]:
    """GGUF names to the checkpoint's; raises InputError for a tensor that belongs nowhere."""
    arch = next(key for key, name in MODEL_ARCH_NAMES.items() if name == folder.model.architecture)
    known = gguf.get_tensor_name_map(arch, len(folder.model.layers))
    found = {}
    for name in folder.tensors:
        mapped = known.get_name(name.removeprefix("bert."), try_suffixes=(".weight", ".bias"))
        if mapped in wanted:
            found[mapped] = name
        elif not any(part in name for part in _IGNORED) and not (
            mapped == "output.weight" and folder.model.tied_embeddings
        ):
            raise InputError(
                "{path} holds '{name}', which no {architecture} model has.",
                path=folder.path.name,
                name=name[:80],
                architecture=folder.model.architecture,
            )
    return found


def convert(folder: ModelFolder, target: Path, report: Report = silent, stop: Stop = never) -> Layout:
    """Write the folder's model as F16, or as BF16 where a weight is too large for F16. Progress counts bytes.

    Raises InputError, Cancelled, RunFailed; nothing is left behind then.
    """
    for stored_as in (Type.F16, Type.BF16):
        plan = plan_conversion(folder, target, stored_as)
        try:
            _write(folder, plan, target, report, stop)
        except _TooLargeForF16:
            continue
        except OSError as error:
            raise RunFailed(
                "{target} cannot be written: {strerror}.",
                target=target.name,
                strerror=error.strerror or "the disk fails",
            ) from None
        finally:
            discard(target)
        return plan.layout
    raise RunFailed("{path} holds weights that are not finite numbers.", path=folder.path.name)


def _write(folder: ModelFolder, plan: Conversion, target: Path, report: Report, stop: Stop) -> None:
    part = target.with_name(target.name + ".part")
    start_file(part, plan.layout)
    done = 0
    with part.open("r+b") as file:
        for slot in plan.layout.slots:
            file.seek(slot.offset)
            for piece in _pieces(folder, plan, slot):
                if stop():
                    raise Cancelled
                file.write(piece)
            done += slot.bytes
            report(Progress(done, plan.layout.tensor_bytes, slot.name))
    finish_file(part, target)


def _pieces(folder: ModelFolder, plan: Conversion, slot: Slot) -> Iterator[bytes]:
    if slot.name == _ROPE:
        yield rope_factors(folder.config, folder.model).tobytes()
        return
    tensor = folder.tensors[plan.names[slot.name]].tensor
    raw = folder.raw(tensor.name)
    if folder.model.architecture == "llama" and slot.name.endswith(("attn_q.weight", "attn_k.weight")):
        raw = _interleaved(folder, raw, slot)
    kind = _DTYPES[tensor.dtype]
    row = len(raw) * slot.shape[0] // tensor.elements
    step = max(1, _CHUNK_BYTES // row) * row
    for start in range(0, len(raw), step):
        values = as_float32(np.ascontiguousarray(raw[start : start + step]), kind).reshape(-1, slot.shape[0])
        if slot.type is Type.F16 and not np.abs(values).max() <= _LARGEST_F16:
            raise _TooLargeForF16
        if not np.isfinite(values).all():
            raise RunFailed("'{tensor}' holds weights that are not finite numbers.", tensor=tensor.name)
        yield as_stored(values, slot.type).tobytes()


def _interleaved(folder: ModelFolder, raw: npt.NDArray[np.uint8], slot: Slot) -> npt.NDArray[np.uint8]:
    """Rows in the order llama.cpp rotates them: pairs lie side by side, not half a head apart."""
    heads = int(folder.config["num_attention_heads"])
    if slot.name.endswith("attn_k.weight"):
        heads = int(folder.config.get("num_key_value_heads") or heads)
    rows = slot.shape[1]
    halves = raw.reshape(heads, 2, rows // heads // 2, -1)
    return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(-1)
