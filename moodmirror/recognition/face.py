"""Find faces in a picture and read the emotion in each.

:class:`FaceDetector` finds boxes with OpenCV's Haar cascade, :class:`FaceEmotionRecognizer` classifies 48×48 faces with
the network that ``train.py face`` makes, :class:`FaceReader` does both. :func:`preprocess` is the one way from pixels to
the network's input, in training and in serving.
"""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import cv2
import numpy as np
import numpy.typing as npt

from moodmirror.emotions import EMOTIONS, MoodVector
from moodmirror.recognition.runtime import MODELS_DIR, LiteRTModel, ModelError, verified_model_bytes

FACE_SIZE: Final = 48  # pixels: the side of FER2013's square faces, and so of the network's input
MODEL_NAME: Final = "face_emotion"
MAKE_COMMAND: Final = "python train.py face --data PATH"
CASCADE_WINDOW: Final = (24, 24)  # pixels: the size of face that the cascade was trained on
MAX_ENLARGEMENT: Final = 1.25  # before the search
CASCADE_PATH: Final = Path(__file__).resolve().parents[2] / "haarcascade" / "haarcascade_frontalface_default.xml"

GrayImage = npt.NDArray[np.uint8]
Faces = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.int_]


def preprocess(faces: Faces) -> npt.NDArray[np.float32]:
    """Turn faces, uint8 [n, 48, 48], into the network's input, float32 [n, 48, 48, 1].

    Each face is standardised by its own mean and standard deviation, so that how bright or how contrasty the room is
    changes nothing. A face of one single colour becomes all zeros.

    Raises ValueError for another shape or type: pixels scaled to 0…1 by the caller would be read wrongly in silence.
    """
    if faces.ndim != 3 or faces.shape[1:] != (FACE_SIZE, FACE_SIZE) or faces.dtype != np.uint8:
        raise ValueError(f"faces must be uint8 [n, {FACE_SIZE}, {FACE_SIZE}], not {faces.dtype} {list(faces.shape)}")
    pixels = faces.astype(np.float32)
    pixels -= pixels.mean(axis=(1, 2), keepdims=True)
    # One gray level is the least spread that 8-bit pixels show; a smaller divisor would only enlarge noise.
    pixels /= np.maximum(pixels.std(axis=(1, 2), keepdims=True), 1.0)
    return pixels[..., np.newaxis]


def crop_faces(gray: GrayImage, boxes: Boxes) -> Faces:
    """Cut boxes, int [n, 4] as (x, y, w, h) in pixels, out of a gray picture and scale them to uint8 [n, 48, 48].

    Parts of a box outside the picture are left out. Raises ValueError for a box that lies wholly outside.
    """
    faces = np.empty((len(boxes), FACE_SIZE, FACE_SIZE), dtype=np.uint8)
    for face, (x, y, width, height) in zip(faces, boxes, strict=True):
        patch = gray[max(y, 0) : y + height, max(x, 0) : x + width]
        if patch.size == 0:
            raise ValueError(f"the box {(x, y, width, height)} lies outside the picture of {gray.shape[1]}×{gray.shape[0]}")
        shrinking = patch.shape[0] > FACE_SIZE
        face[:] = cv2.resize(patch, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)
    return faces


