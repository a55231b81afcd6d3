"""Measure the cost of a frame, and start-up and memory of the server: `make bench`.

640×480 frames with a face (NASA's portrait of Eileen Collins, public domain), one thread, medians. Absolute figures
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

from benchmarks.scenes import portrait_frame, video
from moodmirror.camera.annotation import draw_faces
from moodmirror.camera.frame import encode_jpeg
from moodmirror.media.frame_decoder import decode
from moodmirror.recognition.face import Face, FaceAnalyzer, FaceEmotionRecognizer, crop_faces
from moodmirror.recognition.face_detector import FaceDetector, GrayImage
from moodmirror.recognition.tracking import FaceTracker
from moodmirror.recommendation import Recommender
from moodmirror.recommendation.catalogue import KINDS
from tests.conftest import own_memory, serving

RUNS = 200  # of each step; the first tenth warms up and is not counted
STARTS = 5
BATCH = 8  # faces, of several visitors


def main() -> None:
    """Print the results."""
    cv2.setNumThreads(1)
    frame = portrait_frame()
    gray = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    sent = cv2.imencode(".jpg", cv2.resize(frame, (320, 240), interpolation=cv2.INTER_AREA))[1].tobytes()
    detector, recognizer = FaceDetector(), FaceEmotionRecognizer.load()
    analyzer = FaceAnalyzer(detector, recognizer)
    boxes = detector.detect(gray)
    x, y, width, height = (int(value) for value in boxes[0])
    faces = crop_faces(gray, boxes)
    recommender = Recommender.open()
    vector = recognizer.predict_proba(faces)[0]
    moving = [np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), dtype=np.uint8) for picture in video(RUNS)]
    tracker, browser_tracker = FaceTracker(analyzer), FaceTracker(analyzer)
    # The tracker receives frames with the times of a camera of 20 per second, however fast they are processed here.
    times, browser_times = (iter(np.arange(RUNS) / 20) for _ in range(2))
    frames = iter(moving)

    def decoded(content: bytes) -> GrayImage:
        width, height, pixels = decode(content)
        return np.frombuffer(pixels, dtype=np.uint8).reshape(height, width)

    def draw_and_encode() -> None:
        picture = frame.copy()
        draw_faces(picture, [Face((260, 170, 120, 120), vector)])
        encode_jpeg(picture)

    print(f"640×480 frames with {len(boxes)} face, one thread, {RUNS} runs (milliseconds of CPU: median, mean)")
    show("search the whole frame (Haar)", *cost(lambda: detector.detect(gray)))
    show("search one neighborhood", *cost(lambda: detector.detect_near(gray, (x, y, width, height))))
    show("classify one face (LiteRT, int8 weights)", *cost(lambda: recognizer.predict_proba(faces)))
    together = np.repeat(faces[:1], BATCH, axis=0)
    show(
        f"classify {BATCH} in one batch, each",
        *(value / BATCH for value in cost(lambda: recognizer.predict_proba(together))),
    )
    show("a camera's frame: track and classify", *(whole := cost(lambda: tracker.follow(next(frames), next(times)))))
    show("draw and encode it for viewers", *cost(draw_and_encode))
    show(
        "a browser's frame, 320×240: decode, track, classify",
        *cost(lambda: browser_tracker.follow(decoded(sent), next(browser_times))),
    )
    show("rank the four tables", *cost(lambda: [recommender.recommend(vector, kind) for kind in KINDS]))
    print(f"  {'frames tracked and classified per second and core':50}{1000 / whole[1]:8.0f}")
    print(f"\nThe server under gunicorn, median of {STARTS} starts")
    alive, ready, memory = zip(*(start_server() for _ in range(STARTS)), strict=True)
    print(f"  {'seconds until it answers':50}{statistics.median(alive):8.2f}")
    print(f"  {'seconds until its models are open':50}{statistics.median(ready):8.2f}")
    print(f"  {'memory of all its processes then, MB':50}{statistics.median(memory):8.0f}")


def cost(step: Callable[[], object]) -> tuple[float, float]:
    """Return the median and the mean CPU time of `step`, in milliseconds, including threads that it starts."""
    times = []
    for _ in range(RUNS):
        began = time.process_time()
        step()
        times.append(time.process_time() - began)
    counted = times[RUNS // 10 :]
    return 1000 * statistics.median(counted), 1000 * statistics.mean(counted)


def show(name: str, median: float, mean: float) -> None:
    """Print one line of the table."""
    print(f"  {name:50}{median:8.2f}{mean:8.2f}")


def start_server() -> tuple[float, float, float]:
    """Start the site; return the seconds until it answers and until its models are open, and its own memory in MB."""
    began = time.perf_counter()
    with serving(Path(os.devnull), CAMERA="off") as server:
        alive = time.perf_counter() - began
        with urllib.request.urlopen(f"{server.url}/readyz", timeout=60):
            ready = time.perf_counter() - began
        parent = psutil.Process(server.process.pid)
        memory = sum(own_memory(member) for member in [parent, *parent.children(recursive=True)]) / 1e6
    return alive, ready, memory


if __name__ == "__main__":
    main()
