"""The engine stands without the page: it neither imports Streamlit nor needs it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGINE = sorted(path for path in (ROOT / "advisor").rglob("*.py") if "ui" not in path.relative_to(ROOT).parts)


def imported(path: Path) -> set[str]:
    """Return the names of all modules that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("path", ENGINE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_engine_file_imports_no_page(path: Path) -> None:
    assert not {name for name in imported(path) if name.split(".")[0] == "streamlit" or name.startswith("advisor.ui")}


def test_engine_modules_leave_streamlit_unloaded() -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in ENGINE
        if path.name not in ("__main__.py", "env.py")  # they run when imported: by Python, by Alembic
    ]
    loaded = run(f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\nprint(*sys.modules)")
    assert "streamlit" not in loaded
    assert "advisor.machines.catalogue" in loaded


def test_catalogue_of_machines_loads_without_pandas() -> None:
    loaded = run("import sys\nfrom advisor.machines.catalogue import machines\nmachines()\nprint(*sys.modules)")
    assert not {"pandas", "numpy", "streamlit"} & loaded


def run(code: str) -> set[str]:
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())