class FaceDetector:
    """Finds frontal faces with the Haar cascade of Viola and Jones (CVPR 2001) that comes with OpenCV.

    The search runs on a copy whose longer side has `search_size` pixels, for it dominates the cost of a frame. A smaller
    picture is enlarged to that, by a quarter at most: a browser's 320×240 frame loses one face in ten otherwise. The
    smallest face found fills the cascade's own window there: 6 % of the longer side of a large picture.
    """

    def __init__(
        self,
        *,
        search_size: int = 400,
        scale_factor: float = 1.2,
        min_neighbors: int = 5,
        cascade_path: Path = CASCADE_PATH,
    ) -> None:
        """Raises FileNotFoundError if there is no usable cascade at `cascade_path`."""
        self._cascade = cv2.CascadeClassifier(str(cascade_path)) if cascade_path.is_file() else None
        if self._cascade is None or self._cascade.empty():
            raise FileNotFoundError(f"{cascade_path} is not a usable cascade. Restore haarcascade/ from the repository.")
        self._search_size = search_size
        self._scale_factor = scale_factor
        self._min_neighbors = min_neighbors
        self._lock = threading.Lock()  # a cascade keeps its pyramid between the steps of a search

    def detect(self, gray: GrayImage) -> Boxes:
        """Find the faces in a gray picture, uint8 [h, w]. Returns int [n, 4]: (x, y, w, h) in pixels, largest first.

        Raises ValueError for another type or shape.
        """
        if gray.ndim != 2 or gray.dtype != np.uint8:
            raise ValueError(f"a gray picture must be uint8 [h, w], not {gray.dtype} {list(gray.shape)}")
        longer = max(gray.shape)
        if min(gray.shape) == 0:
            return np.empty((0, 4), dtype=np.int_)
        scale = max(longer / self._search_size, 1 / MAX_ENLARGEMENT)
        size = (max(round(gray.shape[1] / scale), 1), max(round(gray.shape[0] / scale), 1))
        small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR)
        with self._lock:
            assert self._cascade is not None
            found = self._cascade.detectMultiScale(
                cv2.equalizeHist(small),
                scaleFactor=self._scale_factor,
                minNeighbors=self._min_neighbors,
                minSize=CASCADE_WINDOW,
            )
        boxes = np.asarray(found, dtype=np.float64).reshape(-1, 4) * scale
        boxes = boxes[np.argsort(-boxes[:, 2], kind="stable")]
        rounded: Boxes = boxes.round().astype(np.int_)
        return rounded


class FaceEmotionRecognizer:
    """Maps faces to mood vectors, in scikit-learn's manner."""

    classes_: Final = EMOTIONS

    def __init__(self, model: LiteRTModel) -> None:
        self._model = model

    @classmethod
    def load(cls, models_dir: Path = MODELS_DIR) -> Self:
        """Open the trained network. Raises ModelError if it is missing or not the one the manifest names."""
        return cls(LiteRTModel(verified_model_bytes(f"{MODEL_NAME}.tflite", MAKE_COMMAND, models_dir)))

    def predict_proba(self, faces: Faces) -> npt.NDArray[np.float32]:
        """Probabilities of the seven emotions, float32 [n, 7], of faces, uint8 [n, 48, 48]; n may be 0.

        Raises ModelError if the network answers with anything but finite numbers.
        """
        inputs = preprocess(faces)
        if len(inputs) == 0:
            return np.empty((0, len(EMOTIONS)), dtype=np.float32)
        probabilities = self._model(inputs)
        if not np.isfinite(probabilities).all():
            raise ModelError(f"The face network answered with no numbers. Make it anew with: {MAKE_COMMAND}")
        return probabilities

    def predict(self, faces: Faces) -> list[str]:
        """The likeliest emotion of each face, uint8 [n, 48, 48]."""
        return [EMOTIONS[index] for index in self.predict_proba(faces).argmax(axis=1)]


@dataclass(frozen=True)
class Face:
    """One face in a picture: where it is, (x, y, w, h) in pixels, and what is read in it."""

    box: tuple[int, int, int, int]
    vector: MoodVector

    @property
    def label(self) -> str:
        """The likeliest emotion."""
        return EMOTIONS[int(self.vector.argmax())]

    @property
    def confidence(self) -> float:
        """The probability of the likeliest emotion, 0…1."""
        return float(self.vector.max())


class FaceReader:
    """A detector and a recogniser: from a gray picture to the faces in it, all read in one batch."""

    def __init__(self, detector: FaceDetector, recognizer: FaceEmotionRecognizer) -> None:
        self._detector = detector
        self._recognizer = recognizer

    @classmethod
    def load(cls) -> Self:
        """Open the cascade and the network. Raises FileNotFoundError or ModelError, each naming the remedy."""
        return cls(FaceDetector(), FaceEmotionRecognizer.load())

    def read(self, gray: GrayImage) -> list[Face]:
        """Read every face in a gray picture, uint8 [h, w], largest first."""
        boxes = self._detector.detect(gray)
        if len(boxes) == 0:
            return []
        vectors = self._recognizer.predict_proba(crop_faces(gray, boxes))
        return [
            Face((int(x), int(y), int(width), int(height)), vector)
            for (x, y, width, height), vector in zip(boxes, vectors, strict=True)
        ]
