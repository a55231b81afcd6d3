"""Measure the face network as it is served: by emotion, in worse pictures, in the detector's boxes, and its calibration."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import cv2
import numpy as np
import numpy.typing as npt

from moodmirror.recognition.face import (
    FACE_SIZE,
    MODEL_NAME,
    FaceDetector,
    FaceEmotionRecognizer,
    Faces,
    crop_faces,
)
from moodmirror.training.atomic_files import write_text
from moodmirror.training.face_corpora import FaceCorpus, FaceSplit, load_faces, without_copies
from moodmirror.training.metrics import ClassificationMetrics, Reliability, classification_metrics, reliability

HAAR_FACES: Final = 700  # of the development part are set into a picture, found again and read
HAAR_ENLARGEMENT: Final = 2  # so that they are as large as in front of a webcam


@dataclass(frozen=True)
class HaarFraming:
    """What the detector's boxes do to faces: `found` of them, 0…1, and accuracy on these, cut by the corpus and by Haar.

    `side` and `offset` are medians: Haar's side by the corpus' one, and the distance of the middles by that side.
    """

    found: float
    accuracy_own: float
    accuracy_haar: float
    side: float
    offset: float


@dataclass(frozen=True)
class FaceEvaluation:
    """All that is measured of a served face network."""

    splits: list[tuple[str, ClassificationMetrics]]
    calibration: Reliability
    robustness: dict[str, float]
    haar: HaarFraming

    def as_text(self) -> str:
        """For a terminal."""
        parts = [f"{name}: {figures.support.sum()} faces\n{figures.as_text()}" for name, figures in self.splits]
        parts.append(f"expected calibration error, held-out half of the development part: {self.calibration.error:.4f}")
        parts.append("\n".join(f"{name:34}{accuracy:8.1%}" for name, accuracy in self.robustness.items()))
        haar = self.haar
        parts.append(
            f"cut out by Haar: {haar.found:.0%} of {HAAR_FACES} found, accuracy on these {haar.accuracy_haar:.1%} "
            f"({haar.accuracy_own:.1%} as the corpus cut them), side ratio {haar.side:.2f}, offset {haar.offset:.1%}"
        )
        return "\n\n".join(parts)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "splits": {name: figures.as_json() for name, figures in self.splits},
            "expected_calibration_error": round(self.calibration.error, 5),
            "robustness": {name: round(accuracy, 5) for name, accuracy in self.robustness.items()},
            "haar": {name: round(value, 5) for name, value in vars(self.haar).items()},
        }


def evaluate(data: Path, *, models_dir: Path, seed: int) -> None:
    """Print the figures of the served model in `models_dir` on the corpus at `data`."""
    corpus = load_faces(data, seed)
    print(f"{corpus.name}, the served {MODEL_NAME}.tflite, one pass a face\n")
    print(evaluation(corpus, FaceEmotionRecognizer.load(models_dir)).as_text())


def evaluation(corpus: FaceCorpus, recognizer: FaceEmotionRecognizer) -> FaceEvaluation:
    """Measure a recogniser on the parts of a corpus that it was not trained on."""
    clean = without_copies(corpus.development, corpus.training)
    _, held_out = halves(clean)
    return FaceEvaluation(
        splits=[
            (name, classification_metrics(part.labels, recognizer.predict_proba(part.faces))) for name, part in parts(corpus)
        ],
        calibration=reliability(held_out.labels, recognizer.predict_proba(held_out.faces)),
        robustness=robustness(clean, recognizer),
        haar=haar_framing(clean, recognizer),
    )


def parts(corpus: FaceCorpus) -> list[tuple[str, FaceSplit]]:
    """The parts on which figures are reported, by name; each with and without exact copies of training faces."""
    named = [("development", corpus.development)]
    if corpus.test is not None:
        named.append(("test", corpus.test))
    return [
        entry
        for name, split in named
        for entry in (
            (f"{name}, without exact copies of training faces", without_copies(split, corpus.training)),
            (f"{name}, all", split),
        )
    ]


def halves(split: FaceSplit) -> tuple[FaceSplit, FaceSplit]:
    """Two halves: one to calibrate on, one to measure calibration on. Equal pictures fall into the same half."""
    first = np.array([crc32(face.tobytes()) % 2 == 0 for face in split.faces], dtype=bool)
    return split.where(first), split.where(~first)


def robustness(split: FaceSplit, recognizer: FaceEmotionRecognizer) -> dict[str, float]:
    """Accuracy on worsened copies of the faces, by what was done to them. The same copies at every call."""
    accuracies = {}
    for name, worsen in WORSENINGS.items():
        rng = np.random.default_rng(0)
        faces = np.stack([worsen(face, rng) for face in split.faces]).astype(np.uint8)
        accuracies[name] = float((recognizer.predict_proba(faces).argmax(axis=1) == split.labels).mean())
    return accuracies


def haar_framing(split: FaceSplit, recognizer: FaceEmotionRecognizer) -> HaarFraming:
    """Set faces into a larger picture whose edges go on as they end, find them with Haar, and read what it cuts out."""
    detector = FaceDetector()
    chosen = np.random.default_rng(0).permutation(len(split))[:HAAR_FACES]
    side = HAAR_ENLARGEMENT * FACE_SIZE
    own, crops, labels, sides, offsets = [], [], [], [], []
    for index in chosen:
        large = cv2.resize(split.faces[index], (side, side), interpolation=cv2.INTER_CUBIC)
        picture = np.asarray(cv2.copyMakeBorder(large, side, side, side, side, cv2.BORDER_REPLICATE), dtype=np.uint8)
        boxes = detector.detect(picture)
        if len(boxes) == 0:
            continue
        x, y, width, height = boxes[0]
        offset = np.hypot(x + width / 2 - 1.5 * side, y + height / 2 - 1.5 * side) / side
        if offset > 0.5:
            continue
        own.append(split.faces[index])
        crops.append(crop_faces(picture, boxes[:1])[0])
        labels.append(split.labels[index])
        sides.append(width / side)
        offsets.append(offset)
    if not own:
        return HaarFraming(0.0, 0.0, 0.0, 0.0, 0.0)
    return HaarFraming(
        found=len(own) / len(chosen),
        accuracy_own=float((recognizer.predict_proba(np.stack(own)).argmax(axis=1) == labels).mean()),
        accuracy_haar=float((recognizer.predict_proba(np.stack(crops)).argmax(axis=1) == labels).mean()),
        side=float(np.median(sides)),
        offset=float(np.median(offsets)),
    )


Worsening = Callable[[Faces, np.random.Generator], npt.NDArray[Any]]


def _light(contrast: float, brightness: float) -> Worsening:
    return lambda face, rng: np.clip(contrast * (face.astype(np.float32) - 128) + 128 + brightness, 0, 255)


def _blur(sigma: float) -> Worsening:
    return lambda face, rng: cv2.GaussianBlur(face, (0, 0), sigma)


def _noise(sigma: float) -> Worsening:
    return lambda face, rng: np.clip(face + rng.normal(0, sigma, face.shape), 0, 255)


def _small(side: int) -> Worsening:
    return lambda face, rng: cv2.resize(cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA), (FACE_SIZE, FACE_SIZE))


def _warp(angle: float = 0, scale: float = 1, shift: float = 0) -> Worsening:
    middle = (FACE_SIZE - 1) / 2
    matrix = np.asarray(cv2.getRotationMatrix2D((middle, middle), angle, scale), dtype=np.float64)
    matrix[:, 2] += shift * FACE_SIZE
    return lambda face, rng: cv2.warpAffine(face, matrix, (FACE_SIZE, FACE_SIZE), borderMode=cv2.BORDER_REFLECT_101)


def _jpeg(quality: int) -> Worsening:
    def worsen(face: Faces, rng: np.random.Generator) -> npt.NDArray[Any]:
        coded = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE))

    return worsen


WORSENINGS: Final[dict[str, Worsening]] = {
    "as they are": lambda face, rng: face,
    "darker by 80 gray levels": _light(1, -80),
    "brighter by 80 gray levels": _light(1, 80),
    "a third of the contrast": _light(1 / 3, 0),
    "twice the contrast": _light(2, 0),
    "blurred, σ 1 pixel": _blur(1),
    "blurred, σ 1.5 pixels": _blur(1.5),
    "noise, σ 10 gray levels": _noise(10),
    "noise, σ 20 gray levels": _noise(20),
    "32 pixels wide": _small(32),
    "24 pixels wide": _small(24),
    "20 pixels wide": _small(20),
    "tilted by 10°": _warp(angle=10),
    "tilted by 20°": _warp(angle=20),
    "tilted by −20°": _warp(angle=-20),
    "box 15 % too large": _warp(scale=1 / 1.15),
    "box 15 % too small": _warp(scale=1.15),
    "box 10 % off, across and down": _warp(shift=0.1),
    "JPEG, quality 30": _jpeg(30),
    "JPEG, quality 10": _jpeg(10),
}
"""What is done to faces, uint8 [48, 48], to see whether they are still read; boxes too large are mirrored at their edges."""


def write_json(result: FaceEvaluation, path: Path) -> None:
    """Write the figures for programs."""
    write_text(path, json.dumps(result.as_json(), indent=1) + "\n")
