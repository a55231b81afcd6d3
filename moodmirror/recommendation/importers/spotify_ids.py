"""Ids of Spotify's tracks, in the ways in which files state them."""

import re
from typing import Final

_ID: Final = r"[0-9A-Za-z]{22}"  # base 62
_TRACK: Final = re.compile(
    rf"(?:spotify:(?:user:[^:]+:)?track:|(?:https?://)?(?:open|play)\.spotify\.com/(?:intl-[\w-]+/)?(?:embed/)?track/)?({_ID})(?:[?#/].*)?"
)
_OTHER: Final = re.compile(
    r"(?:spotify:|(?:https?://)?open\.spotify\.com/(?:intl-[\w-]+/)?(?:embed/)?)(episode|show|audiobook|chapter)\b"
)


def track_id(text: str) -> str:
    """Return the id of a track from an id, a URI or a link; empty if it names none, such as the URI of a local file."""
    match = _TRACK.fullmatch(text.strip())
    return match[1] if match else ""


def spoken_kind(text: str) -> str | None:
    """Return what a URI or a link names if it is no song: episode, show, audiobook or chapter; else None."""
    match = _OTHER.match(text.strip())
    return match[1] if match else None
