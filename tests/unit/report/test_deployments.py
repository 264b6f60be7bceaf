"""What people deploy holds the page's own command, and is what its format asks for."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from advisor.__main__ import main
from advisor.answer.answer import Answer, answer
from advisor.answer.run_it import ways_to_run
from advisor.command_line import DEPLOYMENTS as KNOWN
from advisor.foundation.errors import InputError
from advisor.question.question import Question
from advisor.report import deployments
from advisor.report.deployments import DEPLOYMENTS, deployment
from advisor.sizing.runtime_id import RuntimeId

LLAMA = "model=llama-3.1-8b-instruct&machine=rtx-4090&runtime=llama.cpp"
VLLM = "model=llama-3.1-8b-instruct&machine=rtx-4090&gpus=2&runtime=vllm&users=8"
AMD = "model=llama-3.1-8b-instruct&machine=rx-7900-xtx&runtime=llama.cpp"
OLLAMA = "model=llama-3.1-8b-instruct&machine=rtx-4090&runtime=ollama&context=16384"
OLLAMA_FROM_FILES = "model=qwen2.5-vl-7b-instruct&machine=rtx-4090&runtime=ollama&vision=on&context=16384"
EXPERTS = "model=qwen3-30b-a3b&machine=rtx-4090&cpu_moe_layers=all&host_memory_gib=64&runtime=llama.cpp"


def found(query: str) -> Answer:
    return answer(Question.from_query(query))


def command(reply: Answer) -> list[str]:
    """The page's own."""
    way = next(way for way in ways_to_run(reply, reply.shown) if way.runtime == reply.shown.plan.runtime)
    return [word for word in shlex.split(way.lines[0].text.replace("\\\n", " ")) if "=" not in word.split("-")[0]]


def loaded(text: str) -> Any:
    documents = list(yaml.safe_load_all(text))
    return documents[0] if len(documents) == 1 else documents


def test_the_command_line_knows_them_all() -> None:
    assert tuple(DEPLOYMENTS) == KNOWN


@pytest.mark.parametrize("query", [LLAMA, VLLM, AMD, OLLAMA])
def test_containers_run_the_command_of_the_page(query: str) -> None:
    reply = found(query)
    (service,) = loaded(deployment(reply, "compose"))["services"].values()
    words = command(reply)
    assert service["command"][: len(words) - 1] == words[1:]
    assert service["entrypoint"][0].endswith(words[0])
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    deployed, exposed = loaded(deployment(reply, "kubernetes"))
    (container,) = deployed["spec"]["template"]["spec"]["containers"]
    assert container["args"][: len(words) - 1] == words[1:]
    assert exposed["spec"]["ports"][0]["port"] == container["ports"][0]["containerPort"]
    assert exposed["spec"]["selector"] == deployed["spec"]["template"]["metadata"]["labels"]


def test_devices_are_those_of_the_plan() -> None:
    (service,) = loaded(deployment(found(VLLM), "compose"))["services"].values()
    assert service["deploy"]["resources"]["reservations"]["devices"][0]["count"] == 2
    (container,) = loaded(deployment(found(VLLM), "kubernetes"))[0]["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": 2}
    (service,) = loaded(deployment(found(AMD), "compose"))["services"].values()
    assert service["devices"] == ["/dev/kfd", "/dev/dri"]


def test_a_service_of_systemd(tmp_path: Path) -> None:
    text = deployment(found(OLLAMA), "systemd")
    unit = configparser.RawConfigParser(strict=False)
    unit.read_string(text)
    assert unit["Service"]["ExecStart"] == "/usr/bin/env ollama serve"
    assert "Environment=OLLAMA_CONTEXT_LENGTH=16384" in text
    # A user of its own has no home, and Ollama keeps its models there.
    assert "Environment=HOME=/var/lib/models" in text
    assert "SupplementaryGroups=render" in deployment(found(AMD), "systemd")


@pytest.mark.parametrize("query", [LLAMA, VLLM, AMD, OLLAMA, EXPERTS])
@pytest.mark.parametrize("what", ["compose", "kubernetes", "systemd", "llama-swap"])
def test_the_programs_themselves_take_it(query: str, what: str, tmp_path: Path) -> None:
    """Those that are installed here."""
    reply = found(query)
    if RuntimeId(reply.shown.plan.runtime) not in DEPLOYMENTS[what][1]:
        return
    file = tmp_path / f"model.{'service' if what == 'systemd' else 'yaml'}"
    file.write_text(deployment(reply, what), "utf-8")
    words = {
        "compose": ["docker-compose", "-f", str(file), "config", "--quiet"],
        "kubernetes": ["kubernetes-validate", "--strict", str(file)],
        "systemd": ["systemd-analyze", "verify", str(file)],
        "llama-swap": ["llama-server", *command(reply)[1:], "--help"],  # which reads what stands before it
    }[what]
    beside_python = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    program = shutil.which(words[0], path=beside_python)
    if program is None:
        pytest.skip(f"there is no {words[0]}")
    subprocess.run([program, *words[1:]], check=True, stdout=subprocess.DEVNULL)


def test_configurations_of_programs() -> None:
    (model,) = loaded(deployment(found(LLAMA), "llama-swap"))["models"].values()
    assert "${PORT}" in model["cmd"]
    assert shlex.split(model["cmd"])[: len(command(found(LLAMA)))] == command(found(LLAMA))
    lines = [line for line in deployment(found(OLLAMA), "modelfile").splitlines() if not line.startswith("#")]
    assert lines[0].startswith("FROM ")
    assert lines[1] == "PARAMETER num_ctx 16384"
    made = deployment(found(OLLAMA_FROM_FILES), "modelfile")
    assert "# Then: ollama create" in made
    assert re.findall("^FROM (.*)$", made, re.MULTILINE) == [
        "./Qwen2.5-VL-7B-Instruct-Q8_0.gguf",
        "./mmproj-Qwen2.5-VL-7B-Instruct-F16.gguf",
    ]


def test_what_is_fetched_is_kept_and_a_token_comes_from_outside() -> None:
    for query, folder in ((LLAMA, "/root/.cache"), (OLLAMA, "/root/.ollama")):
        (service,) = loaded(deployment(found(query), "compose"))["services"].values()
        assert f"cache:{folder}" in service["volumes"]
        (container,) = loaded(deployment(found(query), "kubernetes"))[0]["spec"]["template"]["spec"]["containers"]
        assert folder in {one["mountPath"] for one in container["volumeMounts"]}
    (service,) = loaded(deployment(found(VLLM), "compose"))["services"].values()
    assert service["environment"] == {"HF_TOKEN": None}
    assert "--host 127.0.0.1" in deployment(found(VLLM), "systemd")


def test_names_are_those_of_services() -> None:
    for text in ("70B-Q4_K_M", "Qwen3.5 " * 20, "_x_"):
        assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", deployments._name(text))


def test_what_cannot_be_deployed_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="ask with runtime="):
        deployment(found(VLLM), "llama-swap")
    with pytest.raises(InputError, match="does not fit"):
        deployment(found("model=llama-3.1-405b-instruct&machine=rtx-4090"), "compose")
    with pytest.raises(InputError, match="choose one of"):
        deployment(found(LLAMA), "helm")
    assert main(["deploy", LLAMA, "--as", "llama-swap"]) == 0
    assert capsys.readouterr().out.startswith("# ")
