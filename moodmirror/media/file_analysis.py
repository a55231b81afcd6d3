"""Analyze a whole file of any kind: decode it, recognize its faces, voice or text, and return one Analysis."""

from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import BinaryIO, Protocol, TypeVar

import numpy as np

from moodmirror.fusion import Reading
from moodmirror.media.analysis_result import Analysis, Segment, leading_share
from moodmirror.media.clip_analysis import ClipAnalyzer, joined_samples
from moodmirror.media.decoder_client import AudioChunk, DecodedChunk, FileHeader, GrayFrame, Notice, TextChunk, decode_file
from moodmirror.media.formats import KINDS, Kind
from moodmirror.media.image_analysis import analyze_image
from moodmirror.recognition.audio import SAMPLE_RATE, Samples
from moodmirror.recognition.face import FaceAnalyzer
from moodmirror.recognition.speech import SpeechEmotionRecognizer, SpeechReading
from moodmirror.recognition.text import TextEmotionRecognizer, TextReading
from moodmirror.recognition.text_input import decode_text
from moodmirror.recognition.text_language import language_name

Result = TypeVar("Result")
Progress = float | None  # 0…1; None if the length of the file is unknown


class Recognizers(Protocol):
    """Functions that return the recognizers and load their models on the first call; the recognizers are thread-safe."""

    @property
    def face_analyzer(self) -> Callable[[], FaceAnalyzer]:
        """For faces."""

    @property
    def speech_recognizer(self) -> Callable[[], SpeechEmotionRecognizer]:
        """For voices."""

    @property
    def text_recognizer(self) -> Callable[[], TextEmotionRecognizer]:
        """For texts."""


def analyze(
    source: BinaryIO,
    recognizers: Recognizers,
    accepted: Collection[Kind] = KINDS,
    on_cpu_time: Callable[[float], None] | None = None,
) -> Generator[Progress, None, Analysis]:
    """Analyze a file of an `accepted` kind; yields the progress and returns the Analysis.

    Closing the generator ends all work on the file. `on_cpu_time` is called with the CPU time, in seconds, that the decoder
    process used. Raises MediaError for a file that can't be decoded, TextError for a text
    that can't be read, and DecoderError, ModelError or FileNotFoundError if the server itself can't do it.
    """
    with closing(decode_file(source, accepted, on_cpu_time=on_cpu_time)) as chunks:
        header = next(chunks)
        assert isinstance(header, FileHeader)
        yield 0.0
        notices: list[str] = []
        content = _without_notices(chunks, notices)
        match header.kind:
            case "text":
                [text] = [chunk.content for chunk in content if isinstance(chunk, TextChunk)]
                analysis = analyze_text(decode_text(text), recognizers.text_recognizer())
            case "image":
                [gray] = [chunk.gray for chunk in content if isinstance(chunk, GrayFrame)]
                analysis = analyze_image(gray, header, recognizers.face_analyzer())
            case "audio":
                samples = joined_samples([chunk for chunk in content if isinstance(chunk, AudioChunk)])
                analysis = analyze_audio(samples, recognizers.speech_recognizer())
            case _:
                clip = ClipAnalyzer(header, recognizers.face_analyzer(), recognizers.speech_recognizer)
                for chunk in content:
                    if isinstance(chunk, GrayFrame):
                        clip.add_frame(chunk)
                        yield None if header.seconds is None else min(chunk.at / header.seconds, 1.0)
                    elif isinstance(chunk, AudioChunk):
                        clip.add_audio(chunk)
                analysis = clip.result()
        return replace(analysis, notices=(*notices, *analysis.notices))


def _without_notices(chunks: Iterable[DecodedChunk], notices: list[str]) -> Iterator[DecodedChunk]:
    """Yield the chunks that are content, and append the others, notices, to `notices`."""
    for chunk in chunks:
        if isinstance(chunk, Notice):
            notices.append(chunk.text)
        else:
            yield chunk


def run_to_completion(
    analysis: Generator[Progress, None, Result], on_progress: Callable[[Progress], None] | None = None
) -> Result:
    """Run a generator such as :func:`analyze`'s to its end; return its result, and call `on_progress` with each progress."""
    while True:
        try:
            progress = next(analysis)
        except StopIteration as stop:
            result: Result = stop.value
            return result
        if on_progress is not None:
            on_progress(progress)


def analyze_text(text: str, recognizer: TextEmotionRecognizer) -> Analysis:
    """Analyze a text, sentence by sentence. Raises TextError if it can't be read."""
    reading = recognizer.read(text)
    segments = [Segment(vector, {"text": 1.0}, start=start, end=end) for start, end, vector in reading.sentences]
    return Analysis(
        "text",
        reading.vector,
        {"text": 1.0},
        leading_share(reading.vector, segments),
        segments=segments,
        words=recognizer.explain(text, reading) if reading.language_known and not reading.states_crisis else (),
        language=reading.language,
        language_known=reading.language_known,
        weight=reading.weight,
        notices=_text_notices(reading),
        readings=[Reading(reading.vector, "text", reading.weight, 0.0)] if reading.language_known else (),
        states_crisis=reading.states_crisis,
    )


def _text_notices(reading: TextReading) -> list[str]:
    notices = [] if reading.language_known else [unsupported_language_notice(reading.language)]
    if reading.sentence_count > len(reading.sentences):
        notices.append(
            f"The whole text was read, but of its {reading.sentence_count:,} sentences only the first "
            f"{len(reading.sentences)} one by one."
        )
    return notices


def unsupported_language_notice(language: str) -> str:
    """Return the sentence for the user about a text in an unsupported language, by its ISO 639 code."""
    return f"This text looks like {language_name(language)}. Only English can be read, so it counts for nothing."


def analyze_audio(samples: Samples, recognizer: SpeechEmotionRecognizer) -> Analysis:
    """Analyze samples, float32 [n] at 16 kHz: the segments are its speech windows, the whole is their weighted mean.

    A window's weight is its share of speech times the weight of its signal-to-noise ratio; `at` is the window's end.
    """
    windows = recognizer.read_windows(samples)
    readings = [reading for _, reading in windows if reading]
    segments = [_speech_segment(end, reading) for end, reading in windows]
    seconds = len(samples) / SAMPLE_RATE
    if not readings:
        return Analysis("audio", seconds=seconds, segments=segments)
    weights = [reading.voice_share * reading.weight for reading in readings]
    vector = np.average([reading.vector for reading in readings], axis=0, weights=weights).astype(np.float32)
    whole = Reading(vector, "speech", float(np.mean([reading.weight for reading in readings])), 0.0)
    share = leading_share(vector, segments)
    return Analysis("audio", vector, {"speech": 1.0}, share, seconds=seconds, segments=segments, readings=[whole])


def _speech_segment(end: float, reading: SpeechReading | None) -> Segment:
    if reading is None:
        return Segment(None, {}, at=end)
    return Segment(reading.vector, {"speech": 1.0}, at=end, weight=reading.weight, snr_db=reading.snr_db)
