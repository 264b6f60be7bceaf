"""How to run what is shown: in each program the line to copy, what has to be made first, and what that takes.

A program of another format gets the best plan that the same question has for it, or the reason why there is none: the
engine is asked for both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.launching import launch_of
from advisor.answer.option import Option
from advisor.answer.option_words import at_speed, keeping
from advisor.answer.policy import WEIGHTS
from advisor.answer.run_files import LINE_MBIT_PER_S, Files, Sizes, files_of, made_from, sizes_of
from advisor.answer.setups import Subject, refusal_here, setups_of
from advisor.formats.level_id import GGUF
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, as_it_is, fact, sentence
from advisor.question.configuration import AUTO
from advisor.runtimes.commands import commands
from advisor.runtimes.launch import Command, Launch
from advisor.runtimes.llama_cpp.commands import unknown_to_ollama
from advisor.runtimes.registry import RUNTIMES, runtime_by
from advisor.sizing.request import Levels, Vision
from advisor.sizing.runtime_id import RuntimeId

# Commands that start the program, those that make its files, and other ways to start it.
_STARTING = (
    as_it_is("llama-server"),
    fact("command_start_ollama"),
    fact("command_download"),
    fact("command_add_file"),
    as_it_is("vllm serve"),
    as_it_is("sglang.launch_server"),
    as_it_is("mlx_lm.server"),
)
_MAKING = (fact("command_convert"), fact("command_measure"), fact("command_quantize"), fact("command_make_in_python"))
_BESIDE = (as_it_is("llama-cli"),)
# What Ollama cannot be told, by the keys of the runtime.
_CANNOT = {
    "cache type": fact("run_cannot_cache_type"),
    "experts": fact("run_cannot_experts"),
    "shares": fact("run_cannot_shares"),
    "cache on host": fact("run_cannot_cache_on_host"),
    "tensors": fact("run_cannot_tensors"),
    "batch": fact("run_cannot_batch"),
    "context": fact("run_cannot_context"),
}
_MINUTE, _HOUR = 60, 3600


@dataclass(frozen=True, slots=True)
class WayToRun:
    """One program. `lines` are what to copy, in order, each on one line; none where it does not run this, as `said`
    says.

    `level` is that of its plan, which is another than what is shown where `own_plan` is True. `before` comes first:
    what makes the files, and a Modelfile; `otherwise` makes files that are only likely to be published, `beside` are
    other ways to start it. `said` are sentences for the first look, `notes` for the second.
    """

    runtime: RuntimeId
    name: str
    level: str
    own_plan: bool
    lines: tuple[Command, ...] = ()
    before: tuple[Command, ...] = ()
    otherwise: tuple[Command, ...] = ()
    beside: tuple[Command, ...] = ()
    files: Files | None = None
    said: tuple[Message, ...] = ()
    notes: tuple[Message, ...] = ()

    @property
    def runs(self) -> bool:
        return bool(self.lines)


def ways_to_run(answer: Answer, shown: Candidate) -> tuple[WayToRun, ...]:
    """Every program, in the order in which they are offered: the command of the plan that is shown, or of its own."""
    return tuple(_way(answer, shown, one.id) for one in RUNTIMES)


def _way(answer: Answer, shown: Candidate, runtime: RuntimeId) -> WayToRun:
    engine = runtime_by(runtime).engine
    if engine is runtime_by(shown.plan.runtime).engine:
        warning = () if shown.plan.fits else (fact("run_does_not_fit"),)
        return _commands(answer, shown, runtime, False, warning)
    found = _best_of(answer, engine)
    if isinstance(found, Message):
        return WayToRun(runtime, runtime_by(runtime).name, "", True, said=(found,))
    own = found.candidate
    about = fact(
        "run_own_plan", runtime=runtime_by(runtime).name, level=own.level, kept=keeping(found), speed=at_speed(found)
    )
    return _commands(answer, own, runtime, True, (about,))


def _best_of(answer: Answer, engine: RuntimeId) -> Option | Message:
    """The engine's best plan for the same question, or why it has none."""
    by, name = runtime_by(engine), runtime_by(engine).name
    if engine not in answer.search.engines:
        return _why_not_looked_at(answer, engine)
    option = answer.search.best(WEIGHTS["balanced"], lambda job: job.setup.runtime is by)
    if option is None:
        return fact("run_nothing_loaded", runtime=name)
    if option.plan.verdict == "does not fit":
        return fact("run_too_large", runtime=name, level=option.candidate.level, missing=option.plan.missing_bytes)
    if option.unmet:
        return fact("run_not_as_asked", runtime=name, why=option.unmet[0].message)
    return option if option.runs else fact("run_tight", runtime=name, level=option.candidate.level)


