"""What comes with the program: settings, data, requirements and the ways to change it, each as it is written down."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from advisor.foundation import places
from advisor.foundation.environment import SETTINGS, environment, real_run_environment
from advisor.foundation.errors import InputError
from advisor.foundation.often_read import CACHE, LANGUAGE, cache_setting, language_setting
from tests.benchmarks.import_graph import drawn

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
VARIABLES = {field.alias: field.description for kind in SETTINGS for field in kind.model_fields.values()}
# What hands the environment on to other programs or to numpy, and what reads it: two of them by themselves.
_MAY_READ = {
    "advisor/quantize/tools.py",
    "advisor/quantize/supervise.py",
    "advisor/deploy/processes.py",
    "advisor/foundation/environment.py",
    "advisor/foundation/often_read.py",
    "advisor/foundation/quick_classes.py",
}


def sources() -> dict[str, str]:
    return {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in (ROOT / "advisor").rglob("*.py")}


def test_readme_shows_every_setting_as_the_program_has_it() -> None:
    section = README.split("\n## Settings\n")[1].split("\n## ")[0]
    assert dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", section, re.MULTILINE)) == VARIABLES


def test_environment_variables_are_read_in_one_place() -> None:
    reading = {name for name, text in sources().items() if re.search(r"\benviron\b|\bgetenv\b", text)}
    assert reading <= _MAY_READ


@pytest.mark.parametrize("given", [None, "", " /a/folder "])
def test_what_is_read_often_is_what_the_environment_says(monkeypatch: pytest.MonkeyPatch, given: str | None) -> None:
    for name in (CACHE, LANGUAGE):
        monkeypatch.delenv(name, raising=False)
        if given is not None:
            monkeypatch.setenv(name, given)
    assert (cache_setting(), language_setting()) == (environment().cache, environment().language)


def test_variables_that_texts_name_are_known() -> None:
    named = {
        name
        for text in sources().values()
        for name in re.findall(r"\b(?:LLM_FIT_ADVISOR_[A-Z_]*[A-Z]|LLAMA_CPP_(?:BIN|DIR|PYTHON))\b", text)
    }
    assert named
    assert named <= set(VARIABLES)


def test_an_empty_variable_is_not_set_but_for_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(str(name), raising=False)
    unset = environment(), real_run_environment()
    assert unset[0].cache is None
    for name in VARIABLES:
        if name not in ("LLM_FIT_ADVISOR_CACHE", "CUDA_VISIBLE_DEVICES"):
            monkeypatch.setenv(str(name), "")
    assert (environment(), real_run_environment()) == unset
    monkeypatch.setenv("LLM_FIT_ADVISOR_CACHE", "")
    assert environment().cache == ""


@pytest.mark.parametrize(
    ("name", "value"), [("LLM_FIT_ADVISOR_QUANTIZE", "s3cret"), ("LLM_FIT_ADVISOR_QUANTIZE_MAX_GB", "s3cret")]
)
def test_a_wrong_value_is_named_by_its_variable_and_not_shown(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=rf"^{name} must be .*\.$") as caught:
        real_run_environment()
    assert value not in str(caught.value)


def test_no_setting_shows_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_FIT_ADVISOR_DATABASE", "postgresql://u:s3cret@h/d")
    monkeypatch.setenv("LLM_FIT_ADVISOR_QUEUE", "redis://:s3cret@h")
    assert "s3cret" not in f"{environment()!r} {real_run_environment()!r}"


def test_an_installed_package_finds_its_own_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site" / "data").mkdir(parents=True)  # somebody else's
    copy = tmp_path / "site" / "advisor" / "_shipped"
    copy.mkdir(parents=True)
    assert places.top_folder() == ROOT
    monkeypatch.setattr(places, "_PACKAGE", copy.parent)
    monkeypatch.setattr(places, "IMPORT_FOLDER", tmp_path / "site")
    places.top_folder.cache_clear()
    try:
        assert places.data_folder() == copy / "data"
        assert "[real-run]" in places.real_run_install()
    finally:
        places.top_folder.cache_clear()


def test_nothing_but_one_module_looks_for_the_data() -> None:
    looking = {name for name, text in sources().items() if re.search(r"""parents\[|\.parent\b.*["']data["']""", text)}
    assert looking == {"advisor/foundation/places.py"}


def test_lock_pins_what_is_required_and_names_no_server() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert not re.findall(r"\w+://|--(?:extra-)?index-url [^-]|^--(?!hash)", lock, re.MULTILINE)
    pins = dict(re.findall(r"^([\w.-]+)==([^ \\]+) \\$", lock, re.MULTILINE))
    assert len(re.findall(r"^[\w.-]+==.*\\\n +--hash=sha256:", lock, re.MULTILINE)) == len(pins) > 40
    # What servers need, logging in included.
    required = [(ROOT / path).read_text("utf-8") for path in ("requirements.txt", "advisor/ui/requirements.txt")]
    for line in "\n".join(required).splitlines():
        if line and not line.startswith("#"):
            one = Requirement(line)
            assert one.specifier.contains(pins[canonicalize_name(one.name)]), line


def test_files_of_the_quick_tests_exist() -> None:
    files = (ROOT / "tests" / "quick.txt").read_text("utf-8").split()
    assert files
    assert all((ROOT / file).is_file() for file in files)


def test_every_file_of_data_has_somebody_who_edits_it() -> None:
    patterns = [
        name
        for row in re.findall(r"^\| (`[^|]*) \|", (ROOT / "data" / "README.md").read_text("utf-8"), re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", row)
    ]
    named = {path for name in patterns for path in (ROOT / "data").glob(name + "**/*" if name.endswith("/") else name)}
    assert all(any((ROOT / "data").glob(name + "*" if name.endswith("/") else name)) for name in patterns)
    tables = {path for path in (ROOT / "data").rglob("*") if path.suffix in (".csv", ".json", ".ttf", ".png")}
    assert tables <= named


def test_picture_of_imports_is_current() -> None:
    assert drawn(CONTRIBUTING) == CONTRIBUTING, "run: python -m tests.benchmarks.import_graph"


def test_documented_changes_work(tmp_path: Path) -> None:
    """The diffs of CONTRIBUTING.md, applied to a copy, and questions that only they can answer."""
    for part in ("advisor", "data"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    diffs = re.findall(r"^```diff\n(.*?)^```", CONTRIBUTING, re.MULTILINE | re.DOTALL)
    assert len(diffs) == 6
    for diff in diffs:
        command = ["git", "apply", "--unidiff-zero", "-"]
        applied = subprocess.run(command, cwd=tmp_path, input=diff.encode(), capture_output=True, check=False)
        assert applied.returncode == 0, (diff, applied.stderr)
    model = json.loads((tmp_path / "data" / "models" / "example-1b.json").read_text("utf-8"))
    sizes = {row["level"]: row for row in ask(tmp_path, "sizes", "example-1b")["levels"]}
    assert sizes["F32"]["tensor_bytes"] == 4 * model["parameters"]["counted"]

    plan = ask(tmp_path, "plan", "model=example-1b&machine=example-40gb&requests_per_day=1000&currency=GBP")
    assert plan["decision"]["plan"]["level"]
    assert "Example Cloud" in plan["money"]["rent"]["title"]
    assert plan["money"]["currency"] == "GBP"

    config = tmp_path / "config.json"
    config.write_text(json.dumps({**model["config"], "model_type": "example", "architectures": ["ExampleForCausalLM"]}))
    assert {row["level"] for row in ask(tmp_path, "sizes", str(config))["levels"]} == set(sizes)

    query = "model=example-1b&machine=h100-sxm5-80gb&gpus=2&runtime=example&level=FP8-dynamic"
    plan = ask(tmp_path, "plan", query)["decision"]["plan"]
    assert (plan["runtime"], plan["level"]) == ("example", "FP8-dynamic")


def ask(folder: Path, *question: str) -> Any:
    command = [sys.executable, "-m", "advisor", *question, "--format", "json"]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)
