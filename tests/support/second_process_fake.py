"""A second process of tests: says everything twice, nothing of "nothing", and dies of "death"."""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection

if __name__ == "__main__":
    pipe = Connection(int(sys.argv[1]))
    pipe.send(True)
    while (asked := pipe.recv()[0]) != "death":
        pipe.send(None if asked == "nothing" else asked + asked)
