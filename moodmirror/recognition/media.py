"""Decode what people send into what recognisers read."""

import io
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from moodmirror.recognition.face import GrayImage

MAX_FRAME_BYTES: Final = 200_000  # a 320×240 JPEG has about 15 kB; a noisy 1280×720 one fits still
MAX_FRAME_SIDE: Final = 1280  # pixels
MAX_PHOTO_BYTES: Final = 30_000_000
MAX_PHOTO_PIXELS: Final = 50_000_000  # more than telephones make; decoded it takes 50 MB
TOO_MANY_PIXELS: Final = f"a photo may have {MAX_PHOTO_PIXELS // 10**6} megapixels at most: make it smaller"
PHOTO_SIDE: Final = 1280  # pixels: a larger photo is scaled down to it, in which a face across a room is still read
PHOTO_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")


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


def decode_photo(content: bytes) -> GrayImage | None:
    """Decode a photo, turned upright as its EXIF data says, to gray, uint8 [h, w]; None where the bytes begin no picture.

    Its size is read from its header before a pixel is decoded. Raises MediaError for one that is larger than
    MAX_PHOTO_PIXELS, or damaged.
    """
    try:
        with Image.open(io.BytesIO(content), formats=PHOTO_FORMATS) as photo:
            width, height = photo.size
            if width * height > MAX_PHOTO_PIXELS:
                raise MediaError(
                    f"a photo may have {MAX_PHOTO_PIXELS // 10**6} megapixels at most, this one is {width}×{height}"
                )
            photo.draft("L", (PHOTO_SIDE, PHOTO_SIDE))  # a JPEG is decoded no larger than is needed
            upright = ImageOps.exif_transpose(photo).convert("L")
            upright.thumbnail((PHOTO_SIDE, PHOTO_SIDE))
            return np.asarray(upright, dtype=np.uint8)
    except UnidentifiedImageError:
        return None
    except Image.DecompressionBombError:
        raise MediaError(TOO_MANY_PIXELS) from None
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, MediaError):
            raise
        raise MediaError("the photo is damaged") from None
