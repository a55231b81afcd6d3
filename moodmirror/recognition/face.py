"""Find faces in a picture and read the emotion in each.

:class:`FaceDetector` finds boxes with OpenCV's Haar cascade, :class:`FaceEmotionRecognizer` classifies 48×48 faces with
the network that ``train.py face`` makes, :class:`FaceAnalyzer` does both. :func:`preprocess` is the one way from pixels to
the network's input, in training and in serving.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, Literal, NamedTuple, Self

import cv2
import numpy as np
import numpy.typing as npt

from moodmirror.emotions import EMOTIONS, MoodVector
from moodmirror.recognition.model_files import MODELS_DIR, LiteRTModel, ModelError, verified_model_bytes

FACE_SIZE: Final = 48  # pixels: the side of FER2013's square faces, and so of the network's input
MODEL_NAME: Final = "face_emotion"
MAKE_COMMAND: Final = "python train.py face --data PATH"
CASCADE_WINDOW: Final = 24  # pixels: the side of face that the cascade was trained on

# The coarse search of a whole picture. Measured on faces set into photographs: `make bench`.
SEARCH_SIZE: Final = 288  # pixels: the longer side of the copy that is searched
FAR_SEARCH_SIZE: Final = 480  # pixels: the same for the search of faces too small for that one
COARSE_SCALE_FACTOR: Final = 1.2
COARSE_VOTES: Final = 1
CERTAIN_VOTES: Final = 8  # a place with so many needs no confirmation
# The fine search around one place.
NEAR_FACE: Final = 32  # pixels: the side to which an expected face is brought
FINE_SCALE_FACTOR: Final = 1.1
CONFIRM_VOTES: Final = 4  # for a new face; with fewer, folds of cloth pass for one
INCLINED_VOTES: Final = 6  # for a new face that is confirmed only when inclined: two more chances to be wrong
SLIGHT_TILT: Final = 12.0  # degrees: by so much more or less inclined, a face is looked for again to confirm it
FOLLOW_VOTES: Final = 2  # for one that was there a moment ago
# The cascade's faces are upright, and found up to a tilt of about 10°; heads incline by up to about 30°.
TILTS: Final = (20.0, -20.0)  # degrees
SAME_FACE_OVERLAP: Final = 0.3

# Where a reading would be a guess: below these the network is right on about half of FER2013's faces or less (the table of
# robustness in its model card).
SMALLEST_READ: Final = 20  # pixels: the side of a box
LEAST_SHARPNESS: Final = 0.012

CASCADE_PATH: Final = Path(__file__).resolve().parents[2] / "haarcascade" / "haarcascade_frontalface_default.xml"

GrayImage = npt.NDArray[np.uint8]
Faces = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.int_]
Box = tuple[int, int, int, int]
QualityIssue = Literal["small", "blurred", "turned"]


def preprocess(faces: Faces) -> npt.NDArray[np.float32]:
    """Turn faces, uint8 [n, 48, 48], into the network's input, float32 [n, 48, 48, 1].

    Each face is standardised by its own mean and standard deviation, so that how bright or how contrasty the room is
    changes nothing. A face of one single colour becomes all zeros.

    Raises ValueError for another shape or type: pixels scaled to 0…1 by the caller would be read wrongly in silence.
    """
    if faces.ndim != 3 or faces.shape[1:] != (FACE_SIZE, FACE_SIZE) or faces.dtype != np.uint8:
        raise ValueError(f"faces must be uint8 [n, {FACE_SIZE}, {FACE_SIZE}], not {faces.dtype} {list(faces.shape)}")
    return standardize(faces)


def standardize(faces: Faces) -> npt.NDArray[np.float32]:
    """Faces of any one size, uint8 [n, h, w], each by its own mean and standard deviation: float32 [n, h, w, 1]."""
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


class Search(NamedTuple):
    """Which faces to look for in a whole picture.

    `far`: only those too small for the usual search, down to 32 pixels of a 640×480 picture and 16 of one of 320×240.
    `tilt`: those inclined by about so many degrees, counter-clockwise. `least`: those of so many pixels or more,
    which costs the less the larger they are.
    """

    far: bool = False
    tilt: float = 0.0
    least: float = 0.0


class Around(NamedTuple):
    """Where to look for a face that was somewhere: all in parts of its side then.

    `margin` on each side of it; faces from `least` to `most`.
    """

    margin: float
    least: float
    most: float


NEAR: Final = Around(0.35, 0.75, 1.4)  # how far a face moves between two frames
STEADY: Final = Around(0.25, 0.86, 1.17)  # most stay within, and it costs half as much to look
UPRIGHT_SEARCH: Final = Search()
FAR_SEARCH: Final = Search(far=True)
TILTED_SEARCHES: Final = tuple(Search(tilt=tilt) for tilt in TILTS)


class FaceDetector:
    """Finds frontal faces with the Haar cascade of Viola and Jones (CVPR 2001) that comes with OpenCV.

    A whole picture is searched in two steps. A coarse search, on a copy whose longer side has 288 pixels and in wide
    steps of scale, takes every place that the cascade says yes to even once; a fine search around each place confirms
    it, upright or a little inclined, unless so many neighbours said yes that there is no doubt. The same fine search,
    :meth:`detect_near`, follows a face from frame to frame at a fraction of that.

    Safe to call from several threads: each search borrows a cascade, which keeps state between its steps.
    """

    def __init__(self, *, cascade_path: Path = CASCADE_PATH) -> None:
        """Raises FileNotFoundError if there is no usable cascade at `cascade_path`."""
        self._cascades: SimpleQueue[cv2.CascadeClassifier] = SimpleQueue()
        for _ in range(os.cpu_count() or 1):
            cascade = cv2.CascadeClassifier(str(cascade_path)) if cascade_path.is_file() else None
            if cascade is None or cascade.empty():
                raise FileNotFoundError(f"{cascade_path} is not a usable cascade. Restore haarcascade/ from the repository.")
            self._cascades.put(cascade)

    def detect(self, gray: GrayImage, search: Search = UPRIGHT_SEARCH) -> Boxes:
        """Find the faces in a gray picture, uint8 [h, w]. Returns int [n, 4]: (x, y, w, h) in pixels, largest first.

        The smallest face found fills the cascade's own window in the copy that is searched: 53 pixels of a 640×480
        picture. Another `search` than the usual one looks for other faces instead. Raises ValueError for another type or
        shape.
        """
        _require_gray(gray)
        if min(gray.shape) == 0:
            return np.empty((0, 4), dtype=np.int_)
        far, tilt, least = search
        usual = max(max(gray.shape) / SEARCH_SIZE, 1.0, least / CASCADE_WINDOW)
        scale = max(gray.shape) / FAR_SEARCH_SIZE if far else usual
        searched = _resized(gray, gray.shape[1] / scale, gray.shape[0] / scale)
        if tilt:
            middle = np.array(searched.shape[::-1]) / 2
            turn = _turned_by(tilt)
            searched = _warped(searched, np.column_stack([turn, middle - turn @ middle]), searched.shape[::-1])
        largest = CASCADE_WINDOW * FAR_SEARCH_SIZE / SEARCH_SIZE if far else max(searched.shape)
        candidates, votes = self._search(searched, COARSE_SCALE_FACTOR, COARSE_VOTES, CASCADE_WINDOW, largest)
        found: list[Box] = []
        for index in np.argsort(-candidates[:, 2], kind="stable"):
            centre = candidates[index, :2] + candidates[index, 2:] / 2
            if tilt:
                centre = middle + turn @ (centre - middle)
            candidate = _square(centre * scale, candidates[index, 2] * scale)
            if votes[index] >= CERTAIN_VOTES:
                confirmed: Box | None = self.detect_near(gray, candidate, tilt=tilt) or candidate
            else:
                confirmed = self._confirm(gray, candidate, tilt)
            if confirmed and not any(overlap(confirmed, other) > SAME_FACE_OVERLAP for other in found):
                found.append(confirmed)
        return np.array(sorted(found, key=lambda box: -box[2]), dtype=np.int_).reshape(-1, 4)

    def _confirm(self, gray: GrayImage, candidate: Box, tilt: float) -> Box | None:
        for further, votes in ((0.0, CONFIRM_VOTES), (SLIGHT_TILT, INCLINED_VOTES), (-SLIGHT_TILT, INCLINED_VOTES)):
            box = self.detect_near(gray, candidate, tilt=tilt + further, votes=votes)
            if box:
                return box
        return None

    def detect_near(
        self,
        gray: GrayImage,
        box: Box,
        *,
        tilt: float = 0.0,
        votes: int = FOLLOW_VOTES,
        around: Around = NEAR,
    ) -> Box | None:
        """Find the face that lies about where `box` is, of about its size, in a gray picture, uint8 [h, w].

        `box` is (x, y, w, h) in pixels, and so is the answer, None if there is no such face. With `tilt` in degrees,
        counter-clockwise, a face inclined by about so much is looked for; the answer is an upright box about its middle.
        So many neighbouring `votes` of the cascade are asked for.
        """
        _require_gray(gray)
        x, y, width, height = box
        if min(width, height) < 1:
            return None
        reach = (1 + 2 * around.margin) * max(width, height)
        side = round(NEAR_FACE * (1 + 2 * around.margin))
        scale = reach / side
        middle = np.array([x + width / 2, y + height / 2])
        # From the patch's pixels to the picture's: turned by the tilt, scaled, and moved to the box's middle.
        turn = scale * _turned_by(tilt)
        matrix = np.column_stack([turn, middle - turn @ np.full(2, side / 2)])
        if scale > 2:  # bilinear sampling alone would skip pixels
            shrink = scale / 2
            corners = matrix @ [[0, side, 0, side], [0, 0, side, side], [1, 1, 1, 1]]
            start = np.maximum(corners.min(axis=1) - scale, 0).astype(int)
            end = np.maximum(corners.max(axis=1) + scale, start + 1).astype(int)
            gray = gray[start[1] : end[1], start[0] : end[0]]  # the rest of the picture need not be made smaller
            if gray.size == 0:
                return None
            smaller = _resized(gray, gray.shape[1] / shrink, gray.shape[0] / shrink)
            shrunk = np.array(gray.shape[::-1]) / smaller.shape[::-1]
            gray, matrix[:, 2] = smaller, matrix[:, 2] - start
            matrix /= shrunk[:, np.newaxis]
        patch = _warped(gray, matrix, (side, side))
        equalized = np.asarray(cv2.equalizeHist(patch), dtype=np.uint8)
        smallest, largest = max(NEAR_FACE * around.least, CASCADE_WINDOW), NEAR_FACE * around.most
        found, _ = self._search(equalized, FINE_SCALE_FACTOR, votes, smallest, largest)
        if len(found) == 0:
            return None
        left, top, found_side, _ = found[found[:, 2].argmax()]
        centre = middle + turn @ (np.array([left, top]) + found_side / 2 - side / 2)
        return _square(centre, found_side * scale)

    def _search(
        self, gray: GrayImage, scale_factor: float, votes: int, smallest: float, largest: float
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int_]]:
        """Boxes float64 [n, 4] in pixels of `gray`, and the neighbouring votes for each, int [n], at least `votes`."""
        cascade = self._cascades.get()
        try:
            found, counts = cascade.detectMultiScale2(
                gray,
                scaleFactor=scale_factor,
                minNeighbors=votes,
                minSize=(round(smallest),) * 2,
                maxSize=(round(largest),) * 2,
            )
        finally:
            self._cascades.put(cascade)
        return np.asarray(found, dtype=np.float64).reshape(-1, 4), np.asarray(counts, dtype=np.int_).reshape(-1)


def overlap(box: Box, other: Box) -> float:
    """The area that two boxes share, by the area that they cover together: 0…1."""
    width = min(box[0] + box[2], other[0] + other[2]) - max(box[0], other[0])
    height = min(box[1] + box[3], other[1] + other[3]) - max(box[1], other[1])
    shared = max(width, 0) * max(height, 0)
    return shared / (box[2] * box[3] + other[2] * other[3] - shared)


def _require_gray(gray: GrayImage) -> None:
    if gray.ndim != 2 or gray.dtype != np.uint8:
        raise ValueError(f"a gray picture must be uint8 [h, w], not {gray.dtype} {list(gray.shape)}")


def _square(centre: npt.NDArray[np.float64], side: float) -> Box:
    """The box, (x, y, w, h) in whole pixels, of a square about `centre`, float64 [2]."""
    left, top = centre - side / 2
    return round(float(left)), round(float(top)), round(float(side)), round(float(side))


def _turned_by(tilt: float) -> npt.NDArray[np.float64]:
    """From the pixels of a picture in which a face stands upright to one in which it inclines: float64 [2, 2]."""
    angle = np.deg2rad(tilt)
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def _warped(gray: GrayImage, matrix: npt.NDArray[np.float64], size: tuple[int, ...]) -> GrayImage:
    """A picture of `size`, width and height, whose pixels `matrix`, float64 [2, 3], looks up in `gray`."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(gray, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8)


