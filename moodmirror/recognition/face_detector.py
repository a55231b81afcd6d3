"""Find faces in a picture with OpenCV's Haar cascade, in a whole picture or near a known box."""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from moodmirror.paths import CASCADES_DIR

CASCADE_PATH: Final = CASCADES_DIR / "haarcascade_frontalface_default.xml"
CASCADE_WINDOW: Final = 24  # pixels: the side of the faces that the cascade was trained on

# The coarse search of a whole picture. Measured on faces set into photographs: `make bench`.
SEARCH_SIZE: Final = 288  # pixels: the longer side of the copy that is searched
FAR_SEARCH_SIZE: Final = 480  # pixels: the same for smaller faces
COARSE_SCALE_FACTOR: Final = 1.2
COARSE_MIN_NEIGHBORS: Final = 1
CERTAIN_NEIGHBORS: Final = 8  # neighboring windows from which a candidate needs no confirmation
# The fine search near one box.
NEAR_FACE: Final = 32  # pixels: the side to which an expected face is scaled
FINE_SCALE_FACTOR: Final = 1.1
CONFIRM_NEIGHBORS: Final = 4  # for a new face; with fewer, folds of cloth are accepted
TILTED_CONFIRM_NEIGHBORS: Final = 6  # for a new face that is confirmed only when tilted: two more chances of an error
SLIGHT_TILT: Final = 12.0  # degrees: a candidate is also confirmed if it is more or less tilted by this angle
FOLLOW_NEIGHBORS: Final = 2  # for a face that was there a moment ago
# The cascade's faces are upright and found up to a tilt of about 10°; heads are tilted by up to about 30°.
TILTS: Final = (20.0, -20.0)  # degrees
SAME_FACE_OVERLAP: Final = 0.3  # intersection over union from which two boxes are the same face

# Wide and tall pictures, such as panoramas and long screenshots, which a copy of SEARCH_SIZE would shrink too much.
WIDE_RATIO: Final = 2.0  # of the longer side to the shorter one; 16:9 is 1.78
TILE_RATIO: Final = 4 / 3  # of the sides of a tile; half of it overlaps the next one
MAX_TILES: Final = 40  # about, which bounds the cost: in pictures with sides of more than 1:27, tiles are longer

GrayImage = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.int_]
Box = tuple[int, int, int, int]


class Search(NamedTuple):
    """Which faces to search for in a whole picture.

    `far`: only faces too small for the usual search, down to 32 pixels in a 640×480 picture and 16 in one of 320×240.
    `tilt`: faces tilted by about this angle in degrees, counterclockwise. `min_side`: faces of at least this side in pixels;
    the larger it is, the less the search costs.
    """

    far: bool = False
    tilt: float = 0.0
    min_side: float = 0.0


class Neighborhood(NamedTuple):
    """Where to search for a face near its last box, in multiples of the box's side.

    `margin` is added on each side of the box; faces of sides from `min_side` to `max_side` are found.
    """

    margin: float
    min_side: float
    max_side: float


NEAR: Final = Neighborhood(0.35, 0.75, 1.4)  # how far a face moves between two frames
STEADY: Final = Neighborhood(0.25, 0.86, 1.17)  # most faces stay within it, and it costs half as much to search
UPRIGHT_SEARCH: Final = Search()
FAR_SEARCH: Final = Search(far=True)
TILTED_SEARCHES: Final = tuple(Search(tilt=tilt) for tilt in TILTS)


