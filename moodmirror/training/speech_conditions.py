"""Recording conditions that speech models are evaluated under: as recorded, in noise, in rooms, quieter, and clipped.

They differ from the augmentation in training: rooms are computed from their walls instead of decaying noise, and noise comes
from another generator.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import numpy as np
from scipy.signal import fftconvolve

from moodmirror.recognition.audio import SAMPLE_RATE, Samples

SPEED_OF_SOUND: Final = 343.0  # m/s, at 20 °C
NOISE_SEED: Final = 20_000  # far from the seeds in training

# Length, width and height in m, reverberation time in s, position of the speaker and of the microphone in m.
ROOMS: Final = (
    ((4.1, 3.2, 2.5), 0.30, (1.3, 1.3, 1.4), (1.9, 1.8, 1.1)),
    ((6.3, 4.7, 2.8), 0.45, (2.0, 1.4, 1.6), (2.8, 2.0, 1.2)),
    ((8.6, 6.9, 3.4), 0.60, (3.1, 2.2, 1.6), (4.3, 3.1, 1.1)),
)


@lru_cache(maxsize=len(ROOMS))
def room_response(number: int) -> Samples:
    """Return the impulse response of one of ROOMS, float32 [n] at 16 kHz, from mirror images; direct sound first.

    Allen and Berkley, "Image method for efficiently simulating small-room acoustics", JASA 65 (1979). All six walls have the
    same absorption, by Eyring's formula for the reverberation time of the room.
    """
    size, t60, source, microphone = (np.asarray(entry, dtype=np.float64) for entry in ROOMS[number])
    volume = float(size.prod())
    surface = 2 * float(size[0] * size[1] + size[1] * size[2] + size[0] * size[2])
    reflection = float(np.sqrt(np.exp(-24 * np.log(10) / SPEED_OF_SOUND * volume / (surface * float(t60)))))
    reach = float(t60) * SPEED_OF_SOUND
    axes = []
    for axis in range(3):
        count = int(np.ceil(reach / (2 * size[axis])))
        rooms = np.arange(-count, count + 1)
        for mirrored in (0, 1):
            position = 2 * rooms * size[axis] + (1 - 2 * mirrored) * source[axis] - microphone[axis]
            axes.append((position, np.abs(rooms - mirrored) + np.abs(rooms)))
    response = np.zeros(int(float(t60) * SAMPLE_RATE) + 1)
    for x, bounces_x in axes[0:2]:
        for y, bounces_y in axes[2:4]:
            for z, bounces_z in axes[4:6]:
                distance = np.sqrt(x[:, None, None] ** 2 + y[None, :, None] ** 2 + z[None, None, :] ** 2)
                bounces = bounces_x[:, None, None] + bounces_y[None, :, None] + bounces_z[None, None, :]
                delay = np.rint(distance / SPEED_OF_SOUND * SAMPLE_RATE).astype(np.int_)
                near = delay < len(response)
                np.add.at(response, delay[near], reflection ** bounces[near] / (4 * np.pi * distance[near]))
    first = int(np.flatnonzero(response)[0])
    return np.asarray(response[first:] / response[first], dtype=np.float32)


def as_recorded(samples: Samples, number: int) -> Samples:
    """Return the samples unchanged."""
    return samples


def in_white_noise(samples: Samples, number: int) -> Samples:
    """Add white noise, 15 dB below the power of the recording."""
    noise = np.random.default_rng((NOISE_SEED, number)).normal(0, 1, len(samples))
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return np.asarray(samples + noise * np.sqrt(power * 10**-1.5), dtype=np.float32)


def in_a_room(samples: Samples, number: int) -> Samples:
    """Add the reverberation of one of ROOMS, in turn, with 0.25 s of it after the recording."""
    reverberant = fftconvolve(samples, room_response(number % len(ROOMS)))[: len(samples) + SAMPLE_RATE // 4]
    return np.asarray(reverberant, dtype=np.float32)


def quieter(samples: Samples, number: int) -> Samples:
    """Lower the level by 12 dB."""
    return samples * np.float32(10 ** (-12 / 20))


def louder(samples: Samples, number: int) -> Samples:
    """Bring to full scale, raise by 12 dB and clip at ±1, so that every recording is clipped."""
    return np.asarray(np.clip(samples / np.abs(samples).max() * 10 ** (12 / 20), -1, 1), dtype=np.float32)


AS_RECORDED: Final = "as recorded"
CONDITIONS: Final[dict[str, Callable[[Samples, int], Samples]]] = {
    AS_RECORDED: as_recorded,
    "white noise at 15 dB": in_white_noise,
    "in a room": in_a_room,
    "12 dB quieter": quieter,
    "12 dB louder, clipped": louder,
}
