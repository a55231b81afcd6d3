"""Analyze a photo: find all faces, near and far, and read the mood of each."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from moodmirror.fusion import Reading
from moodmirror.media.analysis_result import Analysis, leading_share
from moodmirror.media.decoder_client import FileHeader
from moodmirror.recognition.face import Face, FaceAnalyzer
from moodmirror.recognition.face_detector import (
    FAR_SEARCH,
    SAME_FACE_OVERLAP,
    UPRIGHT_SEARCH,
    WIDE_RATIO,
    Box,
    FaceDetector,
    GrayImage,
    overlap,
)

# Side of a tile, as a share of the picture's: four tiles cover the picture and overlap by a quarter, so that no face is cut
# by all of them.
TILE_SIDE: Final = 0.625
# Votes of the cascade for a face found in a tile: the additional searches also find more folds of cloth.
TILE_FACE_VOTES: Final = 6

_ONE_TILE: Final = ((0, 0),)
_FOUR_TILES: Final = ((0, 0), (0, 1), (1, 0), (1, 1))
_BOTH_SEARCHES: Final = (UPRIGHT_SEARCH, FAR_SEARCH)


def analyze_image(gray: GrayImage, header: FileHeader, analyzer: FaceAnalyzer) -> Analysis:
    """Read the mood of every face in a photo; the whole's mood is that of the largest readable face, as live.

    `gray` is the decoded photo, uint8 [h, w], perhaps scaled down; the boxes of the result are in the pixels of the file.
    """
    faces = analyzer.analyze(gray)
    distant: list[Box] = []
    for box in _detect_in_tiles(gray, analyzer.detector):
        if all(overlap(box, other) <= SAME_FACE_OVERLAP for other in (*distant, *(face.box for face in faces))):
            distant.append(box)
    faces = numbered(sorted([*faces, *analyzer.analyze_boxes(gray, distant)], key=lambda face: -face.box[2]))
    scale = (header.width or gray.shape[1]) / gray.shape[1]
    faces = [scaled(face, scale) for face in faces]
    size = header.width, header.height
    main = next((face for face in faces if face.vector is not None), None)
    if main is None or main.vector is None:
        return Analysis("image", None, {}, 0.0, *size, faces=faces)
    reading = Reading(main.vector, "face", main.weight, 0.0)
    share = leading_share(main.vector, faces)
    return Analysis("image", main.vector, {"face": 1.0}, share, *size, faces=faces, readings=[reading])


def _detect_in_tiles(gray: GrayImage, detector: FaceDetector) -> Iterator[Box]:
    """Yield faces that are small beside large ones, as in a photo of a group: each tile is searched separately.

    The detector divides a wide or tall picture itself, so that only its far search is left to do.
    """
    is_wide = max(gray.shape) > WIDE_RATIO * min(gray.shape)
    side, places, searches = (1.0, _ONE_TILE, (FAR_SEARCH,)) if is_wide else (TILE_SIDE, _FOUR_TILES, _BOTH_SEARCHES)
    height, width = gray.shape
    for row, column in places:
        top, left = round(row * (1 - side) * height), round(column * (1 - side) * width)
        tile = gray[top : top + math.ceil(side * height), left : left + math.ceil(side * width)]
        for search in searches:
            for x, y, face_width, face_height in detector.detect(np.ascontiguousarray(tile), search).tolist():
                candidate = (left + x, top + y, face_width, face_height)
                box = detector.detect_near(gray, candidate, min_neighbors=TILE_FACE_VOTES)
                if box is not None:
                    yield box


def numbered(faces: Sequence[Face]) -> list[Face]:
    """Number faces from 1 in their order."""
    return [replace(face, number=number) for number, face in enumerate(faces, start=1)]


def scaled(face: Face, scale: float) -> Face:
    """Return a face whose box is multiplied by `scale`."""
    x, y, width, height = (round(value * scale) for value in face.box)
    return replace(face, box=(x, y, width, height))
