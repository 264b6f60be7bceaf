"""The speed estimate explained, by the numbers it was made of."""

from __future__ import annotations

from advisor.foundation.evidence_words import counted
from advisor.foundation.message import Message, fact
from advisor.machines.machine import counted_names
from advisor.speed.backends import chip_name, group_of
from advisor.speed.estimate import Speed
from advisor.speed.rate import Rate
from advisor.speed.roofline import DECODE_TERMS, PREFILL_TERMS

_OF_DECODE = {
    "weights": fact("decode_weights"),
    "quantized": fact("decode_quantized"),
    "low_bits": fact("decode_low_bits"),
    "cache": fact("decode_cache"),
    "step": fact("decode_step"),
    "layer": fact("decode_layer"),
    "moe_layer": fact("decode_moe_layer"),
    "recurrent": fact("decode_recurrent"),
    "compute": fact("decode_compute"),
    "attention": fact("decode_attention"),
    "small_batch": fact("decode_small_batch"),
    "batch_compute": fact("decode_batch_compute"),
    "batch_moe": fact("decode_batch_moe"),
    "serve_moe": fact("decode_serve_moe"),
    "prompts": fact("decode_prompts"),
    "prompts_attention": fact("decode_prompts_attention"),
    "requests": fact("decode_requests"),
    "exchange": fact("decode_exchange"),
    "exchange_tokens": fact("decode_exchange_tokens"),
    "hop": fact("decode_hop"),
    "bfloat": fact("decode_bfloat"),
    "early": fact("decode_early"),
    "early_layer": fact("decode_early_layer"),
}
_OF_PREFILL = {
    "compute": fact("prefill_compute"),
    "compute_moe": fact("prefill_compute_moe"),
    "quantized": fact("prefill_quantized"),
    "bfloat": fact("prefill_bfloat"),
    "recurrent": fact("decode_recurrent"),
    "attention": fact("prefill_attention"),
    "cache": fact("prefill_cache"),
    "weights": fact("prefill_weights"),
    "pass": fact("prefill_pass"),
    "pass_moe": fact("prefill_pass_moe"),
    "pass_experts": fact("prefill_pass_experts"),
    "bus": fact("prefill_bus"),
    "early": fact("prefill_early"),
}


def explanation(speed: Speed) -> tuple[Message, ...]:
    """What decode, prefill and the first token are made of, and what all rests on."""
    load, decode = speed.load, speed.decode
    if decode is None:
        return (_reading(speed), _evidence(speed))
    found = [
        fact(
            "step",
            read_gb=sum(load.weight_bytes(device, load.users) for device in load.devices) / 1e9,
            cache_gb=load.users * sum(load.cache_bytes.values()) / 1e9,
            context=load.context_used,
            users=fact("users", n=load.users),
            device=counted_names(speed.devices),
            terms=_terms(decode, _OF_DECODE, DECODE_TERMS),
            ms=1000 / decode.range.typical,
            speed=decode.range.typical,
        )
    ]
    if decode.in_turn:
        found.append(fact("served_in_turn"))
    if speed.gain is not None and speed.decode_tokens_per_s is not None:
        found.append(fact("step_drafts", times=speed.gain.times.typical, speed=speed.decode_tokens_per_s.typical))
    if decode.host_ms:
        found.append(fact("step_on_host", ms=decode.host_ms))
    if speed.prefill is not None and speed.time_to_first_token_s is not None:
        reads = speed.prefill.range.typical
        terms = _terms(speed.prefill, _OF_PREFILL, PREFILL_TERMS)
        found.append(fact("prompt_token", terms=terms, ms=1000 / reads, speed=reads))
        first = speed.time_to_first_token_s.typical
        read, cached = load.prompt_tokens, load.cached_tokens
        found.append(
            fact("first_token_of_rest", prompt=read, cached=cached, speed=reads, first_s=first)
            if cached
            else fact("first_token", prompt=read, speed=reads, first_s=first)
        )
    elif speed.prefill is None:
        found.append(fact("prompt_speed_not_known", device=counted_names(speed.devices)))
    found.append(_evidence(speed))
    return tuple(found)


def _reading(speed: Speed) -> Message:
    """Of an encoder, which only reads."""
    prefill, inputs, load = speed.rate, speed.inputs_per_s, speed.load
    return fact(
        "input_token",
        terms=_terms(prefill, _OF_PREFILL, PREFILL_TERMS),
        ms=1000 / prefill.range.typical,
        speed=prefill.range.typical,
        inputs=0.0 if inputs is None else inputs.typical,
        prompt=load.prompt_tokens,
    )


def _terms(rate: Rate, words: dict[str, Message], names: tuple[str, ...]) -> tuple[Message, ...]:
    """What the time is made of, less what does not count, in milliseconds."""
    parts = [
        (term * constant * rate.factor, words[name])
        for name, term, constant in zip(names, rate.terms, rate.constants, strict=True)
    ]
    total = sum(ms for ms, _ in parts) + rate.host_ms
    shown = [fact("ms_for", ms=ms, what=what) for ms, what in parts if ms > 0.005 * total]
    if rate.host_ms:
        shown.append(fact("ms_for", ms=rate.host_ms, what=fact("decode_host")))
    return tuple(shown)


def _evidence(speed: Speed) -> Message:
    machine, rate = speed.devices[0], speed.rate
    chip = chip_name(machine)
    what = {
        "level": fact("measured_at_level", chip=chip),
        "model": fact("measured_of_model", chip=chip),
        "chip": fact("measured_on_chip", chip=chip),
        "generation": fact("measured_on_generation", generation=machine.architecture or ""),
        "group": fact("measured_on_group", group=group_of(machine, speed.backend)),
    }[rate.tier]
    return fact(
        "speed_rests_on",
        evidence=counted(rate.n, rate.sources),
        what=what,
        low=rate.range.low / rate.range.typical - 1,
        high=rate.range.high / rate.range.typical - 1,
    )
