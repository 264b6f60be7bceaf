"""Graphics cards that are not there, for llama.cpp's planner: they take every operation and hold all they are told.

Enough of a ggml backend for a plan without allocation, in the standard library alone: interfaces are tables of function
pointers, whose order is that of ggml-backend-impl.h. What llama.cpp plans for them is what it plans for loopback RPC
devices; with `lends` they compute for the host from 32 tokens on, as CUDA's do.
"""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, addressof, c_bool, c_char_p, c_int, c_int64, c_size_t, c_void_p, cast
from typing import Any

_API_VERSION = 2
_IS_GPU = 1  # GGML_BACKEND_DEVICE_TYPE_GPU
_ALIGNMENT = 128
_MEMORY = 1 << 42
_LENDING_TOKENS = 32
_REGISTRY = 15  # place in a device's table
_SHAPE, _OPERATION = 16, 80  # places in a ggml_tensor
_BUFFER_BYTES = 160
_BUFFER = CFUNCTYPE(c_void_p, c_void_p, c_size_t)
_NOTHING = CFUNCTYPE(c_void_p, c_void_p, c_void_p)
_NAME = CFUNCTYPE(c_char_p, c_void_p)
_SIZE = CFUNCTYPE(c_size_t, c_void_p)
_POINTER = CFUNCTYPE(c_void_p, c_void_p)
_POINTER_OF = CFUNCTYPE(c_void_p, c_void_p, c_void_p)
_ASKED = CFUNCTYPE(c_bool, c_void_p, c_void_p)
_MEMORY_OF = CFUNCTYPE(None, c_void_p, c_void_p, c_void_p)
_COUNT = CFUNCTYPE(c_size_t, c_void_p)
_DEVICE = CFUNCTYPE(c_void_p, c_void_p, c_size_t)
_TYPE = CFUNCTYPE(c_int, c_void_p)


class FakeGpus:
    """So many cards, made known to the library; they must live as long as it plans."""

    def __init__(self, lib: ctypes.CDLL, count: int, lends: bool) -> None:
        self._lib = lib
        self._kept: list[Any] = []  # what the library points at
        lib.ggml_op_name.restype, lib.ggml_op_name.argtypes = c_char_p, (c_int,)
        lib.ggml_backend_register.argtypes = (c_void_p,)
        lib.ggml_backend_cpu_buffer_type.restype = c_void_p
        lib.ggml_backend_buft_alloc_buffer.restype = c_void_p
        lib.ggml_backend_buft_alloc_buffer.argtypes = (c_void_p, c_size_t)
        self._devices = [self._device(number, lends) for number in range(count)]
        table = self._table(
            _API_VERSION,
            self._as(_NAME, lambda _: b"Fake"),
            self._as(_COUNT, lambda _: count),
            self._as(_DEVICE, lambda _, number: addressof(self._devices[number])),
            self._as(_POINTER_OF, lambda *_: None),
            None,
        )
        for device in self._devices:
            device[_REGISTRY] = addressof(table)
        lib.ggml_backend_register(addressof(table))

    def _as(self, kind: Any, function: Any) -> int:
        made = kind(function)
        self._kept.append(made)
        return cast(made, c_void_p).value or 0

    def _table(self, *values: int | None) -> Any:
        """Pointers one after the other; a whole number lies where its pointer would."""
        made = (c_void_p * (len(values) + 8))(*values)
        self._kept.append(made)
        return made

    def _device(self, number: int, lends: bool) -> Any:
        name = f"GPU{number}".encode()
        named = self._as(_NAME, lambda _: name)
        nothing = self._as(_NOTHING, lambda *_: None)
        device = self._table(*[None] * 17)
        memory = self._memory_type(named, addressof(device))

        def tell_memory(_: int, free: int, total: int) -> None:
            for place in (free, total):
                c_size_t.from_address(place).value = _MEMORY

        def tell_properties(_: int, place: int) -> None:
            ctypes.memset(place, 0, 56)
            for offset in (0, 8):
                c_char_p.from_address(place + offset).value = name
            tell_memory(0, place + 16, place + 24)
            c_int.from_address(place + 32).value = _IS_GPU
            for offset in (48, 51):  # asynchronous, with events: as RPC devices and CUDA's are
                c_bool.from_address(place + offset).value = True

        def start(*_: int) -> int:
            identity = self._table(int.from_bytes(b"fake GPU", "little"), number)
            backend = self._table(
                addressof(identity), named, nothing, *[nothing] * 4, None, nothing, *[None] * 4,
                nothing, nothing, nothing, None, addressof(device), None,
            )  # fmt: skip
            return addressof(backend)

        def new_event(_: int) -> int:
            return addressof(self._table(addressof(device), None))

        own = (
            named, named, self._as(_MEMORY_OF, tell_memory), self._as(_TYPE, lambda _: _IS_GPU),
            self._as(_MEMORY_OF, lambda _, place, __: tell_properties(0, place)), self._as(_POINTER_OF, start),
            self._as(_POINTER, lambda _: addressof(memory)), None, None, self._as(_ASKED, lambda *_: True),
            self._as(_ASKED, lambda _, asked: asked == addressof(memory)),
            self._as(_ASKED, lambda _, tensor: self._worth_lending(tensor)) if lends else None,
            self._as(_POINTER, new_event), nothing, nothing,
        )  # fmt: skip
        for place, value in enumerate(own):
            device[place] = value
        return device

    def _memory_type(self, named: int, device: int) -> Any:
        aligned, largest = self._as(_SIZE, lambda _: _ALIGNMENT), self._as(_SIZE, lambda _: (1 << 64) - 1)
        if hasattr(self._lib, "ggml_backend_buft_get_alloc_size_n"):  # since 2026-10
            memory = self._table(named, None, None, aligned, largest, None, None, None, device, None)
        else:
            memory = self._table(named, None, aligned, largest, None, None, device, None)
        memory[1] = self._as(_BUFFER, lambda _, size: self._buffer(addressof(memory), size))
        return memory

    def _buffer(self, memory: int, size: int) -> int:
        """One of the host that says it is of the card: recurrent states are allocated even for a plan."""
        host = self._lib.ggml_backend_cpu_buffer_type()
        buffer: int = self._lib.ggml_backend_buft_alloc_buffer(host, size + _ALIGNMENT)
        place = next(
            place for place in range(buffer, buffer + _BUFFER_BYTES, 8) if c_void_p.from_address(place).value == host
        )
        c_void_p.from_address(place).value = memory
        return buffer

    def _worth_lending(self, tensor: int) -> bool:
        shape = (c_int64 * 4).from_address(tensor + _SHAPE)
        name = self._lib.ggml_op_name(c_int.from_address(tensor + _OPERATION).value).decode()
        if name == "GET_ROWS":
            return False
        if name == "MUL_MAT":
            return shape[1] >= _LENDING_TOKENS
        if name in ("MUL_MAT_ID", "ROPE", "ROPE_BACK"):
            return shape[2] >= _LENDING_TOKENS
        return shape[1] * shape[2] * shape[3] >= _LENDING_TOKENS
