"""Measure what the isolation of decoders costs: `make bench`, or `python -m benchmarks.isolation`.

Each input is decoded alternately by a process with Landlock and seccomp and by one without them, with the same limits of
resources. Prints medians by the clock and the median of the ratios of neighboring runs.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is loaded

import dataclasses
import io
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import cv2

from benchmarks.scenes import video
from moodmirror.media import decoder_client, frame_decoder_pool
from moodmirror.platforms import isolation_rules
from moodmirror.platforms.isolation_rules import ENVIRONMENT
from tests.clips import clip

CLIP_SECONDS = 20
FRAMES_PER_SECOND = 30
FRAMES = 300  # in one run
PAIRS = 15  # of runs, per input


def main() -> None:
    """Print the figures."""
    if missing := isolation_rules().missing:
        sys.exit(f"This machine lacks what is to be measured: {', '.join(missing)}.")
    pictures = list(video(CLIP_SECONDS * FRAMES_PER_SECOND))
    photo = cv2.imencode(".jpg", cv2.resize(pictures[0], (4000, 3000)))[1].tobytes()
    film = clip(pictures, "h264", rate=FRAMES_PER_SECOND)
    frame = cv2.imencode(".jpg", cv2.resize(pictures[0], (320, 240)))[1].tobytes()
    inputs: dict[str, Callable[[], float]] = {
        "a photo of 12 megapixels, with the process's start": lambda: _decode_file(photo),
        f"a clip of {CLIP_SECONDS} s, with the process's start": lambda: _decode_file(film),
        f"{FRAMES} frames of 320×240": lambda: _decode_frames(frame),
    }
    print(f"  {'seconds':52}{'isolated':>10}{'limits only':>13}{'ratio':>8}")
    for name, run in inputs.items():
        isolated, limited = [], []
        for _ in range(PAIRS):
            isolated.append(run())
            with _without_isolation():
                limited.append(run())
        ratio = statistics.median(a / b for a, b in zip(isolated, limited, strict=True))
        print(f"  {name:52}{statistics.median(isolated):10.3f}{statistics.median(limited):13.3f}{ratio:8.3f}")


@contextmanager
def _without_isolation() -> Iterator[None]:
    bare = dataclasses.replace(isolation_rules(), environment=ENVIRONMENT, options={})
    with (
        patch.object(decoder_client, "isolation_rules", lambda: bare),
        patch.object(frame_decoder_pool, "isolation_rules", lambda: bare),
    ):
        yield


def _decode_file(content: bytes) -> float:
    began = time.perf_counter()
    for _ in decoder_client.decode_file(io.BytesIO(content)):
        pass
    return time.perf_counter() - began


def _decode_frames(frame: bytes) -> float:
    pool = frame_decoder_pool.FrameDecoderPool(1)
    try:
        pool.decode(frame)  # starts the process
        began = time.perf_counter()
        for _ in range(FRAMES):
            pool.decode(frame)
        return time.perf_counter() - began
    finally:
        pool.close()


if __name__ == "__main__":
    main()
