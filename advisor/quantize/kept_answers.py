"""llama.cpp's answers as something that can be kept: what exactly was asked, and what was said."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from advisor.formats.gguf_levels import Level
from advisor.foundation.caches import kept_beside
from advisor.models.model import Model
from advisor.quantize.ask import Answer, DeviceAnswer
from advisor.sizing.settings import Settings
from advisor.sources.local_measurements import tensors_key

_tensors = kept_beside(tensors_key)


@dataclass(frozen=True, slots=True)
class Told:
    """llama.cpp's answer. `dry_run_bytes` None: nobody here could say, see `why`."""

    said: Answer
    dry_run_bytes: int | None
    why: str


def key_of(model: Model, level: Level, settings: Settings, imatrix: bool) -> str:
    """What is asked, whatever question it came from. The answer is about the devices of the machine it is asked on."""
    asked = [_tensors(model), level.name, imatrix, asdict(settings), platform.node()]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def as_json(told: Told) -> dict[str, Any]:
    return asdict(told)


def from_json(kept: Mapping[str, Any]) -> Told | None:
    """None where another version wrote it."""
    try:
        said = kept["said"]
        devices = tuple(DeviceAnswer(**device) for device in said["devices"])
        return Told(Answer(said["engine"], devices), kept["dry_run_bytes"], kept["why"])
    except (KeyError, TypeError):
        return None
