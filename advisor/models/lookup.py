"""A model of the catalogue by its id, or the nearest ids where there is none."""

from __future__ import annotations

from advisor.foundation.errors import InputError, did_you_mean, one_line
from advisor.foundation.message import NOTHING, as_it_is
from advisor.models.catalogue import Entry, catalogue


def find_model(model_id: str) -> Entry:
    """The entry with this id; raises InputError with the nearest ids otherwise."""
    if (found := catalogue().get(model_id)) is None:
        raise unknown_model(model_id)
    return found


def unknown_model(name: str) -> InputError:
    """That nothing goes by this name, with models of the same family and size, if there are any; of a model that is
    known and not sized, where it is read from.
    """
    # Late: most questions name a model that there is.
    from advisor.models.find import suggest
    from advisor.models.not_sized import not_sized

    if (known := not_sized(name)) is not None:
        return InputError(
            "{name} by {publisher}{said} is known, but its config was not readable when the catalogue was made "
            "({read}): give its repository {repo}, and it is read from there.",
            (known.repo,),
            name=known.name,
            publisher=known.publisher,
            said=NOTHING if not known.said else as_it_is(f" ({known.said})"),
            read=known.read.isoformat(),
            repo=known.repo,
        )
    found = suggest(name)
    if found:
        return InputError("Unknown model '{name}'; {hint}", found, name=one_line(name, 80), hint=did_you_mean(found))
    return InputError("Unknown model '{name}'.", name=one_line(name, 80))
