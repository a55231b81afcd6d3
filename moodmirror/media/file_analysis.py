"""Read a file, whatever it is: faces, voice and words become readings over time, and these one course of moods.

Here the whole file is at hand, so a moment's mood is made from what was read before it and after it alike; live, only
from what came before.
"""

import math
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import BinaryIO, Final, Protocol

import numpy as np

from moodmirror.emotions import EMOTIONS, MoodVector
from moodmirror.fusion import Reading, Source, fuse
from moodmirror.media.decoder_client import Frame, Heading, Sound, Text, decoded
from moodmirror.media.decoder_worker import KINDS, MAX_CLIP_SECONDS, Kind, MediaError
from moodmirror.recognition.audio import SAMPLE_RATE, Samples
from moodmirror.recognition.face import (
    FAR_SEARCH,
    SAME_FACE_OVERLAP,
    UPRIGHT_SEARCH,
    Box,
    Face,
    FaceAnalyzer,
    FaceDetector,
    GrayImage,
    overlap,
)
from moodmirror.recognition.speech import WINDOW_SECONDS, SpeechEmotionRecognizer, SpeechReading
from moodmirror.recognition.text import TextEmotionRecognizer, decode_text
from moodmirror.recognition.tracking import FaceTracker

STEP_SECONDS: Final = 0.5  # between two moments of a clip's course
# So far from a reading, before or after it, a moment goes by it: a face may turn away, and a window of voice is 3 s long.
REACH_SECONDS: Final = 2.0
PART_SIDE: Final = 0.625  # of a picture's: four such parts cover it, and share a quarter, so that none cuts every face
SMALLER_VOTES: Final = 6  # of the cascade, for a face found in a part: so many more looks find so many more folds of cloth
LEAST_READINGS: Final = 3  # of a face in a clip, to be named among its faces: folds of cloth pass for one now and then

Progress = float | None


class Recognizers(Protocol):
    """What opens the models, each when it is first called for; what it returns may be used by several threads."""

    @property
    def face_analyzer(self) -> Callable[[], FaceAnalyzer]:
        """Faces."""

    @property
    def speech_recognizer(self) -> Callable[[], SpeechEmotionRecognizer]:
        """Voices."""

    @property
    def text_recognizer(self) -> Callable[[], TextEmotionRecognizer]:
        """Words."""


@dataclass(frozen=True)
class Moment:
    """One moment of a course.

    `vector` is a mood vector, float32 [7], or None where nothing is read, `sources` each source's share in it, summing to 1.
    `mixed` names what two sources say that contradict each other strongly, see :func:`moodmirror.fusion.fuse`.
    `at` is its time in seconds, or `start` and `end` its place in a text, in characters. `weight`, 0…1, says how far to
    trust it, and `snr_db` how far a voice stands above the noise.
    """

    vector: MoodVector | None
    sources: dict[Source, float]
    at: float | None = None
    start: int | None = None
    end: int | None = None
    weight: float | None = None
    snr_db: float | None = None
    mixed: tuple[str, str] | None = None


@dataclass(frozen=True)
class Analysis:
    """What a file was read as.

    `vector` is the mood vector, float32 [7], of the whole, None where nothing could be read, and `sources` each source's
    share in it, summing to 1. `share` is the part of what was read, 0…1, in which the whole's leading emotion leads.
    `width` and `height` are those of the picture in pixels, which the boxes of `faces` are in too, `seconds` is the length
    of what lasts. `words` are those of a text that weighed most: (start, end, weight); `language_known` is None for others.
    """

    kind: Kind
    vector: MoodVector | None = None
    sources: dict[Source, float] | None = None
    share: float = 0.0
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    course: Sequence[Moment] = ()
    faces: Sequence[Face] = ()
    words: Sequence[tuple[int, int, float]] = ()
    language_known: bool | None = None
    weight: float | None = None

    @property
    def label(self) -> str | None:
        """The leading emotion; None where nothing could be read."""
        return None if self.vector is None else EMOTIONS[int(self.vector.argmax())]


def analyze(
    source: BinaryIO, recognizers: Recognizers, wanted: Collection[Kind] = KINDS
) -> Generator[Progress, None, Analysis]:
    """Read a file of a `wanted` kind; yields how far it has got, 0…1 or None where nobody knows, and returns the Analysis.

    Closing the generator ends all work on the file. Raises MediaError for what can't be read, TextError for a text that
    can't be, DecoderError, ModelError or FileNotFoundError where this program can't read it.
    """
    with closing(decoded(source, wanted)) as parts:
        heading = next(parts)
        assert isinstance(heading, Heading)
        yield 0.0
        match heading.kind:
            case "text":
                [text] = [part.content for part in parts if isinstance(part, Text)]
                return read_text(decode_text(text), recognizers.text_recognizer())
            case "image":
                [gray] = [part.gray for part in parts if isinstance(part, Frame)]
                return _read_picture(gray, heading, recognizers.face_analyzer())
            case "audio":
                sound = _joined([part for part in parts if isinstance(part, Sound)])
                return read_sound(sound, recognizers.speech_recognizer())
            case _:
                clip = _Clip(heading, recognizers)
                for part in parts:
                    if isinstance(part, Frame):
                        clip.look(part)
                        yield None if heading.seconds is None else min(part.at / heading.seconds, 1.0)
                    elif isinstance(part, Sound):
                        clip.hear(part)
                return clip.finish()


