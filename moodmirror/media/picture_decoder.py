"""Decode a picture, or an animated one as a clip, with Pillow. Runs in the decoder process only.

The size in a picture's header is checked before a pixel is decoded.
"""

import io
import warnings
from collections.abc import Collection, Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pillow_heif
from PIL import Image, ImageFile, ImageOps

from moodmirror.media.decoder_protocol import FRAME, Chunk, file_header, notice
from moodmirror.media.errors import MediaError, TooLargeError
from moodmirror.media.formats import MAX_PHOTO_PIXELS, PHOTO_FORMATS, Kind, require_kind
from moodmirror.media.frame_sampler import FrameSampler, require_frame_size

PHOTO_SIDE: Final = 1280  # pixels: larger photos are scaled down to it; a face across a room can still be read
# Wide and tall pictures, such as panoramas and long screenshots, are scaled down by their shorter side instead, up to limits
# for what is sent to the analysis. The detector searches them in tiles.
WIDE_RATIO: Final = 2.0  # of the longer side to the shorter one
WIDE_SHORT_SIDE: Final = 720  # pixels: of a photo of 1280 pixels in 16:9
MAX_WIDE_SIDE: Final = 32_000  # pixels: OpenCV warps no larger pictures
MAX_SENT_PIXELS: Final = 16_000_000
EXIF_ORIENTATION, EXIF_QUARTER_TURNS = 0x0112, (5, 6, 7, 8)  # the tag of the EXIF standard, and its values for 90° turns
TIFF_NEW_SUBFILE_TYPE, TIFF_DNG_VERSION = 254, 50_706  # tags
ANIMATED_FORMATS: Final = ("GIF", "WEBP", "PNG", "AVIF")  # in other formats, several pictures are pages
# Browsers show a frame for 100 ms if its time is missing or at most 10 ms.
DEFAULT_FRAME_MS, MAX_UNTIMED_MS = 100.0, 10.0
_DAMAGED: Final = "the picture is damaged or incomplete: save or send it again"


def decode_picture(content: bytes, accepted: Collection[Kind]) -> Iterator[Chunk]:
    """Yield the chunks of a picture, or of an animated one as a clip if clips are `accepted`.

    Of an incomplete picture, the part that is there is read. Raises MediaError for a damaged or too large picture, and
    WrongKindError if its kind is not `accepted`.
    """
    pillow_heif.register_heif_opener()
    warnings.simplefilter("ignore")  # of Pillow, about metadata
    try:
        yield from _decode(content, accepted)
        return
    except (MediaError, MemoryError):
        raise
    except Exception:  # Pillow raises any exception for damaged content
        pass
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        chunks = _decode(_completed(content), accepted)
        header, frame = next(chunks), next(chunks)
    except (MediaError, MemoryError):
        raise
    except Exception:
        raise MediaError(_DAMAGED) from None
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    if len(set(frame.content)) == 1:
        raise MediaError(_DAMAGED)
    yield header
    yield frame
    yield from chunks
    yield notice("The picture is incomplete or damaged; the part that could be decoded was read.")


def _decode(content: bytes, accepted: Collection[Kind]) -> Iterator[Chunk]:
    with _open(content) as photo:
        if "video" in accepted and photo.format in ANIMATED_FORMATS and getattr(photo, "is_animated", False):
            yield from _decode_animation(photo)
        else:
            require_kind("image", accepted)
            yield from _decode_still(photo)


def _open(content: bytes) -> Image.Image:
    """Open a picture and check its header."""
    Image.MAX_IMAGE_PIXELS = None  # checked below, with a message that gives advice
    photo = Image.open(io.BytesIO(content), formats=PHOTO_FORMATS)
    width, height = photo.size
    if width * height > MAX_PHOTO_PIXELS:
        raise TooLargeError(
            f"a picture may have {MAX_PHOTO_PIXELS // 10**6} megapixels at most, this one is {width}×{height}: "
            "make it smaller"
        )
    # A picture inside this one, as in an icon: Pillow refuses more than twice this number.
    Image.MAX_IMAGE_PIXELS = MAX_PHOTO_PIXELS // 2
    tags = getattr(photo, "tag_v2", {})
    if TIFF_DNG_VERSION in tags or tags.get(TIFF_NEW_SUBFILE_TYPE) == 1:
        raise MediaError("this is a camera's raw picture, which is not read: export it as a JPEG or PNG")
    return photo


