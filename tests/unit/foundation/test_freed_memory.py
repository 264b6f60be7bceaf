"""Arenas of C's allocator: as many threads as there are share the few."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

_CODE = """
import ctypes
from threading import Barrier, Thread
from advisor.foundation.freed_memory import give_back, keep_few_arenas

keep_few_arenas()
library, all_there = ctypes.CDLL(None), Barrier(12)
library.malloc.restype = ctypes.c_void_p

def allocate():
    all_there.wait()
    library.malloc(1000)

threads = [Thread(target=allocate) for _ in range(12)]
for one in threads:
    one.start()
for one in threads:
    one.join()
give_back()
library.fopen.restype = ctypes.c_void_p
library.malloc_info(0, ctypes.c_void_p(library.fopen(b"/dev/stdout", b"w")))
library.fflush(None)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_info"), reason="only glibc has arenas"
)
def test_threads_share_two_arenas() -> None:
    done = subprocess.run([sys.executable, "-c", _CODE], capture_output=True, text=True, check=True)
    assert done.stdout.count("<heap nr=") == 2