def _why_not_looked_at(answer: Answer, engine: RuntimeId) -> Message:
    """The engine's own refusal of this question, else that the question asks for another."""
    question, name = answer.question, runtime_by(engine).name
    try:
        if refusal := refusal_here(question, runtime_by(engine)):
            return sentence("{refusal}.", refusal=refusal)
        if answer.entry.file is None or question.model.level is not None:
            told = question.with_values(runtime=str(engine))
            setups_of(Subject.of(told, answer.entry))
    except InputError as refused:
        return refused.message
    if not runtime_by(engine).searched and question.runtime.name == AUTO:
        return fact("run_when_asked", runtime=name)
    if question.runtime.name != AUTO or runtime_by(answer.runtime).own_keys & question.given:
        return fact("run_only_asked", asked=runtime_by(answer.runtime).name, runtime=name)
    return fact("run_other_format", level=answer.shown.level, runtime=name)


def _commands(
    answer: Answer, shown: Candidate, runtime: RuntimeId, own_plan: bool, said: tuple[Message, ...]
) -> WayToRun:
    name = runtime_by(runtime).name
    way = WayToRun(runtime, name, shown.level, own_plan)
    try:
        launch = replace(launch_of(answer, shown), runtime=str(runtime))
        files = files_of(answer, shown, launch)
        made = commands(launch) if files.origin == "likely" else ()
        if files.origin in ("published", "likely"):
            launch = replace(launch, published_repo=files.repository, file=None)
        if runtime is RuntimeId.OLLAMA and (refusal := _ollama_refusal(launch, files)) is not None:
            return replace(way, said=(refusal,))
        if launch.published_repo is not None and runtime_by(runtime).sees == "by itself" and launch.sees:
            fits, about = _with_vision(shown, runtime)
            said = (*said, *about)
            if not fits:
                return replace(way, said=about)
        found = commands(launch)
    except InputError as refused:
        return replace(way, said=(refused.message,))
    start = next(place for place, one in enumerate(found) if one.title in _STARTING)
    before, beside = found[:start], tuple(one for one in found[start:] if one.title in _BESIDE)
    files = _as_needed(answer, shown, launch, files, sum(one.title in _MAKING for one in before))
    files = replace(files, sizes=sizes_of(answer, shown))
    lines = tuple(one for one in found[start:] if one not in beside)
    notes = [note for one in lines for note in one.notes]
    return replace(
        way,
        lines=tuple(_on_one_line(lines, runtime)),
        before=before,
        otherwise=tuple(one for one in made if one.title in _MAKING),
        beside=beside,
        files=files,
        said=(*said, *_about_files(answer, files, launch, shown)),
        notes=tuple(notes),
    )


def _with_vision(shown: Candidate, runtime: RuntimeId) -> tuple[bool, tuple[Message, ...]]:
    """Whether a plan of text alone fits where the vision part is loaded without being asked for; and what to say."""
    request, name = shown.plan.request, runtime_by(runtime).name
    if request.vision is not None or not shown.plan.fits or not isinstance(request.stored, Levels):
        return True, ()
    seeing = runtime_by(runtime).plan_level(replace(request, vision=Vision()), shown.level_id)
    if seeing is None:
        return True, ()
    more = sum(holder.beside.projector for holder in (*seeing.devices, seeing.host))
    if seeing.fits:
        return True, (fact("run_loads_vision", runtime=name, more=more),)
    return False, (fact("run_vision_too_large", runtime=name, more=more, level=shown.level),)


