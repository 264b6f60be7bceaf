"""The header of a GGUF file: metadata and the list of tensors, without a byte of the weights.

The `gguf` package's own reader believes the counts in the file; here every count and length is bounded before
it is used, and whatever is wrong with the file becomes one sentence.
"""

from __future__ import annotations

import math
import struct
from itertools import pairwise

from advisor.formats.gguf_constants import GGUF_DEFAULT_ALIGNMENT, GGUF_MAGIC, GGUFValueType
from advisor.formats.gguf_other_types import TYPES, OtherType, layout
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, as_it_is, sentence
from advisor.sources.gguf_file import GgufHeader, StoredTensor, Value, padded
from advisor.sources.gguf_forecast import Forecast
from advisor.sources.reading import CutOff, ReadRange, Window

MAX_HEADER_BYTES = 64 << 20  # the largest real ones, with 262,144 tokens and their merges, take 16 MB
MAX_KEYS = 4096
MAX_TENSORS = 65536
MAX_NAME_BYTES = 1024
MAX_STRING_BYTES = 32 << 20  # a whole tokenizer can be one string
MAX_ARRAY = 1 << 22
MAX_STRINGS = 1 << 22  # over all arrays: what is walked through one by one
MAX_SPLITS = 4096
MAX_ELEMENTS = 1 << 44
_KEPT_ARRAY = 4096  # longer arrays are the tokenizer's
_KEPT_STRING = 4096
_FIRST_READ = 4096
_DIMENSIONS = 4

_SCALARS = {
    GGUFValueType.UINT8: "B",
    GGUFValueType.INT8: "b",
    GGUFValueType.UINT16: "H",
    GGUFValueType.INT16: "h",
    GGUFValueType.UINT32: "I",
    GGUFValueType.INT32: "i",
    GGUFValueType.FLOAT32: "f",
    GGUFValueType.BOOL: "?",
    GGUFValueType.UINT64: "Q",
    GGUFValueType.INT64: "q",
    GGUFValueType.FLOAT64: "d",
}


def read_gguf_header(read: ReadRange, name: str) -> GgufHeader:
    """The header of one file; raises InputError in one sentence for anything that is not a sound GGUF header."""
    return _Parser(read, name[-120:]).header()


