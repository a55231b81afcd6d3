"""The type of options that name an emotion."""

import contextlib
from typing import Any

import click

from moodmirror.emotions import EMOTIONS, parse_emotion


class EmotionChoice(click.Choice[str]):
    """One of the seven emotions, by any of its names: ``--mood surprised`` is ``--mood surprise``."""

    def __init__(self) -> None:
        super().__init__(EMOTIONS)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the emotion; an unknown name fails with the list of the seven."""
        with contextlib.suppress(ValueError):  # click's own message lists the emotions
            value = parse_emotion(str(value))
        return super().convert(value, param, ctx)
