"""The speed estimate in sentences, each with the numbers it was made of."""

from __future__ import annotations

from advisor.foundation.evidence_words import counted
from advisor.foundation.numbers import approx
from advisor.speed.backends import chip_of, group_of
from advisor.speed.estimate import Rate, Speed
from advisor.speed.roofline import DECODE_TERMS, PREFILL_TERMS

_OF_DECODE = {
    "weights": "reading the active weights",
    "low_bits": "unpacking less than 4 bits",
    "cache": "reading the cache",
    "step": "the step itself",
    "layer": "its layers",
    "moe_layer": "its layers of experts",
    "batch_compute": "computing for the other users",
    "exchange": "exchanging results between devices",
}
_OF_PREFILL = {
    "compute": "two operations per active weight",
    "compute_moe": "scattering tokens over experts",
    "attention": "attending to the tokens before",
    "weights": "reading the weights once a micro-batch",
    "pass": "the pass itself",
}


def explanation(speed: Speed) -> tuple[str, ...]:
    """Sentences for decode, prefill, the first token and what all rests on."""
    load, decode = speed.load, speed.decode
    if decode is None:
        return (*_reading(speed), _evidence(speed))
    machine = speed.devices[0]
    name = machine.name if len(speed.devices) == 1 else f"{len(speed.devices)} x {machine.name}"
    read = sum(load.weight_bytes(device, load.users) for device in load.devices) / 1e9
    cache = load.users * sum(load.cache_bytes.values()) / 1e9
    found = [
        f"One step reads {read:.2f} GB of weights and {cache:.2f} GB of cache ({load.context_used:,} tokens, "
        f"{load.users} user{'s' * (load.users > 1)}) on {name}: {_spelled(decode, _OF_DECODE, DECODE_TERMS)} = "
        f"{1000 / decode.range.typical:.2f} ms, that is {decode.range.typical:.1f} tokens/s for each user.",
    ]
    if decode.in_turn:
        found.append("Serving the users in turn is no slower here than all at once, so that is what is shown.")
    if decode.host_ms:
        found.append(f"Of that, {decode.host_ms:.2f} ms are spent on what lies in the host's memory.")
    if speed.prefill is not None and speed.time_to_first_token_s is not None:
        found.append(
            f"A token of the prompt takes {_spelled(speed.prefill, _OF_PREFILL, PREFILL_TERMS)} = "
            f"{1000 / speed.prefill.range.typical:.3f} ms, that is {speed.prefill.range.typical:,.0f} tokens/s."
        )
        found.append(
            f"First token: {load.prompt_tokens:,} prompt tokens / {speed.prefill.range.typical:,.0f} tokens/s + one "
            f"step = {speed.time_to_first_token_s.typical:.2f} s."
        )
    elif speed.prefill is None:
        found.append(f"How fast {name} reads a prompt is not said: its arithmetic rate is not known.")
    found.append(_evidence(speed))
    return tuple(found)


def _reading(speed: Speed) -> list[str]:
    """Of an encoder, which only reads."""
    prefill, inputs, load = speed.rate, speed.inputs_per_s, speed.load
    each = 0.0 if inputs is None else inputs.typical
    return [
        f"A token of an input takes {_spelled(prefill, _OF_PREFILL, PREFILL_TERMS)} = "
        f"{1000 / prefill.range.typical:.3f} ms, that is {prefill.range.typical:,.0f} tokens/s, or {each:,.1f} inputs "
        f"of {load.prompt_tokens:,} tokens a second; nothing is written.",
    ]


def _spelled(rate: Rate, words: dict[str, str], names: tuple[str, ...]) -> str:
    parts = [
        (term * constant * rate.factor, words[name])
        for name, term, constant in zip(names, rate.terms, rate.constants, strict=True)
    ]
    total = sum(ms for ms, _ in parts) + rate.host_ms
    shown = [f"{approx(ms)} ms for {word}" for ms, word in parts if ms > 0.005 * total]
    if rate.host_ms:
        shown.append(f"{approx(rate.host_ms)} ms for what lies on the host")
    return " + ".join(shown)


def _evidence(speed: Speed) -> str:
    machine, rate = speed.devices[0], speed.rate
    chip, group = chip_of(machine), group_of(machine, speed.backend)
    low, high = rate.range.low / rate.range.typical - 1, rate.range.high / rate.range.typical - 1
    what = {
        "level": f"with this model at this level on {chip}",
        "model": f"with this model at other levels on {chip}",
        "chip": f"with other models on {chip}",
        "group": f"with other devices of the group {group!r}",
    }[rate.tier]
    return (
        f"Rests on {counted(rate.n, rate.sources)} {what}; of such measurements, predicted "
        f"without their source, 90 % lay between {low:+.0%} and {high:+.0%} of the typical value."
    )
