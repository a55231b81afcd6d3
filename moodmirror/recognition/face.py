"""Recognize emotions in faces.

:class:`FaceEmotionRecognizer` classifies 48×48 faces with the network trained by ``train.py face``. :class:`FaceAnalyzer`
finds the faces in a picture with :class:`FaceDetector` and recognizes the emotion of each. :func:`preprocess` computes the
network's input from pixels, in training and in serving.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

import cv2
import numpy as np
import numpy.typing as npt

from moodmirror.emotions import EMOTIONS, MoodVector, shares_by_name
from moodmirror.paths import MODELS_DIR
from moodmirror.recognition.face_detector import (
    FAR_SEARCH,
    TILTED_SEARCHES,
    UPRIGHT_SEARCH,
    Box,
    Boxes,
    FaceDetector,
    GrayImage,
)
from moodmirror.recognition.model_files import LiteRTModel, ModelError, verified_model_bytes

# FaceDetector is part of this module's public interface.
__all__ = [
    "FACE_SIZE",
    "MAKE_COMMAND",
    "MODEL_NAME",
    "Face",
    "FaceAnalyzer",
    "FaceDetector",
    "FaceEmotionRecognizer",
    "Faces",
    "QualityIssue",
    "crop_faces",
    "preprocess",
    "sharpness",
    "sharpness_weight",
    "standardize",
]

FACE_SIZE: Final = 48  # pixels: the side of FER2013's square faces, and of the network's input
MODEL_NAME: Final = "face_emotion"
MAKE_COMMAND: Final = "python train.py face --data PATH"

# Below these values the network is right on about half of FER2013's faces or less (the robustness table in its model card),
# so such faces get no reading.
MIN_BOX_SIDE: Final = 20  # pixels
MIN_SHARPNESS: Final = 0.012

Faces = npt.NDArray[np.uint8]
QualityIssue = Literal["small", "blurred", "turned"]


def preprocess(faces: Faces) -> npt.NDArray[np.float32]:
    """Return the network's input, float32 [n, 48, 48, 1], for faces, uint8 [n, 48, 48].

    Each face is standardized by its own mean and standard deviation, so that the brightness and contrast of the room have no
    effect. A face of one single color becomes all zeros.

    Raises ValueError for another shape or type: pixels that the caller has scaled to 0…1 would be misread without an error.
    """
    if faces.ndim != 3 or faces.shape[1:] != (FACE_SIZE, FACE_SIZE) or faces.dtype != np.uint8:
        raise ValueError(f"faces must be uint8 [n, {FACE_SIZE}, {FACE_SIZE}], not {faces.dtype} {list(faces.shape)}")
    return standardize(faces)


def standardize(faces: Faces) -> npt.NDArray[np.float32]:
    """Standardize faces of any one size, uint8 [n, h, w], each by its mean and deviation: float32 [n, h, w, 1]."""
    pixels = faces.astype(np.float32)
    pixels -= pixels.mean(axis=(1, 2), keepdims=True)
    # One gray level is the smallest deviation that 8-bit pixels show; a smaller divisor would only amplify noise.
    pixels /= np.maximum(pixels.std(axis=(1, 2), keepdims=True), 1.0)
    return pixels[..., np.newaxis]


def crop_faces(gray: GrayImage, boxes: Boxes) -> Faces:
    """Crop boxes, int [n, 4] as (x, y, w, h) in pixels, from a gray picture and scale them to uint8 [n, 48, 48].

    Parts of a box outside the picture are left out. Raises ValueError for a box that is completely outside.
    """
    faces = np.empty((len(boxes), FACE_SIZE, FACE_SIZE), dtype=np.uint8)
    for face, (x, y, width, height) in zip(faces, boxes, strict=True):
        patch = gray[max(y, 0) : y + height, max(x, 0) : x + width]
        if patch.size == 0:
            raise ValueError(f"the box {(x, y, width, height)} lies outside the picture of {gray.shape[1]}×{gray.shape[0]}")
        shrinking = patch.shape[0] > FACE_SIZE
        face[:] = cv2.resize(patch, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)
    return faces


class FaceEmotionRecognizer:
    """Maps faces to mood vectors, in scikit-learn's manner."""

    classes_: Final = EMOTIONS

    def __init__(self, model: LiteRTModel) -> None:
        self._model = model

    @classmethod
    def load(cls, models_dir: Path = MODELS_DIR, *, name: str = MODEL_NAME) -> Self:
        """Load a trained network, by default the served one.

        Raises ModelError if it is missing or its hash is not that of the manifest.
        """
        return cls(LiteRTModel(verified_model_bytes(f"{name}.tflite", MAKE_COMMAND, models_dir)))

    def predict_proba(self, faces: Faces) -> npt.NDArray[np.float32]:
        """Return the probabilities of the seven emotions, float32 [n, 7], of n faces, uint8 [n, 48, 48]; n may be 0.

        Raises ValueError for another shape or type, and ModelError if the network's output is not finite.
        """
        inputs = preprocess(faces)
        if len(inputs) == 0:
            return np.empty((0, len(EMOTIONS)), dtype=np.float32)
        probabilities = self._model(inputs)
        if not np.isfinite(probabilities).all():
            raise ModelError(f"The face network's output is not finite. Create the network again with: {MAKE_COMMAND}")
        return probabilities

    def predict(self, faces: Faces) -> list[str]:
        """Return the most probable emotion of each face, uint8 [n, 48, 48]. Raises as :meth:`predict_proba` does."""
        return [EMOTIONS[index] for index in self.predict_proba(faces).argmax(axis=1)]

    def predict_proba_by_name(self, faces: Faces) -> list[dict[str, float]]:
        """Return the probabilities of the seven emotions of each face by name. Raises as :meth:`predict_proba` does."""
        return [shares_by_name(vector) for vector in self.predict_proba(faces)]


