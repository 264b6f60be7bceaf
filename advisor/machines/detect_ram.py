"""Type and channels of this machine's RAM, where a program without special rights may know them.

Linux' firmware tables are for root alone; systemd's device manager reads them at the start and leaves what it found
(`dmi_memory_id`, since version 248). Windows tells anybody.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from advisor.foundation.errors import InputError
from advisor.machines.detect_system import read_text, run_command
from advisor.machines.ram import USUAL_CHANNELS, Ram, ram_type

_FOUND_BY_SYSTEMD = "run/udev/data/+dmi:id"
_FIELD = re.compile(r"^E:MEMORY_DEVICE_(\d+)_(\w+)=(.+)$", re.MULTILINE)
_SOCKET = re.compile(r"(?:\bP|CPU|NODE|SOCKET) ?(\d+)", re.IGNORECASE)
_CHANNEL = re.compile(r"CH(?:ANNEL)?[ _-]?([A-P]|\d+)", re.IGNORECASE)
_WINDOWS = (
    "Get-CimInstance Win32_PhysicalMemory | ForEach-Object { "
    '"$($_.SMBIOSMemoryType)|$($_.ConfiguredClockSpeed)|$($_.BankLabel) $($_.DeviceLocator)" }'
)
_WINDOWS_TYPES = {"24": "ddr3", "26": "ddr4", "30": "lpddr4", "34": "ddr5", "35": "lpddr5"}  # SMBIOS 3.7, table 7.18.2


def detected_ram(root: Path) -> Ram | None:
    """What is known of the RAM below `root`, the file system of Linux; None where nobody says."""
    if sys.platform == "win32":
        return ram_of_windows(run_command("powershell", "-NoProfile", "-Command", _WINDOWS))
    return ram_of_systemd(read_text(root / _FOUND_BY_SYSTEMD))


def ram_of_systemd(text: str) -> Ram | None:
    """From the properties of the device `dmi:id`."""
    devices: dict[str, dict[str, str]] = {}
    for number, name, value in _FIELD.findall(text):
        devices.setdefault(number, {})[name] = value.strip()
    found = [
        (one.get("TYPE", ""), one.get("CONFIGURED_SPEED_MTS", one.get("SPEED_MTS", "")), _place(one))
        for one in devices.values()
        if one.get("PRESENT") != "0" and one.get("SIZE") != "0"
    ]
    return _ram(found)


def ram_of_windows(text: str | None) -> Ram | None:
    """From what `Win32_PhysicalMemory` says, a line a module: type, million transfers a second, where it is."""
    rows = [line.strip().split("|", 2) for line in (text or "").splitlines() if line.count("|") >= 2]
    return _ram([(_WINDOWS_TYPES.get(kind, ""), speed, place) for kind, speed, place in rows])


def _place(device: Mapping[str, str]) -> str:
    return f"{device.get('BANK_LOCATOR', '')} {device.get('LOCATOR', '')}"


def _ram(modules: list[tuple[str, str, str]]) -> Ram | None:
    """Modules of one type and speed; the slowest counts, as it does for the board."""
    try:
        types = [ram_type(f"{kind}-{speed}") for kind, speed, _ in modules]
    except InputError:
        return None
    if not types:
        return None
    slowest = min(types, key=lambda one: int(one.split("-")[1]))
    places = [(_number(_SOCKET, place), _number(_CHANNEL, place)) for _, _, place in modules]
    sockets = len({socket for socket, _ in places}) or 1
    named = {place for place in places if place[1] is not None}
    # Boards that do not name their channels are desktops: two, of which a single module fills one.
    channels = len(named) // sockets if named else min(USUAL_CHANNELS, len(modules))
    return Ram(slowest, max(1, min(16, channels)), min(8, sockets))


def _number(pattern: re.Pattern[str], place: str) -> str | None:
    found = pattern.search(place)
    return found[1].upper() if found else None
