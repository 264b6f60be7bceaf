"""The second process itself: `python -m advisor.ui.second_process_main FD` makes reports for whoever started it."""

from __future__ import annotations

import signal
import sys
from multiprocessing.connection import Connection

from advisor.foundation.logs import set_up
from advisor.question.question import Question
from advisor.ui.collecting import settle
from advisor.ui.reader_pages import Sent, page_here

_IDLE_S = 900.0


def main(pipe: Connection) -> None:
    """Make what is asked for, until nothing is any more or nobody is there to ask."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C ends the one that asks, and then this one
    set_up()
    _made("", "", "en")  # the data was checked by the one that asks
    settle()
    try:
        pipe.send(True)
        while pipe.poll(_IDLE_S):
            pipe.send(_made(*pipe.recv()))
    except (EOFError, OSError):
        return


def _made(query: str, address: str, lang: str) -> Sent | None:
    """None where there is no report: the other process says why."""
    try:
        return page_here(Question.from_query(query), address, lang)
    except Exception:
        return None


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])))