@dataclass(frozen=True)
class Face:
    """One face in a picture: its box, (x, y, w, h) in pixels, and its mood vector, float32 [7].

    `vector` is None for a face that can't be read, and `quality_issue` is the reason. `number` is the face's identity in a
    sequence of frames, from 1; in a single picture it is 0. `weight`, 0…1, is the weight of the reading: see
    :func:`sharpness_weight`.
    """

    box: Box
    vector: MoodVector | None
    quality_issue: QualityIssue | None = None
    number: int = 0
    weight: float = 1.0

    @property
    def label(self) -> str | None:
        """Return the most probable emotion; None without a reading."""
        return None if self.vector is None else EMOTIONS[int(self.vector.argmax())]

    @property
    def confidence(self) -> float:
        """Return the probability of the most probable emotion, 0…1; 0 without a reading."""
        return 0.0 if self.vector is None else float(self.vector.max())


def sharpness(face: GrayImage) -> float:
    """Return the sharpness of a face, uint8 [48, 48]: the variance of its Laplacian divided by its own variance.

    After Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000; the division keeps contrast from
    counting as sharpness. FER2013's faces lie above 0.2; blurred by 1.5 pixels they lie about 0.02, by 2.5 about 0.006.
    """
    pixels = face.astype(np.float64)
    inner = cv2.Laplacian(pixels, cv2.CV_64F)[2:-2, 2:-2]  # at the edges the Laplacian is extrapolated
    return _variance(inner) / max(_variance(pixels), 1.0)


def _variance(values: npt.NDArray[Any]) -> float:
    """Return values.var() in a third of its time; it is computed for every frame."""
    flat = values.ravel()
    return float(flat @ flat / len(flat) - flat.mean() ** 2)


def sharpness_weight(face_sharpness: float) -> float:
    """Return the weight of a reading for a face's :func:`sharpness`, in (0, 1): one half at MIN_SHARPNESS.

    A small face is blurred once it is enlarged, so the weight falls with its size too: sharp faces have 0.98, faces of 24
    pixels 0.87, faces blurred by 1.5 pixels 0.65. It falls no faster because the network's probabilities stay calibrated on
    such pictures: the temperature that fits degraded development faces best is 1 within 0.05.
    """
    return float(face_sharpness / (face_sharpness + MIN_SHARPNESS))


class FaceAnalyzer:
    """A detector and a recognizer: finds the faces in a gray picture and reads them in one batch."""

    def __init__(self, detector: FaceDetector, recognizer: FaceEmotionRecognizer) -> None:
        self.detector = detector
        self._recognizer = recognizer

    @classmethod
    def load(cls) -> Self:
        """Load the cascade and the network. Raises FileNotFoundError or ModelError; the message names the remedy."""
        return cls(FaceDetector(), FaceEmotionRecognizer.load())

    def analyze(self, gray: GrayImage) -> list[Face]:
        """Find and read every face in a gray picture, uint8 [h, w]; return them largest first.

        Tilted faces are searched for only if no face is upright, and far faces only if no face is near. Raises ValueError
        for another type or shape.
        """
        for search in (UPRIGHT_SEARCH, *TILTED_SEARCHES, FAR_SEARCH):
            boxes = self.detector.detect(gray, search)
            if len(boxes) > 0:
                break
        return self.analyze_boxes(gray, [(int(x), int(y), int(width), int(height)) for x, y, width, height in boxes])

    def analyze_boxes(self, gray: GrayImage, boxes: list[Box]) -> list[Face]:
        """Read the faces in boxes, (x, y, w, h) in pixels, of a gray picture, uint8 [h, w].

        A face that is too small or too blurred gets a quality issue and no vector: the network would only guess. Raises
        ValueError for a box that is completely outside the picture.
        """
        crops = crop_faces(gray, np.array(boxes, dtype=np.int_).reshape(-1, 4))
        values = [sharpness(crop) for crop in crops]
        issues = [self._quality_issue(box, value) for box, value in zip(boxes, values, strict=True)]
        readable = np.array([issue is None for issue in issues], dtype=bool)
        vectors = iter(self._recognizer.predict_proba(crops[readable]))
        return [
            Face(box, next(vectors) if issue is None else None, issue, weight=sharpness_weight(value))
            for box, issue, value in zip(boxes, issues, values, strict=True)
        ]

    @staticmethod
    def _quality_issue(box: Box, face_sharpness: float) -> QualityIssue | None:
        if min(box[2:]) < MIN_BOX_SIDE:
            return "small"
        return "blurred" if face_sharpness < MIN_SHARPNESS else None
