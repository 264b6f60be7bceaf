"""`lspci`: which cards there are, without their memory; display chips of server boards are no cards for models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from advisor.sources.pastes.text import Reading

_DEVICE = re.compile(
    r"^(?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\s+(?:VGA compatible controller|3D controller|Display controller|"
    r"Processing accelerators)(?:\s+\[[0-9a-f]{4}\])?:\s*(.+)$"
)
_END = re.compile(r"\s*\((?:rev|prog-if) [^)]*\)")
_PCI_ID = re.compile(r"\s*\[([0-9a-f]{4}):([0-9a-f]{4})\]")
_UNNAMED = re.compile(r"\bDevice ([0-9a-f]{4})$")
_VENDORS = {
    "NVIDIA Corporation": "NVIDIA",
    "Advanced Micro Devices, Inc. [AMD/ATI]": "AMD",
    "Advanced Micro Devices, Inc. [AMD]": "AMD",
    "Intel Corporation": "Intel",
}
# Cards newer than the list of names that many installations have; names as in pci.ids (pci-ids.ucw.cz, October 2026).
_NEWER = {
    "NVIDIA": {
        "2901": "B200",
        "2b85": "GeForce RTX 5090",
        "2bb1": "RTX PRO 6000 Blackwell Workstation Edition",
        "2bb4": "RTX PRO 6000 Blackwell Max-Q Workstation Edition",
        "2bb5": "RTX PRO 6000 Blackwell Server Edition",
        "2c02": "GeForce RTX 5080",
        "2c05": "GeForce RTX 5070 Ti",
        "2f04": "GeForce RTX 5070",
    }
}


def read(lines: Sequence[str]) -> Reading | None:
    """The cards of NVIDIA, AMD and Intel and, in `ignored`, what else draws a picture; None where nothing is listed."""
    gpus: list[dict[str, Any]] = []
    ignored: list[str] = []
    for line in lines:
        if (found := _DEVICE.match(line.strip())) is None:
            continue
        text = _END.sub("", found[1]).strip()
        listed = _PCI_ID.search(text)
        text = _PCI_ID.sub("", text).strip()
        maker = next((name for name in _VENDORS if text.startswith(name)), None)
        if maker is None:
            ignored.append(re.sub(r"^.*?(?:Inc\.|Corporation|Ltd\.|LLC)\s*", "", text) or text)
            continue
        name = text.removeprefix(maker).strip()
        if unnamed := _UNNAMED.search(name):
            gpus.append({"name": None, "pci_device": unnamed[1], "vendor": _VENDORS[maker]})
        else:
            number = {"pci_device": listed[2]} if listed else {}
            bracketed = re.findall(r"\[([^\]]+)\]", name)
            gpus.append({"name": bracketed[-1] if bracketed else name, **number, "vendor": _VENDORS[maker]})
    if not gpus and not ignored:
        return None
    return Reading("lspci", {"gpus": gpus, **({"ignored": ignored} if ignored else {})})


def newer_name(vendor: str, device: str) -> str | None:
    """The name of a card that an older list does not know."""
    return _NEWER.get(vendor, {}).get(device)
