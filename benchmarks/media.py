"""Measure what files cost: `make bench`, or `python -m benchmarks.media`.

A clip of a minute, 640×480 at 30 frames a second with sound, and a photo; the face is NASA's portrait of Eileen Collins
(public domain). Seconds by the clock, and CPU seconds of the decoder's process and of this one. Absolute figures depend on
the machine and on what else it does; compare figures of one run with each other.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is loaded

import io
import resource
import time

import cv2
import numpy as np

from app import app
from benchmarks.scenes import video
from moodmirror.media.decoder_client import decode_file
from moodmirror.media.file_analysis import analyze, run_to_completion
from moodmirror.recognition.audio import SAMPLE_RATE
from moodmirror.services import EXTENSION
from tests.clips import clip

SECONDS = 60
RATE = 30  # frames a second


def main() -> None:
    """Print the figures."""
    site = app.extensions[EXTENSION]
    pictures = list(video(SECONDS * RATE))
    times = np.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    buzz = sum(np.sin(2 * np.pi * 140 * harmonic * times) / harmonic for harmonic in range(1, 20))
    sound = (0.1 * buzz * np.clip(3 * np.sin(15 * times), 0, 1)).astype(np.float32)
    photo = cv2.imencode(".jpg", cv2.resize(pictures[0], (4000, 3000)))[1].tobytes()
    files = {
        "start a decoder and be told what it can't read": b"\xff",
        "a photo of 12 megapixels (JPEG)": photo,
        "a clip of a minute, MP4 (H.264, AAC)": clip(pictures, "h264", sound, rate=RATE),
        "a clip of a minute, AVI (Motion JPEG, PCM)": clip(pictures, "avi", sound, rate=RATE),
    }
    run_to_completion(analyze(io.BytesIO(photo), site))  # models are open from here on
    site.speech_recognizer()
    print(f"  {'seconds':50}{'clock':>8}{'decoder':>9}{'reading':>9}")
    for name, content in files.items():
        began, own, theirs = time.perf_counter(), time.process_time(), _children()
        if len(content) > 1:
            run_to_completion(analyze(io.BytesIO(content), site))
        else:
            _refused(content)
        passed = time.perf_counter() - began
        print(f"  {name:50}{passed:8.2f}{_children() - theirs:9.2f}{time.process_time() - own:9.2f}")


def _refused(content: bytes) -> None:
    try:
        list(decode_file(io.BytesIO(content)))
    except ValueError:
        return
    raise AssertionError("one byte is no file")


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