def _decode_still(photo: Image.Image) -> Iterator[Chunk]:
    pages = getattr(photo, "n_frames", 1) if photo.format == "TIFF" else 1
    quarter_turn = photo.format != "TIFF" and photo.getexif().get(EXIF_ORIENTATION) in EXIF_QUARTER_TURNS
    width, height = photo.size  # for TIFF, Pillow has turned it already
    sent_size = _sent_size(width, height)
    photo.draft("L", sent_size)  # decode a JPEG no larger than needed
    photo.load()
    ImageOps.exif_transpose(photo, in_place=True)
    gray = _to_gray(photo)
    gray.thumbnail(sent_size[::-1] if quarter_turn else sent_size)
    yield file_header("image", *((height, width) if quarter_turn else (width, height)))
    yield Chunk(FRAME, gray.tobytes(), 0.0, *gray.size)
    if pages > 1:
        yield notice(f"The file has {pages:,} pages; the first one was read.")


def _sent_size(width: int, height: int) -> tuple[int, int]:
    """Return the width and height in which a picture is sent to the analysis."""
    short, long = sorted((width, height))
    scale = PHOTO_SIDE / long
    if long > WIDE_RATIO * short:
        scale = min(WIDE_SHORT_SIDE / short, MAX_WIDE_SIDE / long, (MAX_SENT_PIXELS / (short * long)) ** 0.5)
    scale = min(scale, 1.0)
    return max(int(width * scale), 1), max(int(height * scale), 1)


def _to_gray(photo: Image.Image) -> Image.Image:
    """Convert a picture of any mode to 8-bit gray."""
    if photo.mode[0] not in "IF":
        return photo.getchannel("L") if photo.mode == "LAB" else photo.convert("L")
    # Pillow's own conversion would clip larger numbers to 255.
    values = np.nan_to_num(np.asarray(photo, dtype=np.float32), posinf=0.0, neginf=0.0)
    lowest, highest = float(values.min()), float(values.max())
    if photo.mode[0] == "I" and lowest >= 0:  # 12 of 16 bits are common in medicine and science
        lowest, highest = 0.0, next((limit for limit in (255.0, 4095.0, 65535.0) if highest <= limit), highest)
    return Image.fromarray(((values - lowest) * (255 / max(highest - lowest, 1e-9))).astype(np.uint8))


def _decode_animation(photo: Any) -> Iterator[Chunk]:
    """Yield the frames of an animated picture as those of a clip."""
    require_frame_size(*photo.size)
    frames = FrameSampler()
    number = 1 if photo.info.get("default_image") else 0  # of a PNG: a picture for programs that don't show animations
    is_complete = True
    at = 0.0
    while True:
        try:
            photo.seek(number)
            photo.load()
        except EOFError:
            break
        except (MediaError, MemoryError):
            raise
        except Exception:  # Pillow raises any exception for damaged content
            is_complete = False
            break
        milliseconds = float(photo.info.get("duration", 0.0))
        duration = (milliseconds if milliseconds > MAX_UNTIMED_MS else DEFAULT_FRAME_MS) / 1000
        if frames.count == 0:
            yield file_header("video", *photo.size)

        def to_gray(width: int, height: int) -> npt.NDArray[np.uint8]:
            return np.asarray(_to_gray(photo).resize((width, height), Image.Resampling.BOX))

        yield from frames.sample(at, duration, photo.size, to_gray)
        at += duration
        number += 1
    if frames.count == 0:
        raise MediaError(_DAMAGED)
    yield from frames.finish()
    if not is_complete:
        yield notice(f"The animation is incomplete or damaged; its first {frames.count:,} pictures were read.")


def _completed(content: bytes) -> bytes:
    """Return a picture with zeros instead of the bytes that its header states and that are missing at its end.

    The decoders of WebP, AVIF and HEIC refuse incomplete content; with zeros, they decode the part that is there.
    """
    missing = 0
    if content[:4] == b"RIFF":
        missing = int.from_bytes(content[4:8], "little") + 8 - len(content)
    elif content[4:8] == b"ftyp":
        start = 0
        while start + 8 <= len(content):
            length = int.from_bytes(content[start : start + 4], "big")
            if length < 8:  # to the end of the file, or 64 bits
                break
            start += length
        missing = start - len(content)
    return content + bytes(min(max(missing, 0), len(content)))
