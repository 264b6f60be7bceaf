"""Which machine of the catalogue a provider means, and where a location lies."""

from __future__ import annotations

import re

from advisor.costs.price_rows import Region

_IDS = {
    ("A10", 24): "nvidia-a10",
    ("A10G", 24): "nvidia-a10g",
    ("A16", 16): "nvidia-a16-per-gpu",
    ("A30", 24): "nvidia-a30",
    ("A40", 48): "nvidia-a40",
    ("A4000", 16): "rtx-a4000",
    ("A5000", 24): "rtx-a5000",
    ("A6000", 48): "rtx-a6000",
    ("B200", 180): "b200-sxm-180gb",
    ("B300", 270): "b300-sxm",
    ("GH200", 96): "gh200-96gb",
    ("H100NVL", 94): "h100-nvl-94gb",
    ("H200", 141): "h200-sxm-141gb",
    ("H200NVL", 141): "h200-nvl-141gb",
    ("L4", 24): "nvidia-l4",
    ("L40", 48): "nvidia-l40",
    ("L40S", 48): "nvidia-l40s",
    ("MI300X", 192): "mi300x",
    ("MI325X", 256): "mi325x",
    ("MI350X", 288): "mi350x",
    ("MI355X", 288): "mi355x",
    ("RTX3080", 10): "rtx-3080-10gb",
    ("RTX3080TI", 12): "rtx-3080-ti",
    ("RTX3090", 24): "rtx-3090",
    ("RTX4000ADA", 20): "rtx-4000-ada",
    ("RTX4090", 24): "rtx-4090",
    ("RTX5090", 32): "rtx-5090",
    ("RTX6000", 24): "quadro-rtx-6000",
    ("RTX6000ADA", 48): "rtx-6000-ada",
    ("RTXPRO6000", 96): "rtx-pro-6000-blackwell-server",
    ("T4", 16): "tesla-t4",
    ("V100", 16): "tesla-v100-sxm2-16gb",
    ("V100", 32): "tesla-v100-sxm2-32gb",
}
# Sold in two forms under one name: (PCIe card, module on a board).
_TWO_FORMS = {
    ("A100", 40): ("a100-pcie-40gb", "a100-sxm4-40gb"),
    ("A100", 80): ("a100-pcie-80gb", "a100-sxm4-80gb"),
    ("H100", 80): ("h100-pcie-80gb", "h100-sxm5-80gb"),
}
_MODULES_ONLY = {"AWS", "Google Cloud", "Oracle OCI", "Nebius", "Verda"}
_MEMORY = {name: memory for name, memory in _IDS if name != "V100"} | {"A100": 40, "H100": 80}

_SWISS = re.compile(r"switzerland|europe-west6|eu-central-2|ch-|swi", re.IGNORECASE)
_EUROPEAN = re.compile(
    r"eur?-|eu$|europe|(north|west|south|central)?(germany|france|sweden|italy|spain|poland|uk)|fin-|norway|iceland|"
    r"northeurope|westeurope|(de|fr|nl|se|no|fi|at|cz|ro|is|gb|uk|pl|es|it|be|ie|pt|bg)(-|$)",
    re.IGNORECASE,
)
_AMERICAN = re.compile(r"us-|us$|(north|south|east|west|central)+us\d?|united states|usa", re.IGNORECASE)


def gpu_id_of(name: str, memory_gib: float | None, provider: str, instance: str) -> str | None:
    """The catalogue's id of a GPU; None where the catalogue has none or two forms cannot be told apart."""
    plain = re.sub(r"[^A-Z0-9]", "", name.upper().replace("NVIDIA", ""))
    plain = re.sub(r"^RTXA(\d000)$", r"A\1", plain)
    if found := re.fullmatch(r"(A100|H100|V100)(SXM\d?|PCIE)?(\d+)GB(SXM\d?|PCIE)?", plain):
        plain, memory_gib = found[1], float(found[3])
    form = f"{name} {instance}".lower()
    if plain in ("H100SXM", "A100SXM", "H100PCIE", "A100PCIE"):
        plain = plain[:4]
    memory = _MEMORY.get(plain) if memory_gib is None else round(memory_gib)
    if memory is None:
        return None
    if (plain, memory) in _TWO_FORMS:
        card, module = _TWO_FORMS[plain, memory]
        if "pcie" in form:
            return card
        if "sxm" in form or provider in _MODULES_ONLY:
            return module
        if provider == "Azure":
            return module if re.search(r"(^|_)ND", instance) else card
        return None
    return _IDS.get((plain, memory))


def region_of(location: str) -> Region | None:
    """Where a provider's location lies; None where it is elsewhere, or cannot be told."""
    if _SWISS.match(location):
        return "ch"
    if _AMERICAN.match(location):
        return "us"
    return "eu" if _EUROPEAN.match(location) else None
