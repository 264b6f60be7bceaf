"""A company's logo, checked before anything draws it: small, a PNG or an SVG, and nothing that runs or fetches."""

from __future__ import annotations

import re
import struct
import zlib
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from advisor.foundation.errors import InputError
from advisor.report.document import Logo

LOGO_BYTES = 256 * 1024
LOGO_PIXELS = 4_000_000
_SVG_ELEMENTS = 5_000
_PNG_START = b"\x89PNG\r\n\x1a\n"
_COLOUR_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # PNG colour type -> samples a pixel
_SVG = "http://www.w3.org/2000/svg"
# What shapes, gradients and plain text need. Anything else (script, image, animation) is refused.
_SVG_ALLOWED = {
    *("svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "defs", "use", "symbol", "title"),
    *("desc", "metadata", "style", "linearGradient", "radialGradient", "stop", "clipPath", "mask"),
}
_SVG_USES = 20  # copies of copies multiply
_ELSEWHERE = re.compile(r"url\(\s*['\"]?\s*(?!#)|@import|javascript:|data:", re.IGNORECASE)
# Editors keep their own elements and metadata in namespaces of their own, which nothing draws.
_IGNORED_NAMESPACES = ("sodipodi", "inkscape", "purl.org", "creativecommons.org", "rdf-syntax", "bohemiancoding")


def checked_logo(data: bytes) -> Logo:
    """The logo of a file's bytes; raises InputError in one sentence when it may not be used."""
    if len(data) > LOGO_BYTES:
        raise InputError(
            "The logo has {count:,} bytes; at most {logo_bytes:,} are kept: make it smaller.",
            count=len(data),
            logo_bytes=LOGO_BYTES,
        )
    if data.startswith(_PNG_START):
        _check_png(data)
        return Logo(data, "png")
    if b"<svg" in data[:4096]:
        _check_svg(data)
        return Logo(data, "svg")
    raise InputError("The logo is neither a PNG nor an SVG file: save it as one of the two.")


def _check_png(data: bytes) -> None:
    """Follow its chunks and unpack its pixels as far as they may go: a file of a few bytes can claim to be huge."""
    broken = InputError("The logo is a damaged PNG file: save it again.")
    chunks: list[tuple[bytes, bytes]] = []
    place = len(_PNG_START)
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        name, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        end = place + 12 + length
        if end > len(data) or struct.unpack_from(">I", data, end - 4)[0] != zlib.crc32(name + body):
            raise broken
        chunks.append((name, body))
        place = end
    if (
        place != len(data)
        or len(chunks) < 3
        or chunks[0][0] != b"IHDR"
        or len(chunks[0][1]) != 13
        or chunks[-1][0] != b"IEND"
    ):
        raise broken
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    if not width or not height or colour not in _COLOUR_CHANNELS:
        raise broken
    if width * height > LOGO_PIXELS:
        raise InputError(
            "The logo has {width:,} x {height:,} pixels; at most {logo_pixels:,} are drawn: make it smaller.",
            width=width,
            height=height,
            logo_pixels=LOGO_PIXELS,
        )
    expected = height * (1 + (width * depth * _COLOUR_CHANNELS[colour] + 7) // 8)
    unpacker = zlib.decompressobj()
    try:
        # Interlacing adds filter bytes for its seven passes, hence the allowance.
        pixels = unpacker.decompress(b"".join(body for name, body in chunks if name == b"IDAT"), 2 * expected + 1024)
    except zlib.error:
        raise broken from None
    if unpacker.unconsumed_tail or len(pixels) < expected or (len(pixels) > expected and not interlaced):
        raise broken


def _check_svg(data: bytes) -> None:
    try:
        root = fromstring(data, forbid_dtd=False, forbid_entities=True, forbid_external=True)
    except DefusedXmlException:
        raise InputError("The logo's SVG defines entities or refers to other files: save it as a plain SVG.") from None
    except (ParseError, ValueError, LookupError):
        raise InputError("The logo is a damaged SVG file: save it again.") from None
    if root.tag != f"{{{_SVG}}}svg":
        raise InputError(
            "The logo is not an SVG file of the usual kind (its root must be svg): save it as a plain SVG."
        )
    for count, element in enumerate(root.iter(), start=1):
        if count > _SVG_ELEMENTS:
            raise InputError(
                "The logo's SVG has more than {svg_elements:,} elements: simplify it.", svg_elements=_SVG_ELEMENTS
            )
        _check_element(str(element.tag), element.attrib)
        if _ELSEWHERE.search(element.text or ""):
            raise InputError("The logo's SVG refers to something outside itself: save it as a plain SVG.")
    if sum(1 for _ in root.iter(f"{{{_SVG}}}use")) > _SVG_USES:
        raise InputError(
            "The logo's SVG copies its parts more than {svg_uses} times: save it without symbols.", svg_uses=_SVG_USES
        )


def _check_element(tag: str, attributes: dict[str, str]) -> None:
    namespace, _, name = tag.removeprefix("{").rpartition("}")
    if not any(part in namespace for part in _IGNORED_NAMESPACES) and (namespace != _SVG or name not in _SVG_ALLOWED):
        raise InputError(
            "The logo's SVG has a part that is not allowed ({name}); only shapes, gradients and clips "
            "are: turn text into paths and save it as a plain SVG.",
            name=name[:40],
        )
    for key, value in attributes.items():
        local = key.rpartition("}")[2].lower()
        if local.startswith("on"):
            raise InputError("The logo's SVG has scripts: save it as a plain SVG.")
        refers_elsewhere = local in ("href", "src") and not value.strip().startswith("#")
        if refers_elsewhere or _ELSEWHERE.search(value):
            raise InputError("The logo's SVG refers to something outside itself: save it as a plain SVG.")
