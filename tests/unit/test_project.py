"""What people and machines meet first: the README's commands and the server's settings."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def settings() -> dict[str, Any]:
    return tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))


def test_readme_shows_exactly_one_command_to_start_and_one_to_test() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    assert all(block.count("\n") == 1 and block.startswith("python3 -m venv .venv && ") for block in blocks)
    assert blocks[0].endswith(".venv/bin/streamlit run app.py\n")
    assert blocks[1].endswith(".venv/bin/python -m pytest\n")


_PATH = re.compile(r"(?<![\w/])(?:advisor|data|tests)/[\w./-]*[\w/]")
_MODULE = re.compile(r"-m ((?:advisor|tests)\.[\w.]*\w)")


def test_files_that_texts_name_exist() -> None:
    """In what people read and in the engine's own comments; an example's and a built package's are not there."""
    texts = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", ".ci/run")]
    texts += [*(ROOT / "data").rglob("*.md"), *(ROOT / "tests").rglob("*.md"), *(ROOT / "advisor").rglob("*.py")]
    missing = []
    for path in texts:
        text = path.read_text("utf-8")
        files = {*_PATH.findall(text), *(re.findall(r"\]\((\w[\w./-]+)\)", text) if path == ROOT / "README.md" else ())}
        named = {ROOT / name for name in files if "example" not in name}
        modules = {ROOT / name.replace(".", "/") for name in _MODULE.findall(text)}
        missing += [(path.name, name) for name in named if not name.exists() and not any(path.parent.glob(name.name))]
        missing += [(path.name, name) for name in modules if not name.is_dir() and not name.with_suffix(".py").exists()]
    assert not missing


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_each_theme_has_the_ten_colours_that_charts_need(mode: str) -> None:
    colours = settings()["theme"][mode]["chartCategoricalColors"]
    assert len(colours) >= 10
    assert len(set(colours)) == len(colours)
    assert all(re.fullmatch(r"#[0-9A-F]{6}", colour) for colour in colours)


@pytest.mark.parametrize(("mode", "background"), [("light", "#FFFFFF"), ("dark", "#0E1117")])
def test_chart_colours_stand_out_from_the_background(mode: str, background: str) -> None:
    for colour in settings()["theme"][mode]["chartCategoricalColors"]:
        assert contrast(colour, background) >= 3, colour


def test_server_listens_on_this_machine_only_and_calls_nobody() -> None:
    assert settings()["server"]["address"] == "127.0.0.1"
    assert settings()["browser"]["gatherUsageStats"] is False
    assert settings()["client"]["allowedOrigins"] == []


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2."""
    lower, higher = sorted((luminance(one), luminance(other)))
    return (higher + 0.05) / (lower + 0.05)


def luminance(colour: str) -> float:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