def finished(work: Generator[Progress, None, Analysis], on_progress: Callable[[Progress], None] | None = None) -> Analysis:
    """Do all the work of :func:`analyze` and return what came of it, telling its progress."""
    while True:
        try:
            progress = next(work)
        except StopIteration as done:
            result: Analysis = done.value
            return result
        if on_progress is not None:
            on_progress(progress)


def read_text(text: str, recognizer: TextEmotionRecognizer) -> Analysis:
    """Read a text, sentence by sentence. Raises TextError for one that can't be read."""
    reading = recognizer.read(text)
    course = [Moment(vector, {"text": 1.0}, start=start, end=end) for start, end, vector in reading.sentences]
    return Analysis(
        "text",
        reading.vector,
        {"text": 1.0},
        _share(reading.vector, course),
        course=course,
        words=recognizer.explain(text) if reading.language_known else (),
        language_known=reading.language_known,
        weight=reading.weight,
    )


def read_sound(samples: Samples, recognizer: SpeechEmotionRecognizer) -> Analysis:
    """Hear samples, float32 [n] at 16 kHz: the whole is the mean of its windows, which are the course.

    A window weighs what it holds of speech and how far it stands above the noise; `at` is the time at which it ends.
    """
    windows = recognizer.read_windows(samples)
    heard = [reading for _, reading in windows if reading]
    course = [_heard(end, reading) for end, reading in windows]
    seconds = len(samples) / SAMPLE_RATE
    if not heard:
        return Analysis("audio", seconds=seconds, course=course)
    weights = [reading.voice * reading.weight for reading in heard]
    vector = np.average([reading.vector for reading in heard], axis=0, weights=weights).astype(np.float32)
    return Analysis("audio", vector, {"speech": 1.0}, _share(vector, course), seconds=seconds, course=course)


def _heard(end: float, reading: SpeechReading | None) -> Moment:
    if reading is None:
        return Moment(None, {}, at=end)
    return Moment(reading.vector, {"speech": 1.0}, at=end, weight=reading.weight, snr_db=reading.snr_db)


def _read_picture(gray: GrayImage, heading: Heading, analyzer: FaceAnalyzer) -> Analysis:
    """Read every face of a picture, near and far; the whole is the largest one that can be read, as live."""
    faces = analyzer.analyze(gray)
    further: list[Box] = []
    for box in _smaller(gray, analyzer.detector):
        if all(overlap(box, other) <= SAME_FACE_OVERLAP for other in (*further, *(face.box for face in faces))):
            further.append(box)
    faces = _numbered(sorted([*faces, *analyzer.analyze_boxes(gray, further)], key=lambda face: -face.box[2]))
    scale = (heading.width or gray.shape[1]) / gray.shape[1]
    faces = [_scaled(face, scale) for face in faces]
    vector = next((face.vector for face in faces if face.vector is not None), None)
    read = [Moment(face.vector, {"face": 1.0}) for face in faces if face.vector is not None]
    sources: dict[Source, float] = {} if vector is None else {"face": 1.0}
    share = 0.0 if vector is None else _share(vector, read)
    return Analysis("image", vector, sources, share, heading.width, heading.height, faces=faces)


def _smaller(gray: GrayImage, detector: FaceDetector) -> Iterator[Box]:
    """Faces that are small in a picture beside large ones, as in a group's photo: each part of it is searched by itself."""
    height, width = gray.shape
    for top, left in (0, 0), (0, 1), (1, 0), (1, 1):
        y, x = round(top * (1 - PART_SIDE) * height), round(left * (1 - PART_SIDE) * width)
        part = gray[y : y + math.ceil(PART_SIDE * height), x : x + math.ceil(PART_SIDE * width)]
        for search in (UPRIGHT_SEARCH, FAR_SEARCH):
            for found in detector.detect(np.ascontiguousarray(part), search):
                box = detector.detect_near(
                    gray, (x + int(found[0]), y + int(found[1]), *_box(found)[2:]), votes=SMALLER_VOTES
                )
                if box is not None:
                    yield box


