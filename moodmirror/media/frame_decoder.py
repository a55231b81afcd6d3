"""Decode untrusted JPEG frames of browsers' cameras in a separate process.

:class:`moodmirror.media.frame_decoder_pool.FrameDecoderPool` starts this module as a program and sends it frames, one at a
time, over its standard input. The process runs until that closes; its memory is limited and it can write no file. If a frame
makes the decoder hang or crash, only this process ends.
"""

import io
import struct
import sys
from typing import Final

from PIL import Image

from moodmirror.platforms import isolate

MAX_FRAME_BYTES: Final = 200_000  # a 320×240 JPEG has about 15 kB; a noisy 1280×720 one still fits
MAX_FRAME_SIDE: Final = 1280  # pixels
# Larger frames are decoded at half their size, which skips three quarters of the work; faces in them stay large enough.
LARGE_FRAME_SIDE: Final = 640  # pixels
MEMORY_BYTES: Final = 400_000_000  # of address space, of which Python reserves a quarter without using it

REQUEST: Final = struct.Struct("<I")  # length of the JPEG that follows, in bytes
# Width, height and the number of pixels that follow; width 0: the length of an error message in UTF-8 that follows.
RESPONSE: Final = struct.Struct("<HHI")


class FrameError(ValueError):
    """A frame can't be decoded; the message explains why to the person who sent it."""


def decode(content: bytes) -> tuple[int, int, bytes]:
    """Decode a JPEG frame to its width, height and gray pixels, row by row; a large one at half its width and height.

    The size in the header is checked before any pixel is decoded. Raises FrameError for content that is not a JPEG, is
    larger than MAX_FRAME_SIDE, or is damaged.
    """
    try:
        picture = Image.open(io.BytesIO(content), formats=["JPEG"])
    except Exception:  # Pillow raises any exception for content that is not a picture
        raise FrameError("a frame must be a JPEG picture") from None
    with picture:
        width, height = picture.size
        if max(width, height) > MAX_FRAME_SIDE:
            raise FrameError(f"a frame may be {MAX_FRAME_SIDE} pixels wide and high at most, this one is {width}×{height}")
        try:
            # Straight to gray: the color channels are not even decoded.
            picture.draft("L", (width // 2, height // 2) if max(width, height) > LARGE_FRAME_SIDE else None)
            gray = picture.convert("L")
        except Exception:  # Pillow raises any exception for damaged content
            raise FrameError("the frame is damaged") from None
        return *gray.size, gray.tobytes()


def main() -> None:
    """Decode frames and send the responses until the client closes standard input."""
    requests, responses = sys.stdin.buffer, sys.stdout.buffer
    Image.preinit()  # the decoder of JPEG: an isolated process can load nothing
    isolate(MEMORY_BYTES, cpu_seconds=None, niceness=0)
    while len(header := requests.read(REQUEST.size)) == REQUEST.size:
        (size,) = REQUEST.unpack(header)
        try:
            width, height, response = decode(requests.read(size))
        except FrameError as error:
            width, height, response = 0, 0, str(error).encode()
        responses.write(RESPONSE.pack(width, height, len(response)))
        responses.write(response)
        responses.flush()


if __name__ == "__main__":
    main()
