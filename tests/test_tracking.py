"""Faces through a course of frames: who moves, tilts, leaves, hides, or is joined by another."""

import cv2
import numpy as np
import pytest

from moodmirror.recognition.face import FaceAnalyzer
from moodmirror.recognition.tracking import LOST_SECONDS, SEARCH_SECONDS_FOLLOWING, FaceTracker

FRAME_SECONDS = 0.05


@pytest.fixture(scope="module")
def analyzer():
    return FaceAnalyzer.load()


class MoodHistory:
    """Frames at a steady rate, and the faces that a tracker sees in them."""

    def __init__(self, analyzer: FaceAnalyzer):
        self.tracker = FaceTracker(analyzer)
        self.at = 0.0

    def show(self, picture, seconds=FRAME_SECONDS):
        """Show one picture for so long; the faces at the end."""
        gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) if picture.ndim == 3 else picture
        until = self.at + seconds - FRAME_SECONDS / 2
        while self.at < until:
            faces = self.tracker.follow(gray, self.at)
            self.at += FRAME_SECONDS
        return faces


@pytest.fixture
def course(analyzer):
    return MoodHistory(analyzer)


def middle(face):
    x, y, width, height = face.box
    return x + width / 2, y + height / 2


EMPTY = np.full((480, 640, 3), 127, np.uint8)


@pytest.fixture
def pair(scene):
    """Two people beside each other: the same face, left and right."""

    def make(left=160.0, right=480.0):
        picture = EMPTY.copy()
        picture[:, :320] = scene(left)[:, :320]
        picture[:, 320:] = scene(right)[:, 320:]
        return picture

    return make


def test_a_face_that_moves_keeps_its_number_and_its_box_moves_along(course, scene):
    for step in range(60):
        x = 320 + 150 * np.sin(step / 9)
        [face] = course.show(scene(x, scale=1.2 + 0.3 * np.sin(step / 13)))
        assert face.number == 1
        assert middle(face)[0] == pytest.approx(x, abs=30)
        assert face.label == "happy"


def test_a_head_that_inclines_is_followed(course, scene):
    for tilt in [*range(0, 26, 2), *range(26, -26, -2)]:
        [face] = course.show(scene(tilt=tilt))
        assert face.number == 1
        assert face.label is not None


@pytest.mark.parametrize("tilt", [10, -20, 24])
def test_a_head_that_is_inclined_from_the_start_is_found(course, scene, tilt):
    [face] = course.show(scene(tilt=tilt), 1.5)
    assert face.quality_issue is None
    assert middle(face) == pytest.approx((320, 230), abs=25)


def test_a_face_that_leaves_is_unreadable_for_a_moment_and_then_gone(course, scene):
    course.show(scene())
    [face] = course.show(EMPTY)
    assert (face.number, face.vector, face.label, face.confidence, face.quality_issue) == (1, None, None, 0.0, "turned")
    assert course.show(EMPTY, LOST_SECONDS + 0.2) == []


def test_who_hides_for_a_moment_is_the_same_and_who_comes_later_is_not(course, scene):
    course.show(scene())
    course.show(EMPTY, LOST_SECONDS / 2)
    [face] = course.show(scene(x=330), 0.2)
    assert (face.number, face.quality_issue) == (1, None)
    course.show(EMPTY, 2 * LOST_SECONDS)
    [face] = course.show(scene(x=200), 0.2)
    assert face.number == 2


def test_a_newcomer_is_seen_soon_and_both_keep_their_numbers(course, scene, pair):
    [face] = course.show(np.hstack([scene(160)[:, :320], EMPTY[:, 320:]]))
    assert face.number == 1
    course.show(pair(), SEARCH_SECONDS_FOLLOWING + 0.1)
    for step in range(20):
        left, right = sorted(course.show(pair(160 + 2 * step, 480 - 2 * step)), key=lambda face: middle(face)[0])
        assert (left.number, right.number) == (1, 2)


def test_one_of_two_leaves_and_the_other_stays_who_they_are(course, pair, scene):
    course.show(pair(), 0.2)
    right_only = EMPTY.copy()
    right_only[:, 320:] = scene(480)[:, 320:]
    [face] = course.show(right_only, LOST_SECONDS + 0.2)
    assert middle(face)[0] > 320
    assert face.label == "happy"


def test_the_number_of_faces_never_doubles_where_two_boxes_meet(course, scene):
    for step in range(40):
        faces = course.show(scene(x=320 + 8 * step % 50, scale=1.0 + 0.02 * step))
        assert len(faces) == 1


def test_one_odd_frame_moves_a_reading_only_part_of_the_way(course, analyzer, scene):
    odd = scene()
    odd[255:275, 280:360] = 90  # something before the mouth
    [before] = course.show(scene(), 0.5)
    [after] = course.show(odd)
    [alone] = analyzer.analyze_boxes(cv2.cvtColor(odd, cv2.COLOR_BGR2GRAY), [after.box])
    moved, whole = np.abs(after.vector - before.vector).max(), np.abs(alone.vector - before.vector).max()
    assert whole > 0.02
    assert 0 < moved < 0.5 * whole


@pytest.mark.parametrize(("scale", "blur", "obstacle"), [(0.43, 0, "small"), (1.2, 9, "blurred")])
def test_a_face_that_would_only_be_guessed_at_gets_no_reading_but_a_reason(course, scene, scale, blur, obstacle):
    picture = scene(scale=scale)
    if blur:
        picture = cv2.GaussianBlur(picture, (0, 0), blur)
    if obstacle == "small":
        picture = cv2.resize(picture, (240, 180), interpolation=cv2.INTER_AREA)  # what a phone far away sends
        picture = cv2.copyMakeBorder(picture, 30, 30, 40, 40, cv2.BORDER_REPLICATE)
    [face] = course.show(picture, 1.0)
    assert face.quality_issue == obstacle
    assert face.vector is None


def test_a_face_counts_less_the_less_there_is_to_see_of_it(analyzer, scene):
    """Blurred, or small in its picture; the same tracker's box throughout, so that only the picture differs."""
    box = (240, 145, 160, 160)
    gray = cv2.cvtColor(scene(), cv2.COLOR_BGR2GRAY)
    blurred = cv2.GaussianBlur(gray, (0, 0), 4)
    [clear], [soft] = (analyzer.analyze_boxes(picture, [box]) for picture in (gray, blurred))
    small = cv2.resize(gray, (96, 72), interpolation=cv2.INTER_AREA)
    [far] = analyzer.analyze_boxes(small, [(36, 22, 24, 24)])
    assert (clear.quality_issue, soft.quality_issue, far.quality_issue) == (None, None, None)
    assert 0.5 < soft.weight < 0.9 * clear.weight
    assert 0.5 < far.weight < clear.weight <= 1


def test_a_camera_that_changes_its_size_is_no_trouble(course, scene):
    course.show(scene(x=560))
    faces = course.show(cv2.resize(scene(), (320, 240)), 0.4)
    assert [face.quality_issue for face in faces if face.quality_issue != "turned"] == [None]
