"""Analyze a clip: track its faces, read its voice, and fuse both into the mood of each moment.

The whole clip is available, so the mood of a moment is made from readings before and after it; live, only from those before.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from moodmirror.fusion import Reading, fuse
from moodmirror.media.analysis_result import Analysis, Segment, leading_share, mean_vector, source_reading
from moodmirror.media.decoder_client import AudioChunk, FileHeader, GrayFrame
from moodmirror.media.errors import MediaError
from moodmirror.media.formats import MAX_CLIP_SECONDS
from moodmirror.media.frame_sampler import FRAME_INTERVAL
from moodmirror.media.image_analysis import numbered, scaled
from moodmirror.recognition.audio import SAMPLE_RATE, Samples
from moodmirror.recognition.face import Face, FaceAnalyzer
from moodmirror.recognition.speech import SpeechEmotionRecognizer
from moodmirror.recognition.speech_features import WINDOW_SECONDS
from moodmirror.recognition.tracking import FaceTracker

SEGMENT_STEP_SECONDS: Final = 0.5  # between two segments of a clip
# A reading counts for moments within this distance, before and after: a face may turn away, a speech window lasts 3 s.
MAX_READING_DISTANCE_SECONDS: Final = 2.0
MIN_FACE_READINGS: Final = 3  # of a face, to be listed: a fold of cloth is taken for a face now and then


class ClipAnalyzer:
    """Collects the readings of a clip, chunk by chunk."""

    def __init__(
        self, header: FileHeader, analyzer: FaceAnalyzer, open_speech_recognizer: Callable[[], SpeechEmotionRecognizer]
    ) -> None:
        """`open_speech_recognizer` is called only for a clip with audio."""
        self._header = header
        self._open_speech_recognizer = open_speech_recognizer
        self._tracker = FaceTracker(analyzer)
        self._readings: list[Reading] = []
        self._faces_by_number: dict[int, list[Face]] = {}
        self._audio: list[AudioChunk] = []
        self._frames_end = 0.0  # seconds
        self._scale = 1.0  # from a frame's pixels to the clip's

    def add_frame(self, frame: GrayFrame) -> None:
        """Track the faces of the next frame; as live, the nearest face's mood counts."""
        faces = self._tracker.follow(frame.gray, frame.at)
        self._scale = (self._header.width or frame.gray.shape[1]) / frame.gray.shape[1]
        # Frames stay on the screen until the next one; animated pictures state no length as a whole.
        self._frames_end = max(self._frames_end, frame.at + (FRAME_INTERVAL if self._header.seconds is None else 0.0))
        if faces and faces[0].vector is not None:
            self._readings.append(Reading(faces[0].vector, "face", faces[0].weight, frame.at))
        for face in faces:
            if face.vector is not None:
                self._faces_by_number.setdefault(face.number, []).append(face)

    def add_audio(self, chunk: AudioChunk) -> None:
        """Store audio until the clip's end."""
        self._audio.append(chunk)

    def result(self) -> Analysis:
        """Read the voice and fuse all readings: one segment every SEGMENT_STEP_SECONDS, the last at the clip's end."""
        samples = joined_samples(self._audio)
        seconds = max(self._header.seconds or 0.0, self._frames_end, len(samples) / SAMPLE_RATE)
        if len(samples):
            for end, reading in self._open_speech_recognizer().read_windows(samples):
                if reading is not None:
                    middle = max(end - WINDOW_SECONDS / 2, end / 2)  # of the window; the first may be shorter
                    self._readings.append(Reading(reading.vector, "speech", reading.weight, middle))
        times = np.append(np.arange(0, seconds, SEGMENT_STEP_SECONDS), seconds)
        segments = [self._segment(float(at)) for at in times]
        recognized = [segment for segment in segments if segment.vector is not None]
        faces = self._listed_faces()
        size = self._header.width, self._header.height
        if not recognized:
            return Analysis("video", None, {}, 0.0, *size, seconds, segments, faces)
        vector = mean_vector(recognized)
        names = {source for segment in recognized for source in segment.sources}
        sources = {
            name: sum(segment.sources.get(name, 0.0) for segment in recognized) / len(recognized) for name in sorted(names)
        }
        readings = [
            source_reading(name, [reading for reading in self._readings if reading.source == name]) for name in sorted(names)
        ]
        share = leading_share(vector, recognized)
        return Analysis("video", vector, sources, share, *size, seconds, segments, faces, readings=readings)

    def _segment(self, at: float) -> Segment:
        # Readings before and after the moment count alike: both distances become ages.
        near = [
            replace(reading, at=-abs(reading.at - at))
            for reading in self._readings
            if abs(reading.at - at) <= MAX_READING_DISTANCE_SECONDS
        ]
        if not near:
            return Segment(None, {}, at=at)
        mood = fuse(near, 0.0)
        return Segment(mood.vector, dict(mood.sources), at=at, mixed=mood.mixed)

    def _listed_faces(self) -> list[Face]:
        """Return each face with at least MIN_FACE_READINGS, most readings first: its last box, and its mean mood.

        Returns all faces if none has as many.
        """
        listed = [faces for faces in self._faces_by_number.values() if len(faces) >= MIN_FACE_READINGS]
        listed = listed or list(self._faces_by_number.values())
        found = [replace(faces[-1], vector=mean_vector(faces)) for faces in sorted(listed, key=len, reverse=True)]
        return [scaled(face, self._scale) for face in numbered(found)]


def joined_samples(chunks: Sequence[AudioChunk]) -> Samples:
    """Join the audio of a file, float32 [n] at 16 kHz, with silence before audio that begins later than the file.

    Raises MediaError for samples that are not finite.
    """
    if not chunks:
        return np.empty(0, dtype=np.float32)
    silence = round(min(max(chunks[0].at, 0.0), MAX_CLIP_SECONDS) * SAMPLE_RATE)
    samples = np.concatenate([np.zeros(silence, dtype=np.float32), *(chunk.samples for chunk in chunks)])
    if not np.isfinite(samples).all():
        raise MediaError("the sound holds samples that are not finite numbers")
    return samples
