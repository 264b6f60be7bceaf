"""What people deploy: the plan's own command as a container, a service, a manifest or a model's description.

The command is the one that the page shows, word by word; what is around it says where it listens, which devices it gets
and what it needs. Formats: Compose's specification, systemd.service(5), Kubernetes apps/v1, llama-swap's
`models:` (its README), Ollama's Modelfile.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from advisor.answer.answer import Answer
from advisor.answer.run_it import WayToRun, ways_to_run
from advisor.answer.verdict import verdict
from advisor.foundation.errors import InputError, choose_one_of, printable
from advisor.foundation.units import GIB, gib
from advisor.sizing.runtime_id import RuntimeId
from advisor.words import say

_FOLDER = "/models"
_PATIENCE_S = 3600  # the first start fetches the file
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*=")
# llama.cpp's docs/docker.md, vLLM's and Ollama's pages on Docker (October 2026).
_LLAMA_CPP_IMAGES = {"cuda": "server-cuda", "rocm": "server-rocm", "vulkan": "server-vulkan", "sycl": "server-intel"}
_PORTS = {RuntimeId.LLAMA_CPP: 8080, RuntimeId.VLLM: 8000, RuntimeId.OLLAMA: 11434}


@dataclass(frozen=True, slots=True)
class _Run:
    """How a plan is started: `words` are the command's, without the variables before it; `modelfile` is Ollama's."""

    runtime: RuntimeId
    name: str
    words: tuple[str, ...]
    variables: Mapping[str, str]
    port: int
    image: str
    gpus: int
    vendor: str
    host_gib: int
    modelfile: str
    about: tuple[str, ...]

    @property
    def cache(self) -> str:
        """Where what is fetched lies in its image."""
        return "/root/.ollama" if self.runtime is RuntimeId.OLLAMA else "/root/.cache"

    @property
    def wants_token(self) -> bool:
        """Whether the weights are fetched from where some want a reader's token."""
        return self.runtime is RuntimeId.VLLM


def deployment(found: Answer, what: str) -> str:
    """The text of one of `DEPLOYMENTS`; raises InputError where the plan's program is started in no such way."""
    if what not in DEPLOYMENTS:
        raise InputError(
            "There is no deployment {what}: {choose}", what=repr(what[:40]), choose=choose_one_of(DEPLOYMENTS)
        )
    made, runtimes = DEPLOYMENTS[what]
    if found.shown.verdict == "does not fit":
        raise InputError("Nothing is deployed that does not fit: {sentence}", sentence=say(verdict(found)))
    ways = {way.runtime: way for way in ways_to_run(found, found.shown) if way.runs}
    shown = RuntimeId(found.shown.plan.runtime)
    first = [shown] if shown in ways else []
    way = next((ways[one] for one in (*first, *ways) if one in runtimes and not ways[one].own_plan), None)
    if way is None:
        raise InputError(
            "{what} is made for {programs}, and the plan runs in {runtime}: ask with runtime=.",
            what=what,
            programs=", ".join(runtimes),
            runtime=str(shown),
        )
    run = _run(found, way)
    return "".join(f"# {printable(line)}\n" for line in run.about) + made(run)


def _run(found: Answer, way: WayToRun) -> _Run:
    words = [shlex.split(line.text.replace("\\\n", " ")) for line in way.lines]
    start = words[0]
    variables = dict(word.split("=", 1) for word in start if _VARIABLE.match(word))
    command = [word for word in start if not _VARIABLE.match(word)]
    plan, hardware = found.shown.plan, found.hardware
    port = _PORTS[way.runtime]
    if way.runtime is RuntimeId.LLAMA_CPP:
        command += ["--port", str(port)]
    vendor = hardware.cards[0].vendor if hardware.cards else ""
    needed = ", ".join(gib(device.needed_bytes) for device in (*plan.devices, plan.host) if device.needed_bytes)
    about = [say(verdict(found), "script"), f"Memory: {needed}", f"Asked: {found.question.to_query()}"]
    modelfile = ""
    if way.runtime is RuntimeId.OLLAMA:  # "ollama run NAME" comes after "ollama serve"
        about.append(f"Then: {way.lines[-1].text}")
        modelfile = _written_modelfile(way) or f"FROM {words[-1][2]}\nPARAMETER num_ctx {found.runs.workload.context}"
    return _Run(
        runtime=way.runtime,
        name=_name(f"{found.entry.name}-{plan.level}"),
        words=tuple(command),
        variables=variables,
        port=port,
        image=_image(way.runtime, hardware.backend, bool(plan.devices)),
        gpus=len(plan.devices),
        vendor=vendor,
        host_gib=max(2, math.ceil(plan.host.needed_bytes / GIB) + 1),
        modelfile=modelfile,
        about=tuple(about),
    )


