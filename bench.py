"""Measure what a frame costs and what the server needs: `make bench`.

One 640×480 frame with a face (NASA's portrait of Eileen Collins, public domain), one thread, medians. Absolute figures
depend on the machine; compare figures of one run with each other.
"""

import os
import statistics
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import psutil
import skimage.data

from camera import draw_faces, encode
from moodmirror.recognition.face import Face, FaceDetector, FaceEmotionRecognizer, FaceReader, crop_faces
from moodmirror.recognition.media import decode_frame
from moodmirror.recommendation import Recommender
from moodmirror.recommendation.catalogue import KINDS
from tests.conftest import serving

RUNS = 200  # of each step; the first tenth warms up and is not counted
STARTS = 5


def main() -> None:
    """Print the figures."""
    cv2.setNumThreads(1)
    portrait = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)
    matrix = np.array([[1.2, 0, 320 - 224 * 1.2], [0, 1.2, 230 - 115 * 1.2]])
    frame = np.asarray(cv2.warpAffine(portrait, matrix, (640, 480), borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8)
    gray = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    sent = cv2.imencode(".jpg", cv2.resize(frame, (320, 240), interpolation=cv2.INTER_AREA))[1].tobytes()
    detector, recognizer = FaceDetector(), FaceEmotionRecognizer.load()
    reader = FaceReader(detector, recognizer)
    boxes = detector.detect(gray)
    faces = crop_faces(gray, boxes)
    recommender = Recommender.open()
    vector = recognizer.predict_proba(faces)[0]

    def whole_frame() -> list[Face]:
        picture = frame.copy()
        found = reader.read(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), dtype=np.uint8))
        draw_faces(picture, found)
        encode(picture)
        return found

    print(f"One 640×480 frame with {len(boxes)} face, one thread, median of {RUNS} runs (milliseconds of CPU)")
    show("find the face (Haar)", detect := milliseconds(lambda: detector.detect(gray)))
    show("read its emotion (LiteRT, int8 weights)", milliseconds(lambda: recognizer.predict_proba(faces)))
    show("the whole frame: find, read, draw, encode", whole := milliseconds(whole_frame))
    show("a browser's frame, 320×240: decode, find, read", milliseconds(lambda: reader.read(decode_frame(sent))))
    show("rank the four tables", milliseconds(lambda: [recommender.recommend(vector, kind) for kind in KINDS]))
    print(f"  {'frames a second and core':48}{1000 / whole:8.0f}")
    print(f"  {'share of finding in the whole frame':48}{detect / whole:8.0%}")
    print(f"\nThe server under gunicorn, median of {STARTS} starts")
    alive, ready, memory = zip(*(start_server() for _ in range(STARTS)), strict=True)
    print(f"  {'seconds until it answers':48}{statistics.median(alive):8.2f}")
    print(f"  {'seconds until its models are open':48}{statistics.median(ready):8.2f}")
    print(f"  {'memory of all its processes then, MB':48}{statistics.median(memory):8.0f}")


def milliseconds(step: Callable[[], object]) -> float:
    """The median CPU time of `step`, in milliseconds, of this thread and what it starts."""
    times = []
    for _ in range(RUNS):
        began = time.process_time()
        step()
        times.append(time.process_time() - began)
    return 1000 * statistics.median(times[RUNS // 10 :])


def show(name: str, value: float) -> None:
    """Print one line of the table."""
    print(f"  {name:48}{value:8.2f}")


def start_server() -> tuple[float, float, float]:
    """Start the site; returns seconds until it answers, until its models are open, and its memory in MB (unique pages)."""
    began = time.perf_counter()
    with serving(Path(os.devnull), CAMERA="off") as server:
        alive = time.perf_counter() - began
        with urllib.request.urlopen(f"{server.url}/readyz", timeout=60):
            ready = time.perf_counter() - began
        parent = psutil.Process(server.process.pid)
        memory = sum(member.memory_full_info().uss for member in [parent, *parent.children(recursive=True)]) / 1e6
    return alive, ready, memory


if __name__ == "__main__":
    main()