def _resized(gray: GrayImage, width: float, height: float) -> GrayImage:
    size = (max(round(width), 1), max(round(height), 1))
    if size == (gray.shape[1], gray.shape[0]):
        return gray
    shrinking = size[0] < gray.shape[1]
    return np.asarray(
        cv2.resize(gray, size, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR), dtype=np.uint8
    )


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
    """One face in a picture: where it is, (x, y, w, h) in pixels, and what is read in it.

    `vector` is None where the face can't be read, and `quality_issue` says why. `number` is its identity in a course of
    frames, from 1; in a single picture it is 0. `weight`, 0…1, is how much the reading counts: see
    :func:`sharpness_weight`.
    """

    box: Box
    vector: MoodVector | None
    quality_issue: QualityIssue | None = None
    number: int = 0
    weight: float = 1.0

    @property
    def label(self) -> str | None:
        """The likeliest emotion; None where nothing is read."""
        return None if self.vector is None else EMOTIONS[int(self.vector.argmax())]

    @property
    def confidence(self) -> float:
        """The probability of the likeliest emotion, 0…1; 0 where nothing is read."""
        return 0.0 if self.vector is None else float(self.vector.max())


def sharpness(face: GrayImage) -> float:
    """How sharp a face, uint8 [48, 48], is: the variance of its Laplacian by its own variance.

    After Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000; divided, so that contrast does
    not count as sharpness. FER2013's faces lie above 0.2; blurred by 1.5 pixels they lie about 0.02, by 2.5 about 0.006.
    """
    pixels = face.astype(np.float64)
    inner = cv2.Laplacian(pixels, cv2.CV_64F)[2:-2, 2:-2]  # at its edges the picture is made up
    return _variance(inner) / max(_variance(pixels), 1.0)


