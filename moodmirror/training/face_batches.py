"""Training batches of faces: targets, weights, augmentation, and the size of the faces in each epoch."""

import math
from typing import Any, Final

import cv2
import keras
import numpy as np
import numpy.typing as npt

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.face import FACE_SIZE, Faces, standardize
from moodmirror.training.face_corpora import FaceSplit
from moodmirror.training.face_network import EMOTIONS_OUTPUT, VOTES_OUTPUT
from moodmirror.training.settings import FaceTraining

# Faces are small in the first epochs, in which the network learns coarse features: (share of the epochs after which the size
# ends, side in pixels). An epoch at 32 pixels costs 0.4 of one at 48 (Howard, DAWNBench 2018: "progressive resizing").
FACE_SIZES: Final = ((0.45, 32), (0.77, 40), (1.0, FACE_SIZE))
# A run that starts from a trained network has its coarse features already.
FACE_SIZES_FROM_TRAINED: Final = ((0.25, 40), (1.0, FACE_SIZE))
DEFAULT_STRENGTH: Final = FaceTraining()  # of the augmentation


def face_size_in(epoch: int, config: FaceTraining) -> int:
    """Return the side, in pixels, of the training faces in an epoch, counted from 0."""
    sizes = FACE_SIZES_FROM_TRAINED if config.start_from else FACE_SIZES
    return next(size for share, size in sizes if epoch < share * config.epochs or share == 1.0)


def smoothed_labels(labels: npt.NDArray[np.int_], label_smoothing: float) -> npt.NDArray[np.float32]:
    """Return the targets, float32 [n, 7], of labels, int [n]: one-hot vectors mixed with the uniform distribution."""
    targets: npt.NDArray[np.float32] = (1 - label_smoothing) * np.eye(len(EMOTIONS), dtype=np.float32)[labels]
    return targets + np.float32(label_smoothing / len(EMOTIONS))


def class_weights(labels: npt.NDArray[np.int_], balance: float) -> npt.NDArray[np.float32]:
    """Return the weight of each face, float32 [n], mean 1: the share of its emotion's faces to the power of −`balance`."""
    counts = np.bincount(labels, minlength=len(EMOTIONS)).astype(np.float64)
    weights = np.where(counts > 0, np.maximum(counts, 1) ** -balance, 0.0)[labels]
    balanced: npt.NDArray[np.float32] = (weights / weights.mean()).astype(np.float32)
    return balanced


def augment(
    face: npt.NDArray[Any], rng: np.random.Generator, strength: FaceTraining = DEFAULT_STRENGTH, *, gently: bool = False
) -> npt.NDArray[Any]:
    """Return a variant of a face, uint8 [48, 48]: mirrored, rotated, shifted, relit, degraded or partly hidden.

    `strength` states by how much. By default shifts and scales cover how a detector's box differs from FER2013's own crop.
    With `gently`, the face is only mirrored, and rotated, scaled and shifted by a third as much.
    """
    reach = 1 / 3 if gently else 1.0
    angle = reach * rng.uniform(-strength.rotation, strength.rotation)
    scale = 1 + reach * rng.uniform(-strength.zoom_out, strength.zoom_in)
    center = (FACE_SIZE - 1) / 2
    matrix = np.asarray(cv2.getRotationMatrix2D((center, center), angle, scale), dtype=np.float64)
    matrix[:, 2] += reach * rng.uniform(-strength.shift, strength.shift, size=2)
    if rng.random() < strength.mirror:
        matrix = matrix @ np.array([[-1, 0, FACE_SIZE - 1], [0, 1, 0], [0, 0, 1]], dtype=np.float64)
    face = cv2.warpAffine(face, matrix, (FACE_SIZE, FACE_SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    if gently:
        return face
    light, degradation = rng.random(2)
    if light < strength.relit / 2:
        gamma = rng.uniform(0.5, 1.8)
        face = cv2.LUT(face, (255 * (np.arange(256) / 255) ** gamma).astype(np.uint8))
    elif light < strength.relit:
        contrast, brightness = rng.uniform(0.6, 1.7), rng.uniform(-strength.brightness, strength.brightness)
        face = cv2.convertScaleAbs(face, alpha=contrast, beta=brightness)  # clips at black and white
    if degradation < 0.08:
        face = cv2.GaussianBlur(face, (0, 0), rng.uniform(0.4, 1.3))  # pixels
    elif degradation < 0.16:
        noise = rng.normal(0, rng.uniform(strength.noise / 7, strength.noise), face.shape)
        face = np.clip(face + noise, 0, 255).astype(np.uint8)
    elif degradation < 0.24:
        small = int(rng.integers(18, 40))  # pixels: a face at a greater distance
        face = cv2.resize(cv2.resize(face, (small, small), interpolation=cv2.INTER_AREA), (FACE_SIZE, FACE_SIZE))
    elif degradation < 0.3:
        quality = int(rng.integers(15, 70))
        encoded = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        face = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE))
    if rng.random() < strength.hidden:  # random erasing (Zhong et al., AAAI 2020)
        height, width = rng.integers(6, 20, size=2)
        top, left = rng.integers(0, FACE_SIZE - height), rng.integers(0, FACE_SIZE - width)
        face = face.copy()
        face[top : top + height, left : left + width] = rng.integers(0, 256)
    return face


def resized(faces: Faces, size: int) -> Faces:
    """Resize faces, uint8 [n, h, w], to uint8 [n, size, size]."""
    if faces.shape[1] == size:
        return faces
    return np.stack([cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA) for face in faces]).astype(np.uint8)


class FaceBatches(keras.utils.PyDataset):
    """The augmented batches of a training part in one epoch. Content and order depend only on seed and epoch."""

    def __init__(
        self, split: FaceSplit, config: FaceTraining, epoch: int, teacher_targets: npt.NDArray[np.float32] | None = None
    ) -> None:
        """`epoch` counts from 0; `teacher_targets`, float32 [n, 7], are the teachers' predictions for each face, if any."""
        super().__init__(workers=2, max_queue_size=6)
        self._faces = split.faces
        votes = split.vote_distributions()
        targets = smoothed_labels(split.labels, config.label_smoothing)
        if teacher_targets is not None:
            targets = (1 - config.distilled) * targets + config.distilled * teacher_targets
        self._targets = {EMOTIONS_OUTPUT: targets, VOTES_OUTPUT: votes}
        weights = class_weights(split.labels, config.balance)
        self._weights = {EMOTIONS_OUTPUT: weights, VOTES_OUTPUT: weights * votes.sum(axis=1)}
        self._config = config
        self._epoch = epoch
        self._size = face_size_in(epoch, config)
        self._order = np.random.default_rng((config.seed, epoch)).permutation(len(self._faces))

    def __len__(self) -> int:
        return math.ceil(len(self._faces) / self._config.batch_size)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        rng = np.random.default_rng((self._config.seed, self._epoch, index))
        rows = self._order[index * self._config.batch_size : (index + 1) * self._config.batch_size]
        gently = self._epoch >= self._config.cool_down * self._config.epochs
        faces = np.stack([augment(self._faces[row], rng, self._config, gently=gently) for row in rows])
        return (
            standardize(resized(faces, self._size)),
            {name: targets[rows] for name, targets in self._targets.items()},
            {name: weights[rows] for name, weights in self._weights.items()},
        )
