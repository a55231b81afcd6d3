"""Measure what the analysis of files costs: `make bench`, or `python -m benchmarks.media`.

A clip of a minute, 640×480 at 30 frames per second with sound, and a photo; the face is NASA's portrait of Eileen Collins
(public domain). Prints seconds by the clock, and CPU seconds of the decoder process and of this one. Absolute figures depend
on the machine and its other work; compare figures of one run with each other.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is loaded

import io
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

CLIP_SECONDS = 60
FRAMES_PER_SECOND = 30


def main() -> None:
    """Print the figures."""
    services = app.extensions[EXTENSION]
    pictures = list(video(CLIP_SECONDS * FRAMES_PER_SECOND))
    times = np.arange(CLIP_SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    buzz = sum(np.sin(2 * np.pi * 140 * harmonic * times) / harmonic for harmonic in range(1, 20))
    sound = (0.1 * buzz * np.clip(3 * np.sin(15 * times), 0, 1)).astype(np.float32)
    photo = cv2.imencode(".jpg", cv2.resize(pictures[0], (4000, 3000)))[1].tobytes()
    files = {
        "start a decoder, which rejects the file": b"\xff",
        "a photo of 12 megapixels (JPEG)": photo,
        "a clip of a minute, MP4 (H.264, AAC)": clip(pictures, "h264", sound, rate=FRAMES_PER_SECOND),
        "a clip of a minute, AVI (Motion JPEG, PCM)": clip(pictures, "avi", sound, rate=FRAMES_PER_SECOND),
    }
    run_to_completion(analyze(io.BytesIO(photo), services))  # loads the models
    services.speech_recognizer()
    print(f"  {'seconds':50}{'clock':>8}{'decoder':>9}{'analysis':>9}")
    for name, content in files.items():
        began, analysis_began, decoder_began = time.perf_counter(), time.process_time(), _decoder_cpu_seconds()
        if len(content) > 1:
            run_to_completion(analyze(io.BytesIO(content), services))
        else:
            _require_rejection(content)
        elapsed = time.perf_counter() - began
        decoder, analysis = _decoder_cpu_seconds() - decoder_began, time.process_time() - analysis_began
        print(f"  {name:50}{elapsed:8.2f}{decoder:9.2f}{analysis:9.2f}")


def _require_rejection(content: bytes) -> None:
    try:
        list(decode_file(io.BytesIO(content)))
    except ValueError:
        return
    raise AssertionError("the decoder accepted a file of one byte")


def _decoder_cpu_seconds() -> float:
    """Return the CPU seconds of all child processes that have ended."""
    times = os.times()
    return times.children_user + times.children_system


if __name__ == "__main__":
    main()
