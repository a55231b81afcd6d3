"""Clips, recordings and pictures with known content, generated for tests in the formats that people send."""

import io
from collections.abc import Iterable
from fractions import Fraction

import av
import cv2
import numpy as np
from av.container import OutputContainer
from PIL import Image

from moodmirror.recognition.audio import SAMPLE_RATE

RATE = 10  # frames per second
CODECS = {
    "mp4": ("mpeg4", "yuv420p", "aac", {}),
    "h264": ("libx264", "yuv420p", "aac", {"preset": "ultrafast"}),
    "mov": ("mjpeg", "yuvj420p", "pcm_s16le", {}),
    "webm": ("libvpx", "yuv420p", "libopus", {"deadline": "realtime", "cpu-used": "8"}),
    "avi": ("mjpeg", "yuvj420p", "pcm_s16le", {}),
    "matroska": ("libx265", "yuv420p", "flac", {"preset": "ultrafast", "x265-params": "log-level=none"}),
    "mpegts": ("libx264", "yuv420p", "aac", {"preset": "ultrafast"}),
    "mpeg": ("mpeg2video", "yuv420p", "mp2", {}),
    "asf": ("wmv2", "yuv420p", "wmav2", {}),
    "flv": ("flv", "yuv420p", "aac", {}),
    "3gp": ("mpeg4", "yuv420p", "aac", {}),
    "ogg": ("libvpx", "yuv420p", "libopus", {"deadline": "realtime", "cpu-used": "8"}),
}

# Containers and codecs of recordings.
RECORDING_CODECS = (
    ("mp4", "aac"),
    ("adts", "aac"),
    ("mov", "alac"),
    ("caf", "pcm_s16le"),
    ("caf", "alac"),
    ("aiff", "pcm_s16be"),
    ("au", "pcm_s16be"),
    ("w64", "pcm_s16le"),
    ("wav", "pcm_s24le"),
    ("wav", "pcm_f64le"),
    ("wav", "pcm_s64le"),
    ("wav", "pcm_alaw"),
    ("wav", "pcm_mulaw"),
    ("wav", "adpcm_ms"),
    ("wav", "adpcm_ima_wav"),
    ("ogg", "libopus"),
    ("webm", "libopus"),
    ("matroska", "aac"),
    ("flac", "flac"),
    ("mp3", "mp3"),
    ("mp2", "mp2"),
    ("ac3", "ac3"),
    ("asf", "wmav2"),
    ("amr", "libopencore_amrnb"),
    ("3gp", "aac"),
    ("flv", "aac"),
    ("mpegts", "aac"),
    ("wv", "wavpack"),
    ("tta", "tta"),
)
_CODEC_RATES = {"libopus": 48_000, "ac3": 48_000, "wmav2": 44_100, "libopencore_amrnb": 8_000}  # Hz


def clip(
    pictures: Iterable[np.ndarray],
    kind: str = "mp4",
    sound: np.ndarray | None = None,
    *,
    rate: int = RATE,
    times: list[int] | None = None,
    pixel_aspect: Fraction | None = None,
    container_options: dict[str, str] | None = None,
) -> bytes:
    """Encode a clip of a `kind` in CODECS. Pictures are uint8 [h, w, 3] in BGR, sound is float32 [n] at 16 kHz.

    The clip has `rate` frames per second; with `times`, each frame has its own timestamp in whole seconds. `pixel_aspect` is
    the width of a pixel divided by its height.
    """
    video_codec, pixel_format, audio_codec, options = CODECS[kind]
    file = io.BytesIO()
    with av.open(file, "w", format="mp4" if kind == "h264" else kind, container_options=container_options) as output:
        video = output.add_stream(video_codec, rate=rate, options=options)
        assert isinstance(video, av.VideoStream)
        video.pix_fmt = pixel_format
        video.codec_context.time_base = Fraction(1, rate)
        video.codec_context.bit_rate = 2_000_000
        if pixel_aspect is not None:
            video.codec_context.sample_aspect_ratio = pixel_aspect
            video.sample_aspect_ratio = pixel_aspect
        audio = None if sound is None else _add_audio_stream(output, audio_codec)
        for number, picture in enumerate(pictures):
            if number == 0:
                video.height, video.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")
            frame.pts = number if times is None else times[number] * rate
            output.mux(video.encode(frame))
        output.mux(video.encode())
        if audio is not None and sound is not None:
            for start in range(0, len(sound), SAMPLE_RATE):
                part = av.AudioFrame.from_ndarray(
                    sound[np.newaxis, start : start + SAMPLE_RATE], format="flt", layout="mono"
                )
                part.rate, part.pts = SAMPLE_RATE, start
                output.mux(audio.encode(part))
            output.mux(audio.encode())
    return file.getvalue()


def recording(sound: np.ndarray, container: str, codec: str, layout: str = "mono") -> bytes:
    """Encode a recording of sound, float32 [n] or [n, channels] at 16 kHz, as phones and browsers produce it.

    `layout` is FFmpeg's name of the channels, such as ``5.1``.
    """
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        audio = _add_audio_stream(output, codec, layout)
        part = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound.reshape(1, -1)), format="flt", layout=layout)
        part.rate, part.pts = SAMPLE_RATE, 0
        output.mux(audio.encode(part))
        output.mux(audio.encode())
    return file.getvalue()


def _add_audio_stream(output: OutputContainer, codec: str, layout: str = "mono") -> av.AudioStream:
    stream = output.add_stream(codec, rate=_CODEC_RATES.get(codec, SAMPLE_RATE), layout=layout)
    assert isinstance(stream, av.AudioStream)
    if codec == "wmav2":
        stream.bit_rate = 64_000  # it has no default
    return stream


def encode_picture(picture: np.ndarray, file_format: str, **options: object) -> bytes:
    """Encode a picture, uint8 [h, w, 3] in BGR, in a format that Pillow names."""
    file = io.BytesIO()
    Image.fromarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)).save(file, file_format, **options)
    return file.getvalue()


def animation(pictures: Iterable[np.ndarray], file_format: str, milliseconds: int) -> bytes:
    """Encode an animated picture in a format that Pillow names, of pictures, uint8 [h, w, 3] in BGR."""
    first, *others = (Image.fromarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)) for picture in pictures)
    file = io.BytesIO()
    first.save(file, file_format, save_all=True, append_images=others, duration=milliseconds, loop=0)
    return file.getvalue()
