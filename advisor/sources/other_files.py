"""GGUF files that hold no language model, and files that are no GGUF: named for what they are, with what to give."""

from __future__ import annotations

import re

from advisor.foundation.errors import InputError, printable
from advisor.foundation.message import sentence
from advisor.sources.gguf_file import GgufHeader

_PROJECTOR = sentence("a vision or audio projector")
_IMAGES = sentence("a diffusion (image or video) model")
_SPEECH = sentence("a speech model")
# What ComfyUI-GGUF loads (IMG_ARCH_LIST of its loader.py, read on 2026-11-30), and other converters' names.
_DIFFUSION = (
    *("flux", "sd1", "sd2", "sdxl", "sd3", "aura", "hidream", "cosmos", "ltxv", "ltx2", "hyvid", "hyvideo", "wan"),
    *("lumina2", "qwen_image", "qwen-image", "z_image", "chroma", "omnigen2", "pixart", "ideogram4", "motif_video"),
)
NOT_MODELS = {
    "mmproj": _PROJECTOR,
    "clip": _PROJECTOR,
    "clip-vision": _PROJECTOR,
    "imatrix": sentence("an importance matrix"),
    "controlvector": sentence("a control vector"),
    "t5encoder": sentence("a T5 text encoder, a part of image models"),
    "t5": sentence("an encoder-decoder (T5)"),
    **dict.fromkeys(_DIFFUSION, _IMAGES),
    **dict.fromkeys(("whisper", "parler-tts", "kokoro", "wavtokenizer-dec", "bark", "moonshine", "parakeet"), _SPEECH),
}
# stable-diffusion.cpp and some converters name no architecture at all; what the tensors are called tells.
_BY_TENSORS = (
    (
        re.compile(r"(model\.diffusion_model|first_stage_model|double_blocks|joint_blocks)\."),
        _IMAGES,
    ),
    (re.compile(r"(encoder\.conv1|model\.encoder\.conv1)\."), _SPEECH),
    (re.compile(r"direction\.\d+"), sentence("a control vector")),
)


def refuse_other_models(header: GgufHeader) -> None:
    """Raise InputError where a GGUF file holds something else than a whole language model."""
    kind = header.text("general.type")
    what = NOT_MODELS.get(header.architecture.lower()) or NOT_MODELS.get(kind)
    if what is None and not header.architecture:
        names = [tensor.name for tensor in header.tensors]
        what = next((what for sign, what in _BY_TENSORS if any(sign.match(name) for name in names)), None)
    if what is not None:
        if header.architecture in _DIFFUSION:
            raise InputError(
                "{header} holds {what} ('{architecture}'), not a language model; give the model's own GGUF file.",
                header=header.name,
                what=what,
                architecture=printable(header.architecture[:40]),
            )
        raise InputError(
            "{header} holds {what}, not a language model; give the model's own GGUF file.",
            header=header.name,
            what=what,
        )
    if kind == "adapter":
        raise InputError(
            "{header} is a LoRA adapter, not a whole model; give the model that it belongs to.", header=header.name
        )
    if not header.tensors:
        raise InputError(
            "{header} holds no tensors, only a tokenizer; give the model's own GGUF file.", header=header.name
        )


def refuse_other_formats(beginning: bytes, name: str) -> None:
    """Raise InputError where the first bytes of a file say that it is neither a GGUF file nor a JSON text."""
    what = None
    if not beginning.strip(b"\0 \t\r\n"):
        what = sentence("begins with nothing but zeros: its download broke off") if beginning else sentence("is empty")
    elif beginning[8:10] == b'{"' and int.from_bytes(beginning[:8], "little") < 1 << 32:
        raise InputError(
            "{name} holds weights without the model's shape; give the config.json that lies beside it.", name=name
        )
    elif beginning[:4] in (b"lmgg", b"fmgg", b"tjgg", b"ggml", b"ggjt"):
        what = sentence("is in GGML, the format before GGUF")
    elif beginning[:2] == b"PK" or beginning[:2] == b"\x80\x02":
        what = sentence("is a PyTorch file or an archive, which is not opened here")
    elif beginning.lstrip()[:1] == b"<":
        what = sentence("is a web page: a download that asked to log in, for instance")
    if what is not None:
        raise InputError("{name} {what}; give a GGUF file or a config.json.", name=name, what=what)
