"""Sample the frames of a clip at FRAMES_PER_SECOND, scaled down."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from moodmirror.media.decoder_protocol import FRAME, Chunk
from moodmirror.media.errors import TooLargeError
from moodmirror.media.formats import MAX_CLIP_FRAMES, MAX_CLIP_PIXELS, MAX_CLIP_SECONDS

CLIP_SIDE: Final = 640  # pixels: larger frames are scaled down to it; faces in clips are near, and tracked
FRAMES_PER_SECOND: Final = 5  # sampled: expressions change in fractions of a second, and faces can still be tracked
FRAME_INTERVAL: Final = 1 / FRAMES_PER_SECOND  # seconds
TIMESTAMP_TOLERANCE: Final = 0.008  # seconds by which a frame may be early: timestamps in clips are rounded


class FrameSampler:
    """Selects the frames of a clip that are due, and repeats one that stays on the screen for long."""

    def __init__(self) -> None:
        self.count = 0  # frames decoded
        self.end = 0.0  # seconds, including the last frame's duration
        self._next_due = 0.0  # seconds
        self._last_sample: Chunk | None = None

    def sample(
        self,
        at: float,
        duration: float,
        displayed_size: tuple[int, int],
        to_gray: Callable[[int, int], npt.NDArray[np.uint8]],
    ) -> Iterator[Chunk]:
        """Yield a frame as a chunk if one is due, after repetitions that fill a gap before it.

        `at` is its time and `duration` its length in seconds. `to_gray` returns it as gray pixels, uint8 [h, w], in a width
        and a height that are at most CLIP_SIDE and in proportion to `displayed_size`. Raises TooLargeError if the frame
        exceeds the limit on frames, seconds or pixels.
        """
        self.count += 1
        if self.count > MAX_CLIP_FRAMES:
            raise too_many_frames(self.count)
        require_frame_size(*displayed_size)
        if at > MAX_CLIP_SECONDS:
            raise too_long(at)
        self.end = max(self.end, at + min(duration, MAX_CLIP_SECONDS))
        yield from self.repeat_until(at - FRAME_INTERVAL + 2 * TIMESTAMP_TOLERANCE)
        if at + TIMESTAMP_TOLERANCE < self._next_due:
            return
        self._next_due = max(self._next_due, at) + FRAME_INTERVAL
        scale = min(CLIP_SIDE / max(displayed_size), 1.0)
        width, height = (max(round(side * scale), 1) for side in displayed_size)
        gray = np.ascontiguousarray(to_gray(width, height))
        self._last_sample = Chunk(FRAME, gray.tobytes(), at, gray.shape[1], gray.shape[0])
        yield self._last_sample

    def finish(self) -> Iterator[Chunk]:
        """Yield the last sample again until the clip's end."""
        yield from self.repeat_until(self.end)

    def repeat_until(self, end: float) -> Iterator[Chunk]:
        """Yield the last sample again at each due time before `end`, in seconds: it stays on the screen until then."""
        while self._last_sample is not None and self._next_due + TIMESTAMP_TOLERANCE < end:
            yield self._last_sample._replace(at=self._next_due)
            self._next_due += FRAME_INTERVAL


def require_frame_size(width: int, height: int) -> None:
    """Raise TooLargeError for frames of more than MAX_CLIP_PIXELS."""
    if width * height > MAX_CLIP_PIXELS:
        raise TooLargeError(f"a clip may have 4096×2304 pixels at most, this one has {width}×{height}: make it smaller")


def too_long(seconds: float) -> TooLargeError:
    """Return the error for a clip of more than MAX_CLIP_SECONDS."""
    return TooLargeError(
        f"a clip may last {MAX_CLIP_SECONDS / 60:.0f} minutes at most, this one lasts {seconds / 60:,.1f}: shorten it"
    )


def too_many_frames(count: int) -> TooLargeError:
    """Return the error for a clip of more than MAX_CLIP_FRAMES."""
    return TooLargeError(f"a clip may have {MAX_CLIP_FRAMES:,} frames at most, this one has {count:,}: shorten it")
