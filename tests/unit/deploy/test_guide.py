"""The guide's files: what they name is there, and the programs that read them take them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from advisor.deploy import proxy
from advisor.foundation.environment import SETTINGS

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(proxy.__file__).parent
UNITS = sorted(FOLDER.glob("*.service"))
GUIDE = (FOLDER / "README.md").read_text("utf-8")
VARIABLES = {field.alias for kind in SETTINGS for field in kind.model_fields.values()}
FILES = sorted(path for path in FOLDER.iterdir() if path.is_file() and path.suffix != ".py")


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))
    return found


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text("utf-8")))


def test_every_variable_that_the_files_set_is_one_of_ours() -> None:
    named = {name for path in FILES for name in re.findall(r"LLM_FIT_ADVISOR_[A-Z_]*[A-Z]", path.read_text("utf-8"))}
    assert {"LLM_FIT_ADVISOR_DATABASE", "LLM_FIT_ADVISOR_PROXIES", "LLM_FIT_ADVISOR_WORKERS"} <= named <= VARIABLES


def test_the_guide_speaks_of_every_file_and_of_no_other() -> None:
    known = {path.name for path in FILES} - {"README.md", "check.yml", "nginx.conf"}
    named = set(re.findall(r"\]\(([\w.-]+)\)", GUIDE))
    assert named == known


def test_the_image_holds_all_that_the_package_is_built_of() -> None:
    """What pyproject.toml reads or packs is copied before it is installed."""
    text = (FOLDER / "Containerfile").read_text("utf-8")
    copied = {word for line in re.findall(r"^COPY (?!--)(.+) \S+$", text, re.MULTILINE) for word in line.split()}
    assert all((ROOT / name).exists() for name in copied)
    settings = (ROOT / "pyproject.toml").read_text("utf-8")
    needed = set(re.findall(r'"/?([\w./-]*(?:requirements\.txt|README\.md|LICENSE|app\.py|\.streamlit))"', settings))
    assert {name for name in needed if not name.startswith("advisor/")} <= copied
    assert {"advisor", "data", "requirements.lock", "pyproject.toml"} <= copied
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    (version,) = set(re.findall(r"^FROM python:([\d.]+)-", text, re.MULTILINE))
    assert f"Python {version}" in lock[:2000]


def test_replicas_are_reached_where_they_listen_and_asked_whether_they_live() -> None:
    services = compose()["services"]
    replicas = [name for name in services if name.startswith("app-")]
    assert len(replicas) > 1
    printed = (FOLDER / "compose.yaml").read_text("utf-8")
    addresses = [services[name]["networks"]["default"]["ipv4_address"] for name in replicas]
    for text in (printed, GUIDE):
        assert re.findall(r"--at ([\d.]+):8501", text) == addresses
    assert set(services["proxy"]["depends_on"]) == set(replicas)
    by_kind = {(one["kind"], one["metadata"]["name"]): one for one in manifests()}
    (dashboard,) = by_kind["Deployment", "llm-fit-advisor"]["spec"]["template"]["spec"]["containers"]
    probes = {name: probe["httpGet"]["path"] for name, probe in dashboard.items() if name.endswith("Probe")}
    assert probes == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    assert dashboard["ports"][0]["containerPort"] == 8501
    assert "EXPOSE 8501" in (FOLDER / "Containerfile").read_text("utf-8")
    service = by_kind["Service", "llm-fit-advisor"]
    labels = by_kind["Deployment", "llm-fit-advisor"]["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    cookies = [value for name, value in service["metadata"]["annotations"].items() if name.endswith("cookie.name")]
    assert cookies == ["llm_fit_advisor_process"]


def test_no_secret_is_written_into_them() -> None:
    for path in FILES:
        for value in re.findall(r"(?:SECRET|TOKEN|advisor:)[=: ]*([\w-]+)@?", path.read_text("utf-8")):
            assert value in ("CHANGE-ME", "llm_fit_advisor_process") or not re.search(r"[0-9a-f]{16}", value), path.name


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_systemd_takes_the_units(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    text = unit.read_text("utf-8")
    (program,) = re.findall(r"^ExecStart=(\S+)", text, re.MULTILINE)
    copy = tmp_path / unit.name
    copy.write_text(text.replace(program, "/bin/true"))
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert unit.name not in checked.stderr