def _written_modelfile(way: WayToRun) -> str:
    """The one that its commands create the model from, where they do."""
    return next((one.text for one in way.before if one.title.kind == "command_modelfile"), "")


def _name(text: str) -> str:
    """As a label of DNS that begins with a letter, which Kubernetes asks of a service."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return (name if name[:1].isalpha() else f"m-{name}")[:60].strip("-")


def _image(runtime: RuntimeId, backend: str, on_gpu: bool) -> str:
    if runtime is RuntimeId.VLLM:
        return "rocm/vllm:latest" if backend == "rocm" else "vllm/vllm-openai:latest"
    if runtime is RuntimeId.OLLAMA:
        return "ollama/ollama:rocm" if backend == "rocm" else "ollama/ollama:latest"
    return f"ghcr.io/ggml-org/llama.cpp:{_LLAMA_CPP_IMAGES.get(backend, 'server') if on_gpu else 'server'}"


def _compose(run: _Run) -> str:
    service: dict[str, Any] = {
        "image": run.image,
        "entrypoint": [_program(run)],
        "command": [word.replace("$", "$$") for word in _inside(run)],  # Compose fills in variables
        "ports": [f"127.0.0.1:{run.port}:{run.port}"],
        "volumes": [f"./models:{_FOLDER}", f"cache:{run.cache}"],
        "working_dir": _FOLDER,
        "ipc": "host",
        "restart": "unless-stopped",
    }
    # Without a value, a variable is whatever it is where Compose runs.
    environment: dict[str, str | None] = {**run.variables, **({"HF_TOKEN": None} if run.wants_token else {})}
    if environment:
        service["environment"] = environment
    if run.gpus and run.vendor == "NVIDIA":
        devices = {"driver": "nvidia", "count": run.gpus, "capabilities": ["gpu"]}
        service["deploy"] = {"resources": {"reservations": {"devices": [devices]}}}
    elif run.gpus:
        service["devices"] = ["/dev/kfd", "/dev/dri"] if run.vendor == "AMD" else ["/dev/dri"]
    return _yaml({"services": {run.name: service}, "volumes": {"cache": {}}})


def _kubernetes(run: _Run) -> str:
    labels = {"app": run.name}
    resource = {"NVIDIA": "nvidia.com/gpu", "AMD": "amd.com/gpu", "Intel": "gpu.intel.com/xe"}.get(run.vendor)
    limits = {resource: run.gpus} if resource and run.gpus else {}
    container: dict[str, Any] = {
        "name": "server",
        "image": run.image,
        "command": [_program(run)],
        "args": _inside(run),
        "workingDir": _FOLDER,
        "ports": [{"containerPort": run.port}],
        "resources": {"requests": {"memory": f"{run.host_gib}Gi"}, **({"limits": limits} if limits else {})},
        "volumeMounts": [
            {"name": "models", "mountPath": _FOLDER},
            {"name": "models", "mountPath": run.cache, "subPath": "cache"},  # what is fetched outlives the pod
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108
        ],
        "readinessProbe": {"httpGet": {"path": _health(run), "port": run.port}, "periodSeconds": 10},
    }
    env: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in run.variables.items()]
    if run.wants_token:
        secret = {"name": "hf-token", "key": "token", "optional": True}
        env.append({"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": secret}})
    if env:
        container["env"] = env
    volumes = [
        {"name": "models", "persistentVolumeClaim": {"claimName": "models"}},
        {"name": "shm", "emptyDir": {"medium": "Memory"}},
    ]
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], "volumes": volumes}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    service = {"selector": labels, "ports": [{"port": run.port}]}
    named = {"name": run.name}
    deployed = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": named, "spec": spec}
    return f"{_yaml(deployed)}---\n{_yaml({'apiVersion': 'v1', 'kind': 'Service', 'metadata': named, 'spec': service})}"


def _systemd(run: _Run) -> str:
    # systemd expands % and $ in a command, and takes the whole path of a program where it has no PATH.
    # Of these servers vLLM alone listens on every interface.
    words = (*run.words, "--host", "127.0.0.1") if run.runtime is RuntimeId.VLLM else run.words
    command = " ".join(_unit_word(word) for word in words)
    variables = "".join(f"Environment={_unit_word(f'{name}={value}')}\n" for name, value in run.variables.items())
    if run.wants_token:
        variables += f"EnvironmentFile=-/etc/default/{run.name}\n"  # for HF_TOKEN, where there is one
    # NVIDIA's devices are open to everybody.
    groups = "SupplementaryGroups=render\n" if run.gpus and run.vendor in ("AMD", "Intel") else ""
    return (
        f"[Unit]\nDescription={run.name}\nAfter=network-online.target\nWants=network-online.target\n\n"
        f"[Service]\nWorkingDirectory=/var/lib/models\n{variables}ExecStart=/usr/bin/env {command}\n"
        f"Restart=on-failure\nRestartSec=5\nLimitMEMLOCK=infinity\nNoNewPrivileges=true\nDynamicUser=true\n{groups}"
        "StateDirectory=models\nCacheDirectory=models\nEnvironment=HOME=/var/lib/models\n"
        "Environment=XDG_CACHE_HOME=/var/cache/models\n\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )


def _unit_word(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$")
    return '"' + escaped.replace('"', '\\"') + '"' if re.search(r"[\s\"';]", escaped) else escaped


def _llama_swap(run: _Run) -> str:
    # llama-swap chooses the port.
    words = list(run.words)
    words[words.index("--port") + 1] = "${PORT}"
    command = " ".join(word if word == "${PORT}" else shlex.quote(word) for word in words)
    model: dict[str, Any] = {"cmd": command, "ttl": 600}
    if run.variables:
        model["env"] = [f"{name}={value}" for name, value in run.variables.items()]
    return _yaml({"healthCheckTimeout": _PATIENCE_S, "models": {run.name: model}})


def _modelfile(run: _Run) -> str:
    return f"{run.modelfile}\n"


def _program(run: _Run) -> str:
    """As it lies in the image: llama.cpp's is not on the PATH there."""
    return "/app/llama-server" if run.runtime is RuntimeId.LLAMA_CPP else run.words[0]


def _inside(run: _Run) -> list[str]:
    """The command's words in a container, whose own network is all that it listens on."""
    every = ["--host", "0.0.0.0"] if run.runtime is RuntimeId.LLAMA_CPP else []  # noqa: S104
    return [*run.words[1:], *every]


def _health(run: _Run) -> str:
    return "/" if run.runtime is RuntimeId.OLLAMA else "/health"


class _Plain(yaml.SafeDumper):
    """Writes what occurs twice twice: people read these files."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _yaml(document: Any) -> str:
    return str(
        yaml.dump(document, Dumper=_Plain, sort_keys=False, default_flow_style=False, width=120, allow_unicode=True)
    )


_SERVERS = (RuntimeId.LLAMA_CPP, RuntimeId.VLLM, RuntimeId.OLLAMA)
DEPLOYMENTS: Mapping[str, tuple[Callable[[_Run], str], tuple[RuntimeId, ...]]] = {
    "compose": (_compose, _SERVERS),
    "kubernetes": (_kubernetes, _SERVERS),
    "systemd": (_systemd, _SERVERS),
    "llama-swap": (_llama_swap, (RuntimeId.LLAMA_CPP,)),
    "modelfile": (_modelfile, (RuntimeId.OLLAMA,)),
}
