"""Pictures with faces at known places: a public-domain portrait, or faces of a corpus, set into photographs.

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
PORTRAIT_CENTER: Final = (224, 115)  # pixels: the center of the portrait's face
PORTRAIT_SIDE: Final = 95  # pixels: of a box from brow to chin
PHOTOGRAPHS: Final = ("coffee", "chelsea", "rocket", "camera", "brick", "grass", "gravel", "page", "coins", "text")

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """A gray picture, uint8 [480, 640], and the face in it: its center and side in pixels."""

    picture: Picture
    x: float
    y: float
    side: float

    def shows(self, box: Any) -> bool:
        """Whether a box (x, y, w, h) is this face: center within a third of the side, size within half and double."""
        distance = np.hypot(box[0] + box[2] / 2 - self.x, box[1] + box[3] / 2 - self.y)
        return bool(distance < self.side / 3 and self.side / 2 < box[2] < self.side * 2)


def portrait() -> Picture:
    """Return the portrait in color, uint8 [512, 512, 3], BGR."""
    return np.asarray(cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR), dtype=np.uint8)


def portrait_frame(x: float = 320, y: float = 230, scale: float = 1.2, tilt: float = 0) -> Picture:
    """Return a webcam frame, uint8 [480, 640, 3] in BGR: the portrait with its face at (x, y), tilted by `tilt` degrees."""
    matrix = _placement(PORTRAIT_CENTER, x, y, scale, tilt)
    frame = cv2.warpAffine(portrait(), matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(frame, dtype=np.uint8)


def video(frames: int) -> Iterator[Picture]:
    """Yield frames of a person at a webcam, 20 per second, who sways, leans in and out, and tilts the head a little."""
    for step in range(frames):
        yield portrait_frame(
            320 + 60 * np.sin(step / 23), 230 + 15 * np.sin(step / 11), 1.2 + 0.2 * np.sin(step / 37), 8 * np.sin(step / 17)
        )


def scenes(count: int, seed: int, tilt: float, sides: tuple[float, float], faces: Picture | None = None) -> Iterator[Scene]:
    """Yield faces at random places of photographs, of log-uniform `sides` in pixels, tilted by exactly ±`tilt` degrees.

    The faces are the portrait's head, or `faces`, uint8 [n, 48, 48], if any.
    """
    rng = np.random.default_rng(seed)
    photographs = [_photograph(name) for name in PHOTOGRAPHS]
    head = np.asarray(cv2.cvtColor(portrait(), cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    head_mask = cv2.ellipse(np.zeros(head.shape, np.float32), (PORTRAIT_CENTER[0], 118), (62, 82), 0, 0, 360, 1, -1)
    for _ in range(count):
        side = float(np.exp(rng.uniform(*np.log(sides))))
        x, y = rng.uniform(0.7 * side, WIDTH - 0.7 * side), rng.uniform(0.8 * side, HEIGHT - 0.8 * side)
        angle = tilt * rng.choice([-1, 1])
        background = photographs[rng.integers(len(photographs))]
        if faces is None:
            source, mask = head, head_mask
            matrix = _placement(PORTRAIT_CENTER, x, y, side / PORTRAIT_SIDE, angle)
        else:
            source, mask = faces[rng.integers(len(faces))], np.ones((48, 48), np.float32)
            matrix = _placement((23.5, 23.5), x, y, side / 48, angle)
        face = cv2.warpAffine(source, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
        share = cv2.GaussianBlur(cv2.warpAffine(mask, matrix, (WIDTH, HEIGHT)), (0, 0), max(side / 40, 0.5))
        yield Scene((background * (1 - share) + face * share).astype(np.uint8), x, y, side)


def _placement(center: tuple[float, float], x: float, y: float, scale: float, tilt: float) -> npt.NDArray[np.float64]:
    matrix = np.asarray(cv2.getRotationMatrix2D(center, tilt, scale), dtype=np.float64)
    matrix[:, 2] += (x - center[0], y - center[1])
    return matrix


def _photograph(name: str) -> Picture:
    picture = getattr(skimage.data, name)()
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture[..., :3], cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), dtype=np.uint8)
