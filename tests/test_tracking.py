"""Tracking of faces that move, tilt, leave, hide, or are joined by another."""

import cv2
import numpy as np
import pytest

from moodmirror.recognition.face import FaceAnalyzer
from moodmirror.recognition.tracking import LOST_SECONDS, SEARCH_SECONDS_TRACKING, FaceTracker

pytestmark = pytest.mark.unit

FRAME_SECONDS = 0.05


@pytest.fixture(scope="module")
def analyzer():
    return FaceAnalyzer.load()


class FrameSequence:
    """Frames at a constant rate, and the faces that a tracker finds in them."""

    def __init__(self, analyzer: FaceAnalyzer):
        self.tracker = FaceTracker(analyzer)
        self.at = 0.0

    def show(self, picture, seconds=FRAME_SECONDS):
        """Show one picture for `seconds`; return the faces in the last frame."""
        gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) if picture.ndim == 3 else picture
        until = self.at + seconds - FRAME_SECONDS / 2
        while self.at < until:
            faces = self.tracker.follow(gray, self.at)
            self.at += FRAME_SECONDS
        return faces


@pytest.fixture
def sequence(analyzer):
    return FrameSequence(analyzer)


def center(face):
    x, y, width, height = face.box
    return x + width / 2, y + height / 2


EMPTY = np.full((480, 640, 3), 127, np.uint8)


@pytest.fixture
def pair(scene):
    """Return a function that makes a picture of two people: the same face, left and right."""

    def make(left=160.0, right=480.0):
        picture = EMPTY.copy()
        picture[:, :320] = scene(left)[:, :320]
        picture[:, 320:] = scene(right)[:, 320:]
        return picture

    return make


def test_a_moving_face_keeps_its_number_and_its_box_follows(sequence, scene):
    for step in range(60):
        x = 320 + 150 * np.sin(step / 9)
        [face] = sequence.show(scene(x, scale=1.2 + 0.3 * np.sin(step / 13)))
        assert face.number == 1
        assert center(face)[0] == pytest.approx(x, abs=30)
        assert face.label == "happy"


def test_a_head_that_tilts_is_tracked(sequence, scene):
    for tilt in [*range(0, 26, 2), *range(26, -26, -2)]:
        [face] = sequence.show(scene(tilt=tilt))
        assert face.number == 1
        assert face.label is not None


@pytest.mark.parametrize("tilt", [10, -20, 24])
def test_a_head_that_is_tilted_from_the_start_is_found(sequence, scene, tilt):
    [face] = sequence.show(scene(tilt=tilt), 1.5)
    assert face.quality_issue is None
    assert center(face) == pytest.approx((320, 230), abs=25)


def test_a_face_that_leaves_is_turned_for_a_moment_and_then_removed(sequence, scene):
    sequence.show(scene())
    [face] = sequence.show(EMPTY)
    assert (face.number, face.vector, face.label, face.confidence, face.quality_issue) == (1, None, None, 0.0, "turned")
    assert sequence.show(EMPTY, LOST_SECONDS + 0.2) == []


def test_a_face_that_hides_for_a_moment_keeps_its_number_and_a_later_face_gets_a_new_one(sequence, scene):
    sequence.show(scene())
    sequence.show(EMPTY, LOST_SECONDS / 2)
    [face] = sequence.show(scene(x=330), 0.2)
    assert (face.number, face.quality_issue) == (1, None)
    sequence.show(EMPTY, 2 * LOST_SECONDS)
    [face] = sequence.show(scene(x=200), 0.2)
    assert face.number == 2


def test_a_second_face_is_found_soon_and_both_keep_their_numbers(sequence, scene, pair):
    [face] = sequence.show(np.hstack([scene(160)[:, :320], EMPTY[:, 320:]]))
    assert face.number == 1
    sequence.show(pair(), SEARCH_SECONDS_TRACKING + 0.1)
    for step in range(20):
        left, right = sorted(sequence.show(pair(160 + 2 * step, 480 - 2 * step)), key=lambda face: center(face)[0])
        assert (left.number, right.number) == (1, 2)


def test_when_one_of_two_faces_leaves_the_other_stays(sequence, pair, scene):
    sequence.show(pair(), 0.2)
    right_only = EMPTY.copy()
    right_only[:, 320:] = scene(480)[:, 320:]
    [face] = sequence.show(right_only, LOST_SECONDS + 0.2)
    assert center(face)[0] > 320
    assert face.label == "happy"


def test_one_face_is_never_tracked_twice(sequence, scene):
    for step in range(40):
        faces = sequence.show(scene(x=320 + 8 * step % 50, scale=1.0 + 0.02 * step))
        assert len(faces) == 1


def test_one_wrong_frame_changes_a_reading_only_in_part(sequence, analyzer, scene):
    odd = scene()
    odd[255:275, 280:360] = 90  # an object in front of the mouth
    [before] = sequence.show(scene(), 0.5)
    [after] = sequence.show(odd)
    [alone] = analyzer.analyze_boxes(cv2.cvtColor(odd, cv2.COLOR_BGR2GRAY), [after.box])
    moved, whole = np.abs(after.vector - before.vector).max(), np.abs(alone.vector - before.vector).max()
    assert whole > 0.02
    assert 0 < moved < 0.5 * whole


@pytest.mark.parametrize(("scale", "blur", "issue"), [(0.43, 0, "small"), (1.2, 9, "blurred")])
def test_a_small_or_blurred_face_has_a_quality_issue_and_no_reading(sequence, scene, scale, blur, issue):
    picture = scene(scale=scale)
    if blur:
        picture = cv2.GaussianBlur(picture, (0, 0), blur)
    if issue == "small":
        picture = cv2.resize(picture, (240, 180), interpolation=cv2.INTER_AREA)  # a low-resolution camera far away
        picture = cv2.copyMakeBorder(picture, 30, 30, 40, 40, cv2.BORDER_REPLICATE)
    [face] = sequence.show(picture, 1.0)
    assert face.quality_issue == issue
    assert face.vector is None


def test_a_blurred_or_small_face_has_less_weight(analyzer, scene):
    """The box is the same throughout, so that only the picture differs."""
    box = (240, 145, 160, 160)
    gray = cv2.cvtColor(scene(), cv2.COLOR_BGR2GRAY)
    blurred = cv2.GaussianBlur(gray, (0, 0), 4)
    [sharp], [blurry] = (analyzer.analyze_boxes(picture, [box]) for picture in (gray, blurred))
    small = cv2.resize(gray, (96, 72), interpolation=cv2.INTER_AREA)
    [far] = analyzer.analyze_boxes(small, [(36, 22, 24, 24)])
    assert (sharp.quality_issue, blurry.quality_issue, far.quality_issue) == (None, None, None)
    assert 0.5 < blurry.weight < 0.9 * sharp.weight
    assert 0.5 < far.weight < sharp.weight <= 1


def test_a_camera_that_changes_its_frame_size_is_tracked(sequence, scene):
    sequence.show(scene(x=560))
    faces = sequence.show(cv2.resize(scene(), (320, 240)), 0.4)
    assert [face.quality_issue for face in faces if face.quality_issue != "turned"] == [None]