def _ollama_refusal(launch: Launch, files: Files) -> Message | None:
    """Why Ollama does not run the plan as it is."""
    if unknown := unknown_to_ollama(launch):
        return fact("run_ollama_cannot", what=tuple(_CANNOT[key] for key in unknown))
    if launch.settings.unified and launch.settings.users > 1:
        return fact("run_ollama_shared", n=launch.settings.users)
    return fact("run_ollama_parts", level=launch.level) if files.split else None


def _as_needed(answer: Answer, shown: Candidate, launch: Launch, files: Files, making: int) -> Files:
    """What the commands really take: more where they make files, or copy them."""
    size = shown.file_bytes
    if making:
        files = made_from(files, answer, shown, making)
    elif files.origin == "original" and _is_missing(launch):
        files = Files("to find", None, "", "", size, size)
    copies = launch.runtime in (RuntimeId.OLLAMA, RuntimeId.LM_STUDIO) and launch.published_repo is None
    return replace(files, disk_bytes=(files.disk_bytes or 0) + size) if copies else files


def _is_missing(launch: Launch) -> bool:
    """Whether the command names a folder that nobody makes."""
    return any(f" ./{launch.short_name}-" in one.text for one in commands(launch))


def _about_files(answer: Answer, files: Files, launch: Launch, shown: Candidate) -> Iterator[Message]:
    file, repository = answer.entry.file, answer.entry.repository
    what = file.name if file is not None else None if repository is None else repository.id
    match files.origin:
        case "made":
            yield fact("run_files_made", level=shown.level)
        case "likely":
            yield fact("run_files_likely", repository=files.repository or "", level=shown.level)
        case "to find":
            yield fact("run_files_to_find", path=f"./{launch.short_name}-{launch.level}", level=shown.level)
        case "yours" if launch.file is None:
            ending = ".gguf" if shown.level_id.format == GGUF else ""
            named = f"{launch.short_name}-{launch.level}{ending}"
            if what is None:
                yield fact("run_files_yours", file=named)
            else:
                yield fact("run_files_other", what=what, level=launch.level, file=named)
        case _:
            pass
    if launch.runtime == RuntimeId.LM_STUDIO and _needs_dialog(launch):
        yield fact("run_lm_studio_dialog")
    if launch.draft_file is not None:
        yield fact("run_draft_file", file=launch.draft_file)


def _needs_dialog(launch: Launch) -> bool:
    """Whether LM Studio's command alone would run another plan."""
    settings = launch.settings
    caches = {settings.cache_type_k, settings.cache_type_v}
    return bool(
        settings.cpu_moe_layers
        or not launch.kv_offload
        or not launch.mmap
        or launch.idle_gpus
        or caches != {"f16"}
        or settings.users > 1
    )


def _on_one_line(lines: tuple[Command, ...], runtime: RuntimeId) -> Iterator[Command]:
    """Each command on one line; LM Studio's three are one line together."""
    flat = [replace(one, text=one.text.replace(" \\\n  ", " "), notes=()) for one in lines]
    if runtime is RuntimeId.LM_STUDIO:
        yield Command(fact("command_lm_studio"), " && ".join(one.text for one in flat))
    else:
        yield from flat


def needs(files: Files) -> tuple[Message, ...]:
    """What the files take: disk, the line to download them over, and what such files measure elsewhere."""
    said = []
    if files.disk_bytes:
        said.append(fact("run_disk", disk=files.disk_bytes))
    if files.download_bytes and (seconds := files.download_seconds) is not None:
        took = (
            fact("run_hours", hours=seconds / _HOUR)
            if seconds >= 2 * _HOUR
            else fact("run_minutes", minutes=max(1.0, seconds / _MINUTE))
        )
        said.append(fact("run_download", download=files.download_bytes, took=took, line=LINE_MBIT_PER_S))
    if files.sizes is not None:
        said.append(measured(files.sizes))
    return tuple(said)


def measured(sizes: Sizes) -> Message:
    """What files of a level measure: made by llama.cpp's own tools, and published."""
    return fact("run_sizes", level=sizes.level, stock=sizes.stock, low=sizes.low, high=sizes.high)
