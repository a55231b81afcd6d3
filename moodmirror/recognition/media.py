"""Decode what people send into what recognisers read."""

import io
from typing import Final

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from moodmirror.recognition.face import GrayImage

MAX_FRAME_BYTES: Final = 200_000  # a 320×240 JPEG has about 15 kB; a noisy 1280×720 one fits still
MAX_FRAME_SIDE: Final = 1280  # pixels


class MediaError(ValueError):
    """What was sent can't be read; the message says why, in words for the person who sent it."""


def decode_frame(content: bytes) -> GrayImage:
    """Decode one JPEG frame of a browser's camera to gray, uint8 [h, w].

    Its size is read from its header before a pixel is decoded. Raises MediaError for anything that is no JPEG, is larger
    than MAX_FRAME_BYTES or MAX_FRAME_SIDE, or is damaged.
    """
    if len(content) > MAX_FRAME_BYTES:
        raise MediaError(f"a frame may have {MAX_FRAME_BYTES // 1000} kB at most, this one has {len(content) // 1000} kB")
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as header:
            width, height = header.size
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        raise MediaError("a frame must be a JPEG picture") from None
    if max(width, height) > MAX_FRAME_SIDE:
        raise MediaError(f"a frame may be {MAX_FRAME_SIDE} pixels wide and high at most, this one is {width}×{height}")
    try:
        gray = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error:
        gray = None
    if gray is None:
        raise MediaError("the frame is damaged")
    return np.asarray(gray, dtype=np.uint8)
