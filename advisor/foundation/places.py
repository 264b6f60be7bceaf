"""Where things lie: what comes with the program, in a checkout or an installed package, and the user's own folders."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).resolve().parents[1]
# The folder that holds the package: processes of ours start there, so that they import this very one.
IMPORT_FOLDER = _PACKAGE.parent
_APPLICATION = "llm-fit-advisor"


@cache
def top_folder() -> Path:
    """The folder with `data/`, `app.py` and `.streamlit/`: that of the checkout, or its copy in an installed package.

    The build makes the copy (pyproject.toml). It comes first: beside an installed package lie other people's.
    """
    copy = _PACKAGE / "_shipped"
    return copy if copy.is_dir() else IMPORT_FOLDER


def is_installed() -> bool:
    """Whether this is an installed package and not a checkout."""
    return top_folder() != IMPORT_FOLDER


def real_run_install() -> str:
    """The command that installs what the real run needs."""
    what = "'llm-fit-advisor[real-run]'" if is_installed() else "-r advisor/quantize/requirements.txt"
    return f"pip install {what}"


def data_folder() -> Path:
    """The catalogues and the evidence."""
    return top_folder() / "data"


def user_data_folder() -> Path:
    """Where what the user keeps lies, as the system has it (XDG, Library, AppData); it may not be there yet."""
    return platformdirs.user_data_path(_APPLICATION, appauthor=False)


def user_cache_folder() -> Path:
    """Where what can be read again lies; it may not be there yet."""
    return platformdirs.user_cache_path(_APPLICATION, appauthor=False)