class FaceDetector:
    """Finds frontal faces with the Haar cascade of Viola and Jones (CVPR 2001) that comes with OpenCV.

    A whole picture is searched in two steps. A coarse search, on a copy whose longer side has 288 pixels and in large steps
    of scale, returns every candidate that the cascade accepts at least once. A fine search around each candidate confirms
    it, upright or slightly tilted, unless many neighboring windows were accepted. The same fine search,
    :meth:`detect_near`, follows a face from frame to frame at a fraction of the cost.

    Safe for use by several threads: each search takes a cascade from a pool, because a cascade has state during a search.
    """

    def __init__(self, *, cascade_path: Path = CASCADE_PATH) -> None:
        """Load the cascade, once per core. Raises FileNotFoundError if `cascade_path` is not a usable cascade."""
        self._cascades: SimpleQueue[cv2.CascadeClassifier] = SimpleQueue()
        for _ in range(os.cpu_count() or 1):
            cascade = cv2.CascadeClassifier(str(cascade_path)) if cascade_path.is_file() else None
            if cascade is None or cascade.empty():
                raise FileNotFoundError(f"{cascade_path} is not a usable cascade. Restore haarcascade/ from the repository.")
            self._cascades.put(cascade)

    def detect(self, gray: GrayImage, search: Search = UPRIGHT_SEARCH) -> Boxes:
        """Find the faces in a gray picture, uint8 [h, w]. Returns int [n, 4]: (x, y, w, h) in pixels, largest first.

        The smallest face that is found fills the cascade's window in the copy that is searched: 53 pixels in a 640×480
        picture. A `search` other than the usual one finds other faces instead. A picture wider or taller than WIDE_RATIO is
        also searched in overlapping tiles, so that faces in it need not be larger. Raises ValueError for another type or
        shape.
        """
        _require_gray(gray)
        if min(gray.shape) == 0:
            return np.empty((0, 4), dtype=np.int_)
        boxes = self._detect(gray, search)
        for left, top, tile in _tiles(gray):
            boxes += [(left + x, top + y, width, height) for x, y, width, height in self._detect(tile, search)]
        found: list[Box] = []
        for box in sorted(boxes, key=lambda box: -box[2]):
            if not any(overlap(box, other) > SAME_FACE_OVERLAP for other in found):
                found.append(box)
        return np.array(found, dtype=np.int_).reshape(-1, 4)

    def _detect(self, gray: GrayImage, search: Search) -> list[Box]:
        """Find the faces in a picture or a tile of one."""
        far, tilt, min_side = search
        usual = max(max(gray.shape) / SEARCH_SIZE, 1.0, min_side / CASCADE_WINDOW)
        scale = max(gray.shape) / FAR_SEARCH_SIZE if far else usual
        searched = _resize(gray, gray.shape[1] / scale, gray.shape[0] / scale)
        if tilt:
            middle = np.array(searched.shape[::-1]) / 2
            turn = _rotation(tilt)
            searched = _warp(searched, np.column_stack([turn, middle - turn @ middle]), searched.shape[::-1])
        largest = CASCADE_WINDOW * FAR_SEARCH_SIZE / SEARCH_SIZE if far else max(searched.shape)
        candidates, neighbors = self._search(searched, COARSE_SCALE_FACTOR, COARSE_MIN_NEIGHBORS, CASCADE_WINDOW, largest)
        found: list[Box] = []
        for index in np.argsort(-candidates[:, 2], kind="stable"):
            center = candidates[index, :2] + candidates[index, 2:] / 2
            if tilt:
                center = middle + turn @ (center - middle)
            candidate = _square(center * scale, candidates[index, 2] * scale)
            if neighbors[index] >= CERTAIN_NEIGHBORS:
                confirmed: Box | None = self.detect_near(gray, candidate, tilt=tilt) or candidate
            else:
                confirmed = self._confirm(gray, candidate, tilt)
            if confirmed and not any(overlap(confirmed, other) > SAME_FACE_OVERLAP for other in found):
                found.append(confirmed)
        return found

    def _confirm(self, gray: GrayImage, candidate: Box, tilt: float) -> Box | None:
        """Return the box of a candidate that the fine search finds, at `tilt` or slightly more or less tilted."""
        for further, neighbors in (
            (0.0, CONFIRM_NEIGHBORS),
            (SLIGHT_TILT, TILTED_CONFIRM_NEIGHBORS),
            (-SLIGHT_TILT, TILTED_CONFIRM_NEIGHBORS),
        ):
            box = self.detect_near(gray, candidate, tilt=tilt + further, min_neighbors=neighbors)
            if box:
                return box
        return None

    def detect_near(
        self,
        gray: GrayImage,
        box: Box,
        *,
        tilt: float = 0.0,
        min_neighbors: int = FOLLOW_NEIGHBORS,
        around: Neighborhood = NEAR,
    ) -> Box | None:
        """Find the face near `box`, of about its size, in a gray picture, uint8 [h, w].

        `box` and the result are (x, y, w, h) in pixels; the result is None if there is no such face. With `tilt` in degrees,
        counterclockwise, a face tilted by about this angle is found, and the result is an upright box about its center. The
        cascade must accept at least `min_neighbors` neighboring windows. Raises ValueError for another type or shape.
        """
        _require_gray(gray)
        x, y, width, height = box
        if min(width, height) < 1:
            return None
        reach = (1 + 2 * around.margin) * max(width, height)
        side = round(NEAR_FACE * (1 + 2 * around.margin))
        scale = reach / side
        middle = np.array([x + width / 2, y + height / 2])
        # From the patch's pixels to the picture's: rotated by the tilt, scaled, and moved to the middle of the box.
        turn = scale * _rotation(tilt)
        matrix = np.column_stack([turn, middle - turn @ np.full(2, side / 2)])
        if scale > 2:  # bilinear sampling alone would skip pixels
            shrink = scale / 2
            corners = matrix @ [[0, side, 0, side], [0, 0, side, side], [1, 1, 1, 1]]
            start = np.maximum(corners.min(axis=1) - scale, 0).astype(int)
            end = np.maximum(corners.max(axis=1) + scale, start + 1).astype(int)
            gray = gray[start[1] : end[1], start[0] : end[0]]  # only this part of the picture is shrunk
            if gray.size == 0:
                return None
            smaller = _resize(gray, gray.shape[1] / shrink, gray.shape[0] / shrink)
            shrunk = np.array(gray.shape[::-1]) / smaller.shape[::-1]
            gray, matrix[:, 2] = smaller, matrix[:, 2] - start
            matrix /= shrunk[:, np.newaxis]
        patch = _warp(gray, matrix, (side, side))
        equalized = np.asarray(cv2.equalizeHist(patch), dtype=np.uint8)
        smallest, largest = max(NEAR_FACE * around.min_side, CASCADE_WINDOW), NEAR_FACE * around.max_side
        found, _ = self._search(equalized, FINE_SCALE_FACTOR, min_neighbors, smallest, largest)
        if len(found) == 0:
            return None
        left, top, found_side, _ = found[found[:, 2].argmax()]
        center = middle + turn @ (np.array([left, top]) + found_side / 2 - side / 2)
        return _square(center, found_side * scale)

    def _search(
        self, gray: GrayImage, scale_factor: float, min_neighbors: int, smallest: float, largest: float
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int_]]:
        """Return boxes, float64 [n, 4] in pixels of `gray`, and their counts of neighboring windows, int [n]."""
        cascade = self._cascades.get()
        try:
            found, counts = cascade.detectMultiScale2(
                gray,
                scaleFactor=scale_factor,
                minNeighbors=min_neighbors,
                minSize=(round(smallest),) * 2,
                maxSize=(round(largest),) * 2,
            )
        finally:
            self._cascades.put(cascade)
        return np.asarray(found, dtype=np.float64).reshape(-1, 4), np.asarray(counts, dtype=np.int_).reshape(-1)


