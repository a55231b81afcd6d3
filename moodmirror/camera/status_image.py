"""The status image: shown in the stream in place of the camera's picture while the camera is not live."""

from typing import Final

import cv2
import numpy as np

from moodmirror.camera.frame import BGRFrame
from moodmirror.camera.status import CameraStatus

BACKGROUND_BGR: Final = (240, 233, 230)
MESSAGE_BGR: Final = (78, 55, 46)
ADVICE_BGR: Final = (110, 90, 80)
WIDTH, HEIGHT = 640, 480  # pixels
MAX_TEXT_WIDTH: Final = 600  # pixels: a longer text is scaled down


def draw_status_image(status: CameraStatus) -> BGRFrame:
    """Draw a status, uint8 [480, 640, 3] in BGR, so that an old frame is never taken for a live one."""
    image = np.full((HEIGHT, WIDTH, 3), BACKGROUND_BGR, dtype=np.uint8)
    for text, y, scale, color in ((status.message, 230, 0.85, MESSAGE_BGR), (status.advice, 270, 0.5, ADVICE_BGR)):
        width = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0]
        fitting_scale = scale * min(1.0, MAX_TEXT_WIDTH / max(width, 1))
        width = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, fitting_scale, 1)[0][0]
        origin = ((WIDTH - width) // 2, y)
        cv2.putText(image, text, origin, cv2.FONT_HERSHEY_SIMPLEX, fitting_scale, color, 1, cv2.LINE_AA)
    return image
