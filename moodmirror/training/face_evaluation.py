"""Evaluate the served face network: per emotion, on degraded pictures, in the detector's boxes, and its calibration."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import cv2
import numpy as np
import numpy.typing as npt

from moodmirror.recognition.face import FACE_SIZE, FaceEmotionRecognizer, Faces, crop_faces
from moodmirror.recognition.face_detector import FaceDetector
from moodmirror.training.atomic_files import write_text
from moodmirror.training.face_corpora import FaceCorpus, FaceSplit, load_faces, sampled, without_copies
from moodmirror.training.face_network import model_name
from moodmirror.training.metrics import ClassificationMetrics, Reliability, classification_metrics, reliability

QUICK_FACES: Final = 1000  # development faces, and as many test faces, of a quick evaluation
HAAR_FACES: Final = 700  # development faces that are set into a larger picture, detected there and classified
HAAR_ENLARGEMENT: Final = 2  # makes these faces as large as in front of a webcam


@dataclass(frozen=True)
class HaarFraming:
    """The effect of the detector's boxes: the share `found`, 0…1, and the accuracy on these faces in both crops.

    `accuracy_own` is that of the corpus' crop. `side` and `offset` are medians: the side of Haar's box divided by that of
    the corpus' box, and the distance of the centers divided by the latter.
    """

    found: float
    accuracy_own: float
    accuracy_haar: float
    side: float
    offset: float


@dataclass(frozen=True)
class FaceEvaluation:
    """All metrics of a served face network."""

    splits: list[tuple[str, ClassificationMetrics]]
    calibration: Reliability
    robustness: dict[str, float]
    haar: HaarFraming

    def as_text(self) -> str:
        """Return the metrics for a terminal."""
        parts = [f"{name}: {metrics.support.sum()} faces\n{metrics.as_text()}" for name, metrics in self.splits]
        parts.append(f"expected calibration error, held-out half of the development part: {self.calibration.error:.4f}")
        parts.append("\n".join(f"{name:34}{accuracy:8.1%}" for name, accuracy in self.robustness.items()))
        haar = self.haar
        parts.append(
            f"crops by Haar: {haar.found:.0%} of {HAAR_FACES} found, accuracy on these {haar.accuracy_haar:.1%} "
            f"({haar.accuracy_own:.1%} in the corpus' own crops), side ratio {haar.side:.2f}, offset {haar.offset:.1%}"
        )
        return "\n\n".join(parts)

    def as_json(self) -> dict[str, Any]:
        """Return the metrics for a JSON file."""
        return {
            "splits": {name: metrics.as_json() for name, metrics in self.splits},
            "expected_calibration_error": round(self.calibration.error, 5),
            "robustness": {name: round(accuracy, 5) for name, accuracy in self.robustness.items()},
            "haar": {name: round(value, 5) for name, value in vars(self.haar).items()},
        }


def evaluate(
    data: Path | Sequence[Path],
    *,
    model: str,
    models_dir: Path,
    seed: int,
    emotions: Sequence[str] = (),
    quick: bool = False,
) -> None:
    """Print the metrics of the network of the kind `model` in `models_dir` on the corpora at `data`.

    With `emotions`, on their faces only; a quick evaluation takes a part of the faces.
    """
    corpus = load_faces(data, seed, emotions)
    if quick:
        corpus = sampled(corpus, len(corpus.training), QUICK_FACES, seed)
    name = model_name(model)
    print(f"{corpus.name}, {name}.tflite, one pass per face; {'; '.join(corpus.notes)}\n")
    print(evaluation(corpus, FaceEmotionRecognizer.load(models_dir, name=name)).as_text())


def evaluation(corpus: FaceCorpus, recognizer: FaceEmotionRecognizer) -> FaceEvaluation:
    """Evaluate a recognizer on the parts of a corpus that it was not trained on."""
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
    """Return the named parts that metrics are reported on, each without and with exact copies of training faces."""
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
    """Split into two halves, to fit and to measure the calibration. Equal pictures fall into the same half."""
    first = np.array([crc32(face.tobytes()) % 2 == 0 for face in split.faces], dtype=bool)
    return split.where(first), split.where(~first)


def robustness(split: FaceSplit, recognizer: FaceEmotionRecognizer) -> dict[str, float]:
    """Return the accuracy on degraded copies of the faces, by degradation. Every call makes the same copies."""
    accuracies = {}
    for name, degrade in DEGRADATIONS.items():
        rng = np.random.default_rng(0)
        faces = np.stack([degrade(face, rng) for face in split.faces]).astype(np.uint8)
        accuracies[name] = float((recognizer.predict_proba(faces).argmax(axis=1) == split.labels).mean())
    return accuracies


def haar_framing(split: FaceSplit, recognizer: FaceEmotionRecognizer) -> HaarFraming:
    """Set faces into larger pictures that continue their edges, detect them with Haar, and classify its crops."""
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


Degradation = Callable[[Faces, np.random.Generator], npt.NDArray[Any]]


def _light(contrast: float, brightness: float) -> Degradation:
    return lambda face, rng: np.clip(contrast * (face.astype(np.float32) - 128) + 128 + brightness, 0, 255)


def _blur(sigma: float) -> Degradation:
    return lambda face, rng: cv2.GaussianBlur(face, (0, 0), sigma)


def _noise(sigma: float) -> Degradation:
    return lambda face, rng: np.clip(face + rng.normal(0, sigma, face.shape), 0, 255)


def _small(side: int) -> Degradation:
    return lambda face, rng: cv2.resize(cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA), (FACE_SIZE, FACE_SIZE))


def _warp(angle: float = 0, scale: float = 1, shift: float = 0) -> Degradation:
    center = (FACE_SIZE - 1) / 2
    matrix = np.asarray(cv2.getRotationMatrix2D((center, center), angle, scale), dtype=np.float64)
    matrix[:, 2] += shift * FACE_SIZE
    return lambda face, rng: cv2.warpAffine(face, matrix, (FACE_SIZE, FACE_SIZE), borderMode=cv2.BORDER_REFLECT_101)


def _jpeg(quality: int) -> Degradation:
    def encode_and_decode(face: Faces, rng: np.random.Generator) -> npt.NDArray[Any]:
        encoded = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE))

    return encode_and_decode


DEGRADATIONS: Final[dict[str, Degradation]] = {
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
"""Changes to faces, uint8 [48, 48], that robustness is measured under. A box that is too large is mirrored at its edges."""


def write_json(result: FaceEvaluation, path: Path, **properties: Any) -> None:
    """Write the metrics to a JSON file, after `properties` of the network."""
    write_text(path, json.dumps(properties | result.as_json(), indent=1) + "\n")
