"""RAM as people name it, DDR5-6000 in two channels, and how fast that is read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from advisor.foundation.errors import InputError, one_line

USUAL_TYPE, USUAL_CHANNELS = "ddr5-5600", 2  # a usual desktop's
_CHANNEL_BYTES = 8  # a channel is 64 bits wide; LPDDR's narrow ones are counted as so many of these (JEDEC JESD79, 209)
_SLOWEST, _FASTEST = 200, 12_800  # million transfers a second
_NAME = re.compile(r"(lp)?ddr([2-6])(x?)[ _-]?(\d{3,5})(?:mhz|mt/?s)?")
_MODULE = re.compile(r"pc([2-6])[ -]?(\d{4,6})[a-z]?")
# Beside what eight channels reach of their rated bandwidth: twelve of an EPYC 9355, rated at 576 GB/s, were read with
# 0.38 of it (12.2 tokens/s of Qwen3 235B in Q6_K), eight of a Threadripper PRO at 307 GB/s with 0.66 (10.2 in Q8_0;
# ikawrakow/ik_llama.cpp discussion 357 and pull 370, 2025-05).
_FEW_CHANNELS, _SHARE_OF_MANY = 8, 0.55
_SHARE_OF_OTHER_SOCKETS = 0.5  # assumed: half of what is read lies at the other processor


@dataclass(frozen=True, slots=True)
class Ram:
    """`type` as `ram_type` returns it; `channels` of one of `sockets` processors, as many as have memory in them."""

    type: str
    channels: int
    sockets: int = 1

    @property
    def name(self) -> str:
        """As people write it: "DDR5-6000"."""
        kind, rate = self.type.split("-")
        return f"{kind.upper()}-{rate}"

    @property
    def rated(self) -> float:
        """Bytes a second of all channels together, as sold."""
        return int(self.type.split("-")[1]) * 1e6 * _CHANNEL_BYTES * self.channels * self.sockets

    @property
    def bandwidth(self) -> float:
        """Rated bytes a second of a desktop that is as fast: many channels and several processors reach less."""
        found = self.rated / self.sockets * (1 + (self.sockets - 1) * _SHARE_OF_OTHER_SOCKETS)
        return found if self.channels <= _FEW_CHANNELS else found * _SHARE_OF_MANY


def ram_type(text: str) -> str:
    """ "DDR5-6000", "ddr5 6000" and "PC5-48000" as "ddr5-6000"; raises InputError for what is no memory."""
    plain = " ".join(text.lower().split())
    if found := _NAME.fullmatch(plain):
        kind, rate = f"{found[1] or ''}ddr{found[2]}{found[3]}", int(found[4])
    elif found := _MODULE.fullmatch(plain):
        kind, rate = f"ddr{found[1]}", round(int(found[2]) / _CHANNEL_BYTES)
    else:
        rate = 0
    if not _SLOWEST <= rate <= _FASTEST:
        raise InputError(
            "'{text}' is no type of memory: write its generation and its millions of transfers a second, as DDR5-6000.",
            text=one_line(text, 40),
        )
    return f"{kind}-{rate}"
