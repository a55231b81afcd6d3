"""Track faces through a sequence of frames: less work per frame than a search, and a stable number for each face.

A :class:`FaceTracker` belongs to one camera. A known face is searched for near its last box. The whole picture is searched
only from time to time, for new faces, and while there is no face.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from moodmirror.emotions import MoodVector
from moodmirror.recognition.face import Face, FaceAnalyzer
from moodmirror.recognition.face_detector import (
    FAR_SEARCH,
    NEAR,
    SAME_FACE_OVERLAP,
    STEADY,
    TILTED_SEARCHES,
    TILTS,
    UPRIGHT_SEARCH,
    Box,
    GrayImage,
    Search,
    overlap,
)

# Seconds between two searches of the whole picture. While faces are tracked, this is how long a new face waits to be found;
# while there is none, it is too short to be noticed.
SEARCH_SECONDS_TRACKING: Final = 1.0
SEARCH_SECONDS_EMPTY: Final = 0.2
# While there is no face, every other search is followed by one of these, in turn: most new faces are upright and near.
FURTHER_SEARCHES: Final = (TILTED_SEARCHES[0], FAR_SEARCH, TILTED_SEARCHES[1], FAR_SEARCH)
# A face that is not found may have turned away for a moment; after this time it has left.
LOST_SECONDS: Final = 1.2
# Half-life of a reading in a face's smoothed vector: errors of single frames count little two or three frames later.
SMOOTHING_HALF_LIFE_SECONDS: Final = 0.25
# Weight of the newest box in the smoothed box: detected boxes jitter by a few pixels around a still face.
BOX_SMOOTHING: Final = 0.6


@dataclass
class _Track:
    face: Face
    found_at: float  # seconds
    read_at: float | None  # seconds; None before the first reading
    tilt: float = 0.0  # degrees, counterclockwise


class FaceTracker:
    """Finds, tracks and reads the faces of one camera. Not safe for use by several threads at once."""

    def __init__(
        self,
        analyzer: FaceAnalyzer,
        search_seconds: float = SEARCH_SECONDS_TRACKING,
        search_frames: int = 1,
        new_face_min_share: float = 0.0,
    ) -> None:
        """While faces are tracked, search the whole picture every `search_seconds` and `search_frames` at the earliest.

        While there is a face, only new faces of at least `new_face_min_share` of the nearest face's side are searched for.
        """
        self._analyzer = analyzer
        self._search_seconds = search_seconds
        self._search_frames = search_frames
        self._new_face_min_share = new_face_min_share
        self._frames_since_search = 0
        self._tracks: list[_Track] = []
        self._searched_at = -np.inf
        self._empty_searches = 0
        self._last_number = 0

    def follow(self, gray: GrayImage, at: float) -> list[Face]:
        """Return the faces in the next frame, uint8 [h, w], largest first.

        `at` is the frame's time in seconds, which must not decrease. A face that is no longer found keeps its last box and
        number for LOST_SECONDS, with the quality issue ``turned``. Numbers count up from 1 and are not reused. Raises
        ValueError for another type or shape of the frame.
        """
        for track in self._tracks:
            box = self._find_again(gray, track)
            if box:
                track.face = replace(track.face, box=box)
                track.found_at = at
        self._tracks = [
            track for track in self._tracks if at - track.found_at <= LOST_SECONDS and _is_inside(track.face.box, gray)
        ]
        self._drop_duplicates()
        lost = any(track.found_at < at for track in self._tracks)
        tracking = bool(self._tracks) and not lost
        pause = self._search_seconds if tracking else SEARCH_SECONDS_EMPTY
        self._frames_since_search += 1
        if at - self._searched_at >= pause and (self._frames_since_search >= self._search_frames or not tracking):
            self._searched_at, self._frames_since_search = at, 0
            nearest = max((track.face.box[2] for track in self._tracks), default=0)
            self._search(gray, UPRIGHT_SEARCH._replace(min_side=self._new_face_min_share * nearest), at)
            self._empty_searches = 0 if self._tracks else self._empty_searches + 1
            index, is_odd = divmod(self._empty_searches, 2)
            if is_odd:
                self._search(gray, FURTHER_SEARCHES[index % len(FURTHER_SEARCHES)], at)
        self._read(gray, at)
        return sorted((track.face for track in self._tracks), key=lambda face: -face.box[2])

    def _search(self, gray: GrayImage, search: Search, at: float) -> None:
        self._assign([_box(found) for found in self._analyzer.detector.detect(gray, search)], search.tilt, at)

    def _find_again(self, gray: GrayImage, track: _Track) -> Box | None:
        attempts = [(track.tilt, STEADY), *((tilt, NEAR) for tilt in dict.fromkeys((track.tilt, 0.0, *TILTS)))]
        for tilt, around in attempts:
            box = self._analyzer.detector.detect_near(gray, track.face.box, tilt=tilt, around=around)
            if box:
                track.tilt = tilt
                before = np.array(track.face.box)
                return _box(before + BOX_SMOOTHING * (np.array(box) - before))
        return None

    def _drop_duplicates(self) -> None:
        """Keep one of two tracks that have converged on the same face: the one found last, or else the older one."""
        kept: list[_Track] = []
        for track in sorted(self._tracks, key=lambda track: (-track.found_at, track.face.number)):
            if all(overlap(track.face.box, other.face.box) <= SAME_FACE_OVERLAP for other in kept):
                kept.append(track)
        self._tracks = kept

    def _assign(self, boxes: list[Box], tilt: float, at: float) -> None:
        """Assign boxes, found by a search with `tilt` in degrees, to lost faces that they overlap, or else to new faces."""
        for box in boxes:
            same = max(self._tracks, key=lambda track: overlap(track.face.box, box), default=None)
            if same is None or overlap(same.face.box, box) <= SAME_FACE_OVERLAP:
                self._last_number += 1
                self._tracks.append(_Track(Face(box, None, None, self._last_number), at, None, tilt))
            elif same.found_at < at:
                same.face, same.found_at, same.tilt = replace(same.face, box=box), at, tilt

    def _read(self, gray: GrayImage, at: float) -> None:
        found = [track for track in self._tracks if track.found_at == at]
        for track, read in zip(found, self._analyzer.analyze_boxes(gray, [track.face.box for track in found]), strict=True):
            if read.vector is None:
                track.face, track.read_at = replace(track.face, vector=None, quality_issue=read.quality_issue), None
                continue
            vector = self._smoothed(track, read.vector, at)
            track.face, track.read_at = replace(track.face, vector=vector, quality_issue=None, weight=read.weight), at
        for track in self._tracks:
            if track.found_at < at:
                track.face, track.read_at = replace(track.face, vector=None, quality_issue="turned"), None

    @staticmethod
    def _smoothed(track: _Track, vector: MoodVector, at: float) -> MoodVector:
        if track.face.vector is None or track.read_at is None:
            return vector
        previous_share = np.float32(0.5 ** ((at - track.read_at) / SMOOTHING_HALF_LIFE_SECONDS))
        return previous_share * track.face.vector + (1 - previous_share) * vector


def _is_inside(box: Box, gray: GrayImage) -> bool:
    """Return whether a box's center lies in the picture; a face that is more than half outside has left."""
    x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
    height, width = gray.shape
    return bool(0 <= x < width and 0 <= y < height)


def _box(values: object) -> Box:
    x, y, width, height = (round(float(value)) for value in np.asarray(values))
    return x, y, width, height