class _Parser:
    """Walks through one header."""

    def __init__(self, read: ReadRange, name: str):
        self.name = name
        self.forecast = Forecast()
        self.window = Window(read, name, MAX_HEADER_BYTES, _FIRST_READ, self.forecast.end)
        self.metadata: dict[str, Value] = {}
        self.array_lengths: dict[str, int] = {}
        self.strings_left = MAX_STRINGS

    def fail(self, reason: Message) -> InputError:
        return InputError("{name}: {reason}", name=self.name, reason=reason)

    def header(self) -> GgufHeader:
        version, tensor_count, key_count = self._preamble()
        self.forecast.keys, self.forecast.tensors = key_count, tensor_count
        for _ in range(key_count):
            self._key_and_value()
            self.forecast.keys -= 1
        alignment = self.metadata.get("general.alignment", GGUF_DEFAULT_ALIGNMENT)
        if not isinstance(alignment, int) or alignment < 1 or alignment > 1 << 20 or alignment & (alignment - 1):
            raise self.fail(sentence("its alignment is not a power of two."))
        tensors = []
        for _ in range(tensor_count):
            tensors.append(self._tensor(alignment))
            self.forecast.tensors -= 1
        if len({tensor.name for tensor in tensors}) != len(tensors):
            raise self.fail(sentence("two tensors have the same name."))
        self._refuse_ternary(tensors, alignment)
        number, count = self._split()
        return GgufHeader(
            name=self.name,
            version=version,
            metadata=self.metadata,
            array_lengths=self.array_lengths,
            tensors=tuple(tensors),
            alignment=alignment,
            header_bytes=padded(self.window.position, alignment),
            split_number=number,
            split_count=count,
        )

    def _preamble(self) -> tuple[int, int, int]:
        try:
            magic, version = struct.unpack("<II", self.window.take(8))
        except CutOff:
            raise self.fail(sentence("this is not a GGUF file: it holds fewer than 8 bytes.")) from None
        if magic != GGUF_MAGIC:
            raise self.fail(sentence("this is not a GGUF file: it does not begin with 'GGUF'."))
        if version & 0xFFFF == 0 and version:
            raise self.fail(
                sentence("this GGUF file is big-endian; only little-endian files, the usual ones, can be read.")
            )
        if version not in (2, 3):
            raise self.fail(
                sentence(
                    "GGUF version {version} cannot be read, only 2 and 3; convert the model again.", version=version
                )
            )
        tensors, keys = struct.unpack("<QQ", self.window.take(16))
        if keys > MAX_KEYS:
            raise self.fail(
                sentence(
                    "it promises {keys:,} metadata entries; at most {max_keys:,} are read.",
                    keys=keys,
                    max_keys=MAX_KEYS,
                )
            )
        if tensors > MAX_TENSORS:
            raise self.fail(
                sentence(
                    "it promises {tensors:,} tensors; at most {max_tensors:,} are read.",
                    tensors=tensors,
                    max_tensors=MAX_TENSORS,
                )
            )
        return version, tensors, keys

    def _refuse_ternary(self, tensors: list[StoredTensor], alignment: int) -> None:
        """bitnet.cpp gives its I2_S a number that llama.cpp had given to IQ4_NL_4_4: only offsets tell them apart."""
        for tensor, following in pairwise(tensors):
            if tensor.type is OtherType.IQ4_NL_4_4 and following.offset - tensor.offset != padded(
                tensor.bytes, alignment
            ):
                raise self.fail(
                    sentence("its tensors are of type I2_S, which only bitnet.cpp loads; it is not sized here.")
                )

    def _split(self) -> tuple[int, int]:
        number, count = (self.metadata.get(key, default) for key, default in (("split.no", 0), ("split.count", 1)))
        if not isinstance(number, int) or not isinstance(count, int) or not 0 <= number < max(count, 1) <= MAX_SPLITS:
            raise self.fail(sentence("what it says about being one part of several makes no sense."))
        return int(number), max(int(count), 1)

    def _length(self, limit: int, what: Message) -> int:
        length: int = struct.unpack("<Q", self.window.take(8))[0]
        if length > limit:
            raise self.fail(
                sentence(
                    "{what} is {length:,} bytes long; at most {limit:,} are read.",
                    what=what,
                    length=length,
                    limit=limit,
                )
            )
        return length

    def _name(self, what: Message) -> str:
        raw = self.window.take(self._length(MAX_NAME_BYTES, what))
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise self.fail(sentence("{what} is not valid text.", what=what)) from None

    def _kind(self) -> GGUFValueType:
        number = struct.unpack("<I", self.window.take(4))[0]
        try:
            return GGUFValueType(number)
        except ValueError:
            raise self.fail(sentence("metadata of type {number} is unknown.", number=number)) from None

    def _key_and_value(self) -> None:
        key = self._name(sentence("the name of a metadata entry"))
        if key in self.metadata or key in self.array_lengths:
            raise self.fail(sentence("the metadata entry '{name}' is there twice.", name=key[:80]))
        kind = self._kind()
        if kind is GGUFValueType.ARRAY:
            self._array(key)
        elif kind is GGUFValueType.STRING:
            self.metadata[key] = self._string(key)
            self.forecast.string(key, self.metadata[key])
        else:
            code = _SCALARS[kind]
            self.metadata[key] = struct.unpack(f"<{code}", self.window.take(struct.calcsize(f"<{code}")))[0]

    def _string(self, key: str) -> str:
        length = self._length(MAX_STRING_BYTES, as_it_is(f"'{key[:80]}'"))
        kept = min(length, _KEPT_STRING)
        text = self.window.take(kept).decode("utf-8", errors="replace")
        self.window.skip(length - kept)
        return text

    def _array(self, key: str) -> None:
        kind = self._kind()
        count: int = struct.unpack("<Q", self.window.take(8))[0]
        if count > MAX_ARRAY:
            raise self.fail(
                sentence(
                    "the list '{name}' promises {count:,} entries; at most {max_array:,} are read.",
                    name=key[:80],
                    count=count,
                    max_array=MAX_ARRAY,
                )
            )
        if kind is GGUFValueType.ARRAY:
            raise self.fail(sentence("'{name}' is a list of lists, which no model file needs.", name=key[:80]))
        self.array_lengths[key] = count
        if kind is GGUFValueType.STRING:
            self._strings(key, count)
            return
        code = _SCALARS[kind]
        size = struct.calcsize(f"<{code}")
        self.forecast.array(key, self.window.position, count, size)
        if count <= _KEPT_ARRAY:
            self.metadata[key] = struct.unpack(f"<{count}{code}", self.window.take(count * size))
        else:
            self.window.skip(count * size)
        self.forecast.array_done()

    def _strings(self, key: str, count: int) -> None:
        """Pass over a list of strings, one length at a time."""
        self.strings_left -= count
        if self.strings_left < 0:
            raise self.fail(sentence("it holds more than {max_strings:,} strings.", max_strings=MAX_STRINGS))
        window = self.window
        self.forecast.array(key, window.position, count, 0)
        unpack = struct.Struct("<Q").unpack_from
        left = count
        while left:
            window.need(8)
            data, at, end = window.data, window.at, len(window.data)
            length = 0
            while left and at + 8 <= end:
                length = unpack(data, at)[0]
                if at + 8 + length > end:
                    break
                at += 8 + length
                left -= 1
            window.at = at
            self.forecast.left = left
            if left and at + 8 <= end:  # the string itself lies beyond what was read
                if length > MAX_STRING_BYTES:
                    raise self.fail(
                        sentence(
                            "an entry of '{name}' is {length:,} bytes long; at most {max_string_bytes:,} are read.",
                            name=key[:80],
                            length=length,
                            max_string_bytes=MAX_STRING_BYTES,
                        )
                    )
                window.need(8 + length)
        self.forecast.array_done()

    def _tensor(self, alignment: int) -> StoredTensor:
        name = self._name(sentence("the name of a tensor"))
        shown = name[:80]
        dimensions = struct.unpack("<I", self.window.take(4))[0]
        if not 1 <= dimensions <= _DIMENSIONS:
            raise self.fail(
                sentence(
                    "tensor '{shown}' has {dimensions:,} dimensions; 1 to {most} are possible.",
                    shown=shown,
                    dimensions=dimensions,
                    most=_DIMENSIONS,
                )
            )
        *shape, number, offset = struct.unpack(f"<{dimensions}QIQ", self.window.take(8 * dimensions + 12))
        if min(shape) < 1 or max(shape) > MAX_ELEMENTS or math.prod(shape) > MAX_ELEMENTS:
            raise self.fail(sentence("tensor '{shown}' has an impossible shape.", shown=shown))
        kind = TYPES.get(number)
        if kind is None:
            raise self.fail(
                sentence(
                    "tensor '{shown}' is of type {number}, which is unknown to this version.",
                    shown=shown,
                    number=number,
                )
            )
        if shape[0] % layout(kind).block:
            raise self.fail(
                sentence(
                    "the rows of tensor '{shown}' are no whole number of {kind} blocks.", shown=shown, kind=kind.name
                )
            )
        if offset % alignment:
            raise self.fail(
                sentence(
                    "tensor '{shown}' does not begin at a multiple of {alignment} bytes.",
                    shown=shown,
                    alignment=alignment,
                )
            )
        return StoredTensor(name, tuple(shape), kind, offset)