def overlap(box: Box, other: Box) -> float:
    """Return the intersection over union of two boxes, 0…1."""
    width = min(box[0] + box[2], other[0] + other[2]) - max(box[0], other[0])
    height = min(box[1] + box[3], other[1] + other[3]) - max(box[1], other[1])
    shared = max(width, 0) * max(height, 0)
    return shared / (box[2] * box[3] + other[2] * other[3] - shared)


def _tiles(gray: GrayImage) -> Iterator[tuple[int, int, GrayImage]]:
    """Yield the left and top edge, in pixels, and the pixels of tiles that cover a wide or tall picture; none for others."""
    short, long = sorted(gray.shape)
    if long <= WIDE_RATIO * short:
        return
    length = max(round(TILE_RATIO * short), math.ceil(2 * long / MAX_TILES))
    count = math.ceil((long - length) / (length / 2)) + 1
    for start in np.linspace(0, long - length, count).round().astype(int).tolist():
        if gray.shape[1] == long:
            yield start, 0, np.ascontiguousarray(gray[:, start : start + length])
        else:
            yield 0, start, np.ascontiguousarray(gray[start : start + length])


def _require_gray(gray: GrayImage) -> None:
    if gray.ndim != 2 or gray.dtype != np.uint8:
        raise ValueError(f"a gray picture must be uint8 [h, w], not {gray.dtype} {list(gray.shape)}")


def _square(center: npt.NDArray[np.float64], side: float) -> Box:
    """Return the box, (x, y, w, h) in whole pixels, of a square about `center`, float64 [2]."""
    left, top = center - side / 2
    return round(float(left)), round(float(top)), round(float(side)), round(float(side))


def _rotation(tilt: float) -> npt.NDArray[np.float64]:
    """Return the rotation, float64 [2, 2], from pixels in which a face is upright to those in which it is tilted."""
    angle = np.deg2rad(tilt)
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def _warp(gray: GrayImage, matrix: npt.NDArray[np.float64], size: tuple[int, ...]) -> GrayImage:
    """Return a picture of `size`, (width, height), each pixel sampled in `gray` where `matrix`, float64 [2, 3], maps it."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(gray, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8)


def _resize(gray: GrayImage, width: float, height: float) -> GrayImage:
    size = (max(round(width), 1), max(round(height), 1))
    if size == (gray.shape[1], gray.shape[0]):
        return gray
    shrinking = size[0] < gray.shape[1]
    return np.asarray(
        cv2.resize(gray, size, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR), dtype=np.uint8
    )