class _Clip:
    """Collects what is read of a clip, part by part."""

    def __init__(self, heading: Heading, recognizers: Recognizers) -> None:
        self._heading = heading
        self._recognizers = recognizers
        self._tracker = FaceTracker(recognizers.face_analyzer())
        self._readings: list[Reading] = []
        self._by_number: dict[int, list[Face]] = {}
        self._sounds: list[Sound] = []
        self._reached = 0.0
        self._scale = 1.0  # of the clip's pixels to a frame's

    def look(self, frame: Frame) -> None:
        """Follow the faces of the next frame; as live, the mood is the nearest one's."""
        faces = self._tracker.follow(frame.gray, frame.at)
        self._scale = (self._heading.width or frame.gray.shape[1]) / frame.gray.shape[1]
        self._reached = max(self._reached, frame.at)
        if faces and faces[0].vector is not None:
            self._readings.append(Reading(faces[0].vector, "face", faces[0].weight, frame.at))
        for face in faces:
            if face.vector is not None:
                self._by_number.setdefault(face.number, []).append(face)

    def hear(self, sound: Sound) -> None:
        """Keep sound until the whole of it is there."""
        self._sounds.append(sound)

    def finish(self) -> Analysis:
        """Hear the sound, and fuse all readings into the course: a moment each STEP_SECONDS, the last at the end."""
        samples = _joined(self._sounds)
        seconds = max(self._heading.seconds or 0.0, self._reached, len(samples) / SAMPLE_RATE)
        if len(samples):
            for end, reading in self._recognizers.speech_recognizer().read_windows(samples):
                if reading is not None:
                    middle = max(end - WINDOW_SECONDS / 2, end / 2)  # of the window, or of a sound shorter than one
                    self._readings.append(Reading(reading.vector, "speech", reading.weight, middle))
        times = np.append(np.arange(0, seconds, STEP_SECONDS), seconds)
        course = [self._moment(float(at)) for at in times]
        read = [moment for moment in course if moment.vector is not None]
        faces = self._faces()
        size = self._heading.width, self._heading.height
        if not read:
            return Analysis("video", None, {}, 0.0, *size, seconds, course, faces)
        vector = _mean(read)
        names = {source for moment in read for source in moment.sources}
        sources = {name: sum(moment.sources.get(name, 0.0) for moment in read) / len(read) for name in sorted(names)}
        return Analysis("video", vector, sources, _share(vector, read), *size, seconds, course, faces)

    def _moment(self, at: float) -> Moment:
        # As far behind the moment as ahead of it counts the same: both become ages.
        near = [
            replace(reading, at=-abs(reading.at - at)) for reading in self._readings if abs(reading.at - at) <= REACH_SECONDS
        ]
        if not near:
            return Moment(None, {}, at=at)
        mood = fuse(near, 0.0)
        return Moment(mood.vector, dict(mood.sources), at=at, mixed=mood.mixed)

    def _faces(self) -> list[Face]:
        """Each face that was followed for a while, longest first: where it was last, and the mean of what was read in it."""
        lasting = [faces for faces in self._by_number.values() if len(faces) >= LEAST_READINGS]
        lasting = lasting or list(self._by_number.values())
        found = [replace(faces[-1], vector=_mean(faces)) for faces in sorted(lasting, key=len, reverse=True)]
        return [_scaled(face, self._scale) for face in _numbered(found)]


def _mean(readings: Sequence[Face | Moment]) -> MoodVector:
    """The mean of those readings, one at least, that have a vector."""
    vectors = [reading.vector for reading in readings if reading.vector is not None]
    return np.asarray(np.mean(vectors, axis=0), dtype=np.float32)


def _joined(sounds: Sequence[Sound]) -> Samples:
    """The samples of a file's sound from its start: silence where it begins later. Raises MediaError for too much."""
    if not sounds:
        return np.empty(0, dtype=np.float32)
    silence = round(min(max(sounds[0].at, 0.0), MAX_CLIP_SECONDS) * SAMPLE_RATE)
    samples = np.concatenate([np.zeros(silence, dtype=np.float32), *(sound.samples for sound in sounds)])
    if not np.isfinite(samples).all():
        raise MediaError("the sound holds samples that are no numbers")
    return samples


def _share(vector: MoodVector, course: Sequence[Moment]) -> float:
    """The part of the moments in which something is read, 0…1, that the leading emotion of `vector` leads."""
    read = [moment.vector for moment in course if moment.vector is not None]
    leading = vector.argmax()
    return sum(bool(other.argmax() == leading) for other in read) / len(read) if read else 0.0


def _numbered(faces: Sequence[Face]) -> list[Face]:
    return [replace(face, number=number) for number, face in enumerate(faces, start=1)]


def _scaled(face: Face, scale: float) -> Face:
    x, y, width, height = (round(value * scale) for value in face.box)
    return replace(face, box=(x, y, width, height))


def _box(found: object) -> Box:
    x, y, width, height = (int(value) for value in np.asarray(found))
    return x, y, width, height
