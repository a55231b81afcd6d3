"""Annotation of frames: each face's box, emotion and confidence."""

from typing import Final

import cv2

from moodmirror.camera.frame import BGRFrame
from moodmirror.recognition.face import Face

ACCENT_BGR: Final = (206, 76, 91)  # the page's accent color, #5b4cce
UNREADABLE_BGR: Final = (120, 110, 104)  # an unobtrusive gray, for a face that can't be read at the moment
TEXT_BGR: Final = (255, 255, 255)


def draw_faces(frame: BGRFrame, faces: list[Face]) -> None:
    """Draw each face's box, emotion and confidence onto a frame, uint8 [h, w, 3] in BGR."""
    thickness = max(round(frame.shape[1] / 320), 1)
    scale = max(frame.shape[1] / 900, 0.4)
    for face in faces:
        x, y, width, height = face.box
        text = f"{face.label} {face.confidence:.0%}" if face.label else "?"
        color = ACCENT_BGR if face.label else UNREADABLE_BGR
        (text_width, text_height), baseline = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
        padding = 2 * thickness + 2
        tag_height = text_height + baseline + 2 * padding
        tag_y = y - tag_height if y >= tag_height else min(y + height, frame.shape[0] - tag_height)
        cv2.rectangle(frame, (x, y), (x + width, y + height), color, thickness)
        cv2.rectangle(frame, (x, tag_y), (x + text_width + 2 * padding, tag_y + tag_height), color, cv2.FILLED)
        origin = (x + padding, tag_y + padding + text_height)
        cv2.putText(frame, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, TEXT_BGR, thickness, cv2.LINE_AA)
