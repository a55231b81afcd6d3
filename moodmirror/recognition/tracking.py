"""Follow faces through a course of frames, so that a frame costs a fraction of a search and each face keeps its identity.

A :class:`FaceTracker` belongs to one camera. A face that was found is looked for in its neighbourhood; the whole picture
is searched only now and then, for others who joined, and as long as there is nobody.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from moodmirror.emotions import MoodVector
from moodmirror.recognition.face import (
    FAR_SEARCH,
    NEAR,
    SAME_FACE_OVERLAP,
    STEADY,
    TILTED_SEARCHES,
    TILTS,
    UPRIGHT_SEARCH,
    Box,
    Face,
    FaceAnalyzer,
    GrayImage,
    Search,
    overlap,
)

# Seconds between two searches of the whole picture: while faces are followed, how long a newcomer waits to be seen;
# while there are none, short enough that nobody notices the wait.
SEARCH_SECONDS_FOLLOWING: Final = 1.0
SEARCH_SECONDS_ALONE: Final = 0.2
# While there is nobody, every other search also looks for one of these, in turn: most who come are upright and near.
FURTHER_SEARCHES: Final = (TILTED_SEARCHES[0], FAR_SEARCH, TILTED_SEARCHES[1], FAR_SEARCH)
# A face that is not found where it was may have turned away for a moment; after this it has left.
LOST_SECONDS: Final = 1.2
# Half-life of what is read in one face: single frames err, and two or three later they count little.
SMOOTHING_HALF_LIFE: Final = 0.25  # seconds
# Share of the newest box in the one that is shown and read: boxes jitter by a few pixels where faces do not.
BOX_STEP: Final = 0.6


@dataclass
class _Track:
    face: Face
    found_at: float  # seconds
    read_at: float | None  # seconds; None before the first reading
    tilt: float = 0.0  # degrees


class FaceTracker:
    """Finds, follows and reads the faces of one camera. Not for several threads at once."""

    def __init__(
        self,
        analyzer: FaceAnalyzer,
        search_seconds: float = SEARCH_SECONDS_FOLLOWING,
        search_frames: int = 1,
        newcomer_share: float = 0.0,
    ) -> None:
        """While faces are followed, newcomers wait for so many seconds, and frames, until the whole picture is searched.

        While anybody is there, only faces of at least `newcomer_share` of the nearest one's side are looked for.
        """
        self._analyzer = analyzer
        self._search_seconds = search_seconds
        self._search_frames = search_frames
        self._newcomer_share = newcomer_share
        self._unsearched = 0  # frames since the last search
        self._tracks: list[_Track] = []
        self._searched_at = -np.inf
        self._searches_alone = 0
        self._numbers = 0

    def follow(self, gray: GrayImage, at: float) -> list[Face]:
        """The faces in the next frame, uint8 [h, w], largest first; `at` is its time in seconds, never less than before.

        A face that was there and is not found any more keeps its last box and number for a moment, unreadable as
        ``turned``. Numbers count up from 1 and are not used again.
        """
        for track in self._tracks:
            box = self._find_again(gray, track)
            if box:
                track.face = replace(track.face, box=box)
                track.found_at = at
        self._tracks = [
            track for track in self._tracks if at - track.found_at <= LOST_SECONDS and _is_inside(track.face.box, gray)
        ]
        self._drop_doubles()
        lost = any(track.found_at < at for track in self._tracks)
        following = bool(self._tracks) and not lost
        pause = self._search_seconds if following else SEARCH_SECONDS_ALONE
        self._unsearched += 1
        if at - self._searched_at >= pause and (self._unsearched >= self._search_frames or not following):
            self._searched_at, self._unsearched = at, 0
            nearest = max((track.face.box[2] for track in self._tracks), default=0)
            self._search(gray, UPRIGHT_SEARCH._replace(least=self._newcomer_share * nearest), at)
            self._searches_alone = 0 if self._tracks else self._searches_alone + 1
            turn, due = divmod(self._searches_alone, 2)
            if due:
                self._search(gray, FURTHER_SEARCHES[turn % len(FURTHER_SEARCHES)], at)
        self._read(gray, at)
        return sorted((track.face for track in self._tracks), key=lambda face: -face.box[2])

    def _search(self, gray: GrayImage, search: Search, at: float) -> None:
        self._take_in([_box(found) for found in self._analyzer.detector.detect(gray, search)], search.tilt, at)

    def _find_again(self, gray: GrayImage, track: _Track) -> Box | None:
        places = [(track.tilt, STEADY), *((tilt, NEAR) for tilt in dict.fromkeys((track.tilt, 0.0, *TILTS)))]
        for tilt, around in places:
            box = self._analyzer.detector.detect_near(gray, track.face.box, tilt=tilt, around=around)
            if box:
                track.tilt = tilt
                before = np.array(track.face.box)
                return _box(before + BOX_STEP * (np.array(box) - before))
        return None

    def _drop_doubles(self) -> None:
        """Keep one of two tracks that have run onto the same face: the one that was found last, or else the older."""
        kept: list[_Track] = []
        for track in sorted(self._tracks, key=lambda track: (-track.found_at, track.face.number)):
            if all(overlap(track.face.box, other.face.box) <= SAME_FACE_OVERLAP for other in kept):
                kept.append(track)
        self._tracks = kept

    def _take_in(self, boxes: list[Box], tilt: float, at: float) -> None:
        """Give the boxes that a search for faces inclined by `tilt` found to lost faces nearby, or else to new faces."""
        for box in boxes:
            same = max(self._tracks, key=lambda track: overlap(track.face.box, box), default=None)
            if same is None or overlap(same.face.box, box) <= SAME_FACE_OVERLAP:
                self._numbers += 1
                self._tracks.append(_Track(Face(box, None, None, self._numbers), at, None, tilt))
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
        remembered = np.float32(0.5 ** ((at - track.read_at) / SMOOTHING_HALF_LIFE))
        return remembered * track.face.vector + (1 - remembered) * vector


def _is_inside(box: Box, gray: GrayImage) -> bool:
    """Whether a box's middle lies in the picture: whoever is half out of it has left."""
    x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
    height, width = gray.shape
    return bool(0 <= x < width and 0 <= y < height)


def _box(values: object) -> Box:
    x, y, width, height = (round(float(value)) for value in np.asarray(values))
    return x, y, width, height
