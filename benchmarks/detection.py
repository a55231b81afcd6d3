"""Measure which faces are detected: `make bench`, or `python -m benchmarks.detection --data FER2013` for faces of a corpus.

Faces are set into photographs at known places, sizes and tilts; all searches get the same pictures.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from benchmarks.scenes import Picture, Scene, scenes
from moodmirror.recognition.face_detector import CASCADE_PATH, FAR_SEARCH, TILTED_SEARCHES, FaceDetector
from moodmirror.training.face_corpora import load_faces

COUNT: Final = 100  # pictures of each kind
SIDES: Final = (52.0, 220.0)  # pixels of a 640×480 picture: from across a desk to leaning in
FAR_SIDES: Final = (34.0, 48.0)
TILTS: Final = (0, 10, 20)  # degrees
SEED: Final = 3

Search = Callable[[Picture], Any]


def searches() -> dict[str, Search]:
    """Return the searches to compare, by name; each maps a picture, uint8 [h, w], to boxes."""
    detector = FaceDetector()
    cascade = cv2.CascadeClassifier(str(CASCADE_PATH))
    return {
        "ours": detector.detect,
        "ours, tilted search": lambda gray: np.concatenate([detector.detect(gray, search) for search in TILTED_SEARCHES]),
        "ours, far search": lambda gray: detector.detect(gray, FAR_SEARCH),
        "Haar 1.3/5": lambda gray: cascade.detectMultiScale(gray, 1.3, 5),
        "Haar 1.1/5, 50 px (fer's)": lambda gray: cascade.detectMultiScale(gray, 1.1, 5, minSize=(50, 50)),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--data", type=Path, help="FER2013 in any of its forms: its development faces are used, too")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    kinds: dict[str, list[Scene]] = {}
    for tilt in TILTS:
        kinds[f"the portrait, tilted by {tilt}°"] = list(scenes(COUNT, SEED, tilt, SIDES))
    kinds["the portrait, far away"] = list(scenes(COUNT, SEED, 0, FAR_SIDES))
    if options.data:
        faces = load_faces(options.data, SEED).development.faces
        kinds["FER2013's faces, tightly cut"] = list(scenes(COUNT, SEED, 0, SIDES, faces))
    near, far = (f"{low:.0f} to {high:.0f}" for low, high in (SIDES, FAR_SIDES))
    print(f"Faces of {near} pixels (far: {far}) set into {COUNT} photographs")
    print(f"  {'':32}{'search':28}{'found':>8}{'false boxes per picture':>24}{'ms of CPU':>12}")
    for kind, pictures in kinds.items():
        for name, search in searches().items():
            found, false, milliseconds = measure(search, pictures)
            print(f"  {kind:32}{name:28}{found:8.1%}{false:24.2f}{milliseconds:12.1f}", flush=True)


def measure(search: Search, pictures: list[Scene]) -> tuple[float, float, float]:
    """Return the share of detected faces, and false boxes and milliseconds of CPU per picture."""
    found = false = 0
    began = time.process_time()
    detections = [search(scene.picture) for scene in pictures]
    milliseconds = 1000 * (time.process_time() - began) / len(pictures)
    for scene, boxes in zip(pictures, detections, strict=True):
        correct = [scene.shows(box) for box in boxes]
        found += any(correct)
        false += len(correct) - sum(correct)
    return found / len(pictures), false / len(pictures), milliseconds


if __name__ == "__main__":
    main()
