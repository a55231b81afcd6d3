"""Errors of decoding: what is wrong with a file or frame, and what is wrong with a decoder process."""

from typing import Literal

Problem = Literal["unreadable", "wrong kind", "too large"]


class MediaError(ValueError):
    """A file or frame can't be decoded; the message explains why to the person who sent it."""

    problem: Problem = "unreadable"


class WrongKindError(MediaError):
    """The file can be decoded, but its kind is not accepted here."""

    problem: Problem = "wrong kind"


class TooLargeError(MediaError):
    """The file has more bytes, pixels, seconds or frames than the limit, or takes too much time or memory to decode."""

    problem: Problem = "too large"


class DecoderError(RuntimeError):
    """The decoder process can't run, for a reason that has nothing to do with the file."""


def is_crash(status: int) -> bool:
    """Return whether an exit status is that of a process that was killed or crashed: a signal, or Windows' exception."""
    return not 0 <= status <= 255
