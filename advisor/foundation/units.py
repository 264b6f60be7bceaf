"""Bytes and counts as people read them. GB is 1000^3 bytes and GiB is 1024^3; the unit is always shown."""

KIB = 1024
MIB = 1024**2
GIB = 1024**3
KB = 1000
MB = 1000**2
GB = 1000**3


def gb(n: float) -> str:
    """Return `n` bytes in decimal units, as file sizes and disks are sold: "26.4 GB", "350.0 MB"."""
    return _scaled(n, ((GB, "GB"), (MB, "MB"), (KB, "kB")))


def gib(n: float) -> str:
    """Return `n` bytes in binary units, as memory is counted: "24.6 GiB", "450.0 MiB"."""
    return _scaled(n, ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")))


def format_bytes(n: float) -> str:
    """Return `n` bytes in both units: "26.4 GB (24.6 GiB)"."""
    return f"{gb(n)} ({gib(n)})"


def format_count(n: float) -> str:
    """Return a number of parameters or tokens: "70.6 B", "494.0 M", "1.0 T"."""
    return _scaled(n, ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K")), smallest="")


def _scaled(n: float, scales: tuple[tuple[int, str], ...], smallest: str = "B") -> str:
    """Return `n` with one decimal in the first unit of `scales` (largest first) that it fills."""
    for (size, unit), (lower, _) in zip(scales, (*scales[1:], (10, "")), strict=True):
        # Half a digit less is enough: 999.96 MB would print as "1,000.0 MB".
        if abs(n) >= size - 0.05 * lower:
            return f"{n / size:,.1f} {unit}"
    return f"{n:,.0f} {smallest}".rstrip()
