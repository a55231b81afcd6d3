"""Pictures whose faces are known: a public-domain portrait, or faces of a corpus, set into photographs.

The portrait is NASA's of Eileen Collins, the photographs are scikit-image's; all are shipped with scikit-image.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
import skimage.data

WIDTH, HEIGHT = 640, 480  # pixels
PORTRAIT_MIDDLE: Final = (224, 115)  # pixels: the middle of the portrait's face
PORTRAIT_SIDE: Final = 95  # pixels: of a box from brow to chin
PHOTOGRAPHS: Final = ("coffee", "chelsea", "rocket", "camera", "brick", "grass", "gravel", "page", "coins", "text")

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """A gray picture, uint8 [480, 640], and the face in it: its middle and side in pixels."""

    picture: Picture
    x: float
    y: float
    side: float

    def shows(self, box: Any) -> bool:
        """Whether a box (x, y, w, h) is this face: middle within a third of the side, size within half and double."""
        middle = np.hypot(box[0] + box[2] / 2 - self.x, box[1] + box[3] / 2 - self.y)
        return bool(middle < self.side / 3 and self.side / 2 < box[2] < self.side * 2)


def portrait() -> Picture:
    """The portrait in colour, uint8 [512, 512, 3], BGR."""
    return np.asarray(cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR), dtype=np.uint8)


def portrait_frame(x: float = 320, y: float = 230, scale: float = 1.2, tilt: float = 0) -> Picture:
    """A frame of a webcam, uint8 [480, 640, 3] in BGR: the portrait with its face about (x, y), inclined by degrees."""
    matrix = _placed(PORTRAIT_MIDDLE, x, y, scale, tilt)
    frame = cv2.warpAffine(portrait(), matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(frame, dtype=np.uint8)


def video(frames: int) -> Iterator[Picture]:
    """A person before a webcam, twenty frames a second: they sway, lean in and out, and incline their head a little."""
    for step in range(frames):
        yield portrait_frame(
            320 + 60 * np.sin(step / 23), 230 + 15 * np.sin(step / 11), 1.2 + 0.2 * np.sin(step / 37), 8 * np.sin(step / 17)
        )


def scenes(count: int, seed: int, tilt: float, sides: tuple[float, float], faces: Picture | None = None) -> Iterator[Scene]:
    """Faces at random places of photographs, of log-uniform `sides` in pixels, inclined by exactly ±`tilt` degrees.

    The faces are the portrait's head, or `faces`, uint8 [n, 48, 48], if any.
    """
    rng = np.random.default_rng(seed)
    photographs = [_photograph(name) for name in PHOTOGRAPHS]
    head = np.asarray(cv2.cvtColor(portrait(), cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    head_mask = cv2.ellipse(np.zeros(head.shape, np.float32), (PORTRAIT_MIDDLE[0], 118), (62, 82), 0, 0, 360, 1, -1)
    for _ in range(count):
        side = float(np.exp(rng.uniform(*np.log(sides))))
        x, y = rng.uniform(0.7 * side, WIDTH - 0.7 * side), rng.uniform(0.8 * side, HEIGHT - 0.8 * side)
        angle = tilt * rng.choice([-1, 1])
        background = photographs[rng.integers(len(photographs))]
        if faces is None:
            source, mask = head, head_mask
            matrix = _placed(PORTRAIT_MIDDLE, x, y, side / PORTRAIT_SIDE, angle)
        else:
            source, mask = faces[rng.integers(len(faces))], np.ones((48, 48), np.float32)
            matrix = _placed((23.5, 23.5), x, y, side / 48, angle)
        face = cv2.warpAffine(source, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
        share = cv2.GaussianBlur(cv2.warpAffine(mask, matrix, (WIDTH, HEIGHT)), (0, 0), max(side / 40, 0.5))
        yield Scene((background * (1 - share) + face * share).astype(np.uint8), x, y, side)


def _placed(middle: tuple[float, float], x: float, y: float, scale: float, tilt: float) -> npt.NDArray[np.float64]:
    matrix = np.asarray(cv2.getRotationMatrix2D(middle, tilt, scale), dtype=np.float64)
    matrix[:, 2] += (x - middle[0], y - middle[1])
    return matrix


def _photograph(name: str) -> Picture:
    picture = getattr(skimage.data, name)()
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture[..., :3], cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), dtype=np.uint8)
