"""Facts -> sentences: messages of the engine in the words of a language, for the page, a report or a script.

One catalogue file a language: `locale/<language>/LC_MESSAGES/messages.po`.
"""

from __future__ import annotations

from collections.abc import Iterable

from advisor.foundation.message import Message
from advisor.words.language import ENGLISH, Audience, language

__all__ = ["ENGLISH", "Audience", "names_a_key", "say", "say_all"]


def say(message: Message, audience: Audience = "script", language_name: str = ENGLISH) -> str:
    """A message in words. Who reads it decides how a key of the question is called: by the label of its input on a
    page and in a report, by itself where a script or the command line shows it."""
    return language(language_name).say(message, audience)


def names_a_key(message: Message) -> bool:
    """Whether its reader is sent to an input of the question."""
    return say(message, "script") != say(message, "page")


def say_all(
    messages: Iterable[Message], audience: Audience = "script", language_name: str = ENGLISH
) -> tuple[str, ...]:
    return tuple(say(message, audience, language_name) for message in messages)