def _variance(values: npt.NDArray[Any]) -> float:
    """As values.var(), in a third of its time: it is asked for with every frame."""
    flat = values.ravel()
    return float(flat @ flat / len(flat) - flat.mean() ** 2)


def sharpness_weight(sharp: float) -> float:
    """How much a reading counts of a face so sharp, as :func:`sharpness` has it, in (0, 1): half at LEAST_SHARPNESS.

    A face that is small in its picture is blurred once it is enlarged, so this counts its size too: sharp ones count 0.98,
    of 24 pixels 0.87, blurred by 1.5 pixels 0.65. It falls no faster because the network's probabilities stay calibrated in
    such pictures: the temperature that fits worsened development faces best is 1 within 0.05.
    """
    return float(sharp / (sharp + LEAST_SHARPNESS))


class FaceAnalyzer:
    """A detector and a recogniser: from a gray picture to the faces in it, all read in one batch."""

    def __init__(self, detector: FaceDetector, recognizer: FaceEmotionRecognizer) -> None:
        self.detector = detector
        self._recognizer = recognizer

    @classmethod
    def load(cls) -> Self:
        """Open the cascade and the network. Raises FileNotFoundError or ModelError, each naming the remedy."""
        return cls(FaceDetector(), FaceEmotionRecognizer.load())

    def analyze(self, gray: GrayImage) -> list[Face]:
        """Find and read every face in a gray picture, uint8 [h, w], largest first.

        Inclined ones are only looked for where none is upright, and far ones where none is near.
        """
        for search in (UPRIGHT_SEARCH, *TILTED_SEARCHES, FAR_SEARCH):
            boxes = self.detector.detect(gray, search)
            if len(boxes) > 0:
                break
        return self.analyze_boxes(gray, [(int(x), int(y), int(width), int(height)) for x, y, width, height in boxes])

    def analyze_boxes(self, gray: GrayImage, boxes: list[Box]) -> list[Face]:
        """Read the faces in boxes, (x, y, w, h) in pixels, of a gray picture, uint8 [h, w].

        One too small or too blurred gets no vector but an issue: there the network would only guess.
        """
        crops = crop_faces(gray, np.array(boxes, dtype=np.int_).reshape(-1, 4))
        sharp = [sharpness(crop) for crop in crops]
        issues = [self._quality_issue(box, sharp_) for box, sharp_ in zip(boxes, sharp, strict=True)]
        readable = np.array([issue is None for issue in issues], dtype=bool)
        vectors = iter(self._recognizer.predict_proba(crops[readable]))
        return [
            Face(box, next(vectors) if issue is None else None, issue, weight=sharpness_weight(sharp_))
            for box, issue, sharp_ in zip(boxes, issues, sharp, strict=True)
        ]

    @staticmethod
    def _quality_issue(box: Box, sharp: float) -> QualityIssue | None:
        if min(box[2:]) < SMALLEST_READ:
            return "small"
        return "blurred" if sharp < LEAST_SHARPNESS else None
