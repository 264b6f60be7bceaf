"""How fast a plan runs: a roofline whose constants are fitted to published measurements."""

from advisor.speed.backends import BACKENDS, Backend, default_backend
from advisor.speed.catalogued import speed_of
from advisor.speed.estimate import Speed, estimate_speed
from advisor.speed.load import SpeedLoad, gguf_load, placed_load, safetensors_load
from advisor.speed.measurements import Measurement, measured_on, measurements

__all__ = [
    "BACKENDS",
    "Backend",
    "Measurement",
    "Speed",
    "SpeedLoad",
    "default_backend",
    "estimate_speed",
    "gguf_load",
    "measured_on",
    "measurements",
    "placed_load",
    "safetensors_load",
    "speed_of",
]
