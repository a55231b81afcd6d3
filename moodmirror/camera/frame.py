"""Frames of the server's camera: their type, preparation for the stream, and JPEG encoding."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

BGRFrame = npt.NDArray[np.uint8]  # [h, w, 3] in BGR, as OpenCV has it

STREAM_WIDTH: Final = 960  # pixels: wider frames are scaled down before they are analyzed and streamed
JPEG_QUALITY: Final = 80  # of 100: boxes and letters stay crisp at about 50 kB per 640×480 frame


def prepare_frame(frame: BGRFrame, *, mirror: bool) -> BGRFrame:
    """Return a copy to draw on, at most STREAM_WIDTH wide, and mirrored if its viewers face the camera.

    Raises ValueError for a frame that is not uint8 [h, w, 3].
    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise ValueError(f"the camera returned a frame of {frame.dtype} {list(frame.shape)}, expected uint8 [h, w, 3]")
    if frame.shape[1] > STREAM_WIDTH:
        height = round(frame.shape[0] * STREAM_WIDTH / frame.shape[1])
        frame = np.asarray(cv2.resize(frame, (STREAM_WIDTH, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return np.ascontiguousarray(frame[:, ::-1]) if mirror else frame.copy()


def encode_jpeg(frame: BGRFrame) -> bytes:
    """Encode a frame, uint8 [h, w, 3] in BGR, as JPEG."""
    encoded, content = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not encoded:
        raise ValueError(f"a frame of {list(frame.shape)} can't be encoded as JPEG")
    return content.tobytes()
