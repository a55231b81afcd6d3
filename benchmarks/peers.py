"""Compare the cost of a frame with the usual tutorial and the fer package: `make bench-peers`.

The same frames, a person before a webcam, go to three readers, each in a process of its own on one thread:

- ours: the tracker, as in the server's camera;
- plain: Haar with scaleFactor 1.3 and minNeighbors 5 over the whole frame, then Keras' ``predict``, as tutorials do;
- fer: the package of that name, in an environment of its own (.venv-peers), as its documentation uses it.

``python -m benchmarks.peers`` runs all; with ``--reader NAME FRAMES`` one of them reads frames.npy and prints its results.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
PEERS_PYTHON: Final = ROOT / ".venv-peers" / "bin" / "python"
FRAMES: Final = 120  # six seconds of a webcam
WARM_UP: Final = 10  # frames that do not count: models are opened and graphs traced

Read = Callable[[Any], list[list[int]]]


def ours() -> Read:
    """Return a reader that tracks faces at 20 frames per second."""
    import cv2

    from moodmirror.recognition.face import FaceAnalyzer
    from moodmirror.recognition.tracking import FaceTracker

    tracker, at = FaceTracker(FaceAnalyzer.load()), iter(range(10**9))

    def read(frame: Any) -> list[list[int]]:
        gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        return [list(face.box) for face in tracker.follow(gray, next(at) / 20) if face.vector is not None]

    return read


def plain() -> Read:
    """Return a reader with Haar over the whole frame and Keras' predict for each face."""
    import cv2
    import keras
    import numpy as np

    from moodmirror.recognition.face import crop_faces, preprocess
    from moodmirror.recognition.face_detector import CASCADE_PATH

    cascade = cv2.CascadeClassifier(str(CASCADE_PATH))
    network = keras.models.load_model(ROOT / "models" / "face_emotion.keras", compile=False)

    def read(frame: Any) -> list[list[int]]:
        gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        boxes = cascade.detectMultiScale(gray, 1.3, 5)
        for box in boxes:
            network.predict(preprocess(crop_faces(gray, np.array([box]))), verbose=0)
        return [[int(value) for value in box] for box in boxes]

    return read


def fer() -> Read:
    """Return a reader with the fer package, its own detector (Haar) and its own network."""
    from fer.fer import FER

    detector = FER()
    return lambda frame: [[int(value) for value in face["box"]] for face in detector.detect_emotions(frame)]


READERS: Final[dict[str, Callable[[], Read]]] = {"ours": ours, "plain": plain, "fer": fer}


def read_frames(name: str, frames_path: Path) -> None:
    """Read the frames with one reader; print the milliseconds of CPU and the boxes of each frame as JSON."""
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    read = READERS[name]()
    frames = np.load(frames_path, allow_pickle=False)
    milliseconds, boxes = [], []
    for frame in frames:
        began = time.process_time()
        found = read(frame.copy())
        milliseconds.append(1000 * (time.process_time() - began))
        boxes.append(found)
    print(json.dumps({"milliseconds": milliseconds, "boxes": boxes}))


def main() -> int:
    """Run every reader on the same frames and print the comparison; return 1 if one can't run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "--reader", nargs=2, metavar=("NAME", "FRAMES"), help="run one reader in this process (used internally)"
    )
    options = parser.parse_args()
    if options.reader:
        read_frames(options.reader[0], Path(options.reader[1]))
        return 0

    import numpy as np

    from benchmarks.scenes import video

    if not PEERS_PYTHON.exists():
        print("The environment of the fer package is missing. Create it with: make bench-peers", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        frames_path = Path(folder) / "frames.npy"
        np.save(frames_path, np.stack(list(video(FRAMES + WARM_UP))))
        results = {name: run_reader(name, frames_path) for name in READERS}
    own = statistics.mean(results["ours"]["milliseconds"][WARM_UP:])
    print(f"{FRAMES} frames of 640×480 with one face, one thread; milliseconds of CPU per frame, mean and median")
    print(f"  {'':44}{'mean':>8}{'median':>8}{'times ours':>12}{'frames with the face':>22}{'missed by ours':>16}")
    for name, title in (
        ("ours", "ours: tracker + LiteRT"),
        ("plain", "Haar 1.3/5 + Keras predict"),
        ("fer", "the fer package"),
    ):
        times, boxes = results[name]["milliseconds"][WARM_UP:], results[name]["boxes"][WARM_UP:]
        own_boxes = results["ours"]["boxes"][WARM_UP:]
        missed = sum(bool(theirs) and not mine for theirs, mine in zip(boxes, own_boxes, strict=True))
        mean = statistics.mean(times)
        median, seen = statistics.median(times), sum(map(bool, boxes))
        print(f"  {title:44}{mean:8.1f}{median:8.1f}{mean / own:12.1f}{seen:22d}{missed:16d}")
    return 0


def run_reader(name: str, frames_path: Path) -> dict[str, Any]:
    """Run one reader in a process of its own and return its results."""
    python = PEERS_PYTHON if name == "fer" else Path(sys.executable)
    done = subprocess.run(
        [str(python), "-m", "benchmarks.peers", "--reader", name, str(frames_path)],
        cwd=ROOT,
        env={
            **os.environ,
            "KERAS_BACKEND": "tensorflow",
            "CUDA_VISIBLE_DEVICES": "-1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "TF_NUM_INTRAOP_THREADS": "1",
            "TF_NUM_INTEROP_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"{name} can't run:\n{done.stderr[-1500:]}")
    results: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return results


if __name__ == "__main__":
    sys.exit(main())
