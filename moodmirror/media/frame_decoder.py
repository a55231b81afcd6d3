"""Decode untrusted frames of browsers' cameras in a process of its own.

:class:`moodmirror.media.decoder_client.FrameDecoders` starts this module as a program and sends it frames, one at a time,
over a socket, which is its standard input. The process lives until the socket closes; its memory is limited and it can write
no file. If a frame makes the decoder hang or crash, only this process ends.
"""

import io
import socket
import struct
from typing import Final

from PIL import Image

from moodmirror.media.isolation import limit_resources

MAX_FRAME_BYTES: Final = 200_000  # a 320×240 JPEG has about 15 kB; a noisy 1280×720 one fits still
MAX_FRAME_SIDE: Final = 1280  # pixels
# Larger ones are decoded to half their size, which skips three quarters of the work: a face of them is large enough still.
LARGE_FRAME_SIDE: Final = 640  # pixels
MEMORY_BYTES: Final = 400_000_000  # of address space, of which Python reserves a quarter without using it

REQUEST: Final = struct.Struct("<I")  # how many bytes of a JPEG follow
ANSWER: Final = struct.Struct("<HHI")  # width, height and how many pixels follow; without pixels, how many bytes of words


class FrameError(ValueError):
    """A frame can't be decoded; the message says why, in words for the person who sent it."""


def decode(content: bytes) -> tuple[int, int, bytes]:
    """Width, height and gray pixels, row by row, of a JPEG frame; of a large one half as wide and high.

    Its size is read from its header before a pixel is decoded. Raises FrameError for anything that is no JPEG, is larger
    than MAX_FRAME_SIDE, or is damaged.
    """
    try:
        picture = Image.open(io.BytesIO(content), formats=["JPEG"])
    except Exception:  # Pillow raises anything at all at what is no picture
        raise FrameError("a frame must be a JPEG picture") from None
    with picture:
        width, height = picture.size
        if max(width, height) > MAX_FRAME_SIDE:
            raise FrameError(f"a frame may be {MAX_FRAME_SIDE} pixels wide and high at most, this one is {width}×{height}")
        try:
            # Straight to gray: the colours are not even decoded.
            picture.draft("L", (width // 2, height // 2) if max(width, height) > LARGE_FRAME_SIDE else None)
            gray = picture.convert("L")
        except Exception:  # likewise
            raise FrameError("the frame is damaged") from None
        return *gray.size, gray.tobytes()


def main() -> None:
    """Answer one frame after the other until nobody asks any more."""
    limit_resources(MEMORY_BYTES, cpu_seconds=None, politeness=0)
    with socket.socket(fileno=0) as connection, connection.makefile("rb") as asked:
        while len(header := asked.read(REQUEST.size)) == REQUEST.size:
            (size,) = REQUEST.unpack(header)
            try:
                width, height, answer = decode(asked.read(size))
            except FrameError as error:
                width, height, answer = 0, 0, str(error).encode()
            connection.sendall(ANSWER.pack(width, height, len(answer)) + answer)


if __name__ == "__main__":
    main()
