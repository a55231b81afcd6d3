"""Augment recordings: change the voice, the room, the microphone and the transmission, and keep the words.

All functions work on samples, float32 [n] at 16 kHz, and draw random numbers from the generator that they are given.
"""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import librosa
import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from scipy.signal import fftconvolve

from moodmirror.recognition.audio import SAMPLE_RATE, Samples
from moodmirror.recognition.speech_features import MEL_BANDS, WINDOW_FRAMES, WINDOW_SAMPLES, log_mel
from moodmirror.training.progress import show_progress
from moodmirror.training.settings import SpeechTraining
from moodmirror.training.speech_corpora import SpeechCorpus

Rng = np.random.Generator
DEFAULT_STRENGTH: Final = SpeechTraining()
STRENGTH_SETTINGS: Final = ("pitch", "speed", "noisy", "lowest_snr", "highest_snr", "reverberation", "gain")
Hertz = npt.NDArray[np.float64]


def rms(samples: Samples) -> float:
    """Return the root mean square of the samples that are not digital silence."""
    audible = samples[samples != 0]
    return float(np.sqrt(np.mean(np.square(audible, dtype=np.float64)))) if len(audible) else 0.0


def colored_noise(count: int, exponent: float, rng: Rng) -> Samples:
    """Return noise, float32 [count], with power ∝ frequency to the −`exponent`: 0 white, 1 pink, 2 brown."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequencies = np.maximum(np.arange(len(spectrum)), count * 30 / SAMPLE_RATE)  # constant below 30 Hz
    return np.fft.irfft(spectrum * frequencies ** (-exponent / 2), count).astype(np.float32)


def babble(count: int, others: Sequence[Samples], rng: Rng) -> Samples:
    """Return several voices at once, float32 [count]: three to six of the `others`, equally loud, from a random position."""
    mixed = np.zeros(count, dtype=np.float32)
    for _ in range(rng.integers(3, 7)):
        voice = others[int(rng.integers(len(others)))]
        voice = voice / np.float32(max(rms(voice), 1e-9))
        mixed += np.roll(np.resize(voice, count), rng.integers(count))
    return mixed


def add_noise(samples: Samples, noise: Samples, snr_db: float) -> Samples:
    """Add noise so that the speech, where it is not silent, is `snr_db` above it."""
    level = rms(samples) / max(rms(noise), 1e-12) * 10 ** (-snr_db / 20)
    return (samples + np.float32(level) * noise).astype(np.float32)


def decaying_room(samples: Samples, rng: Rng, *, t60: float, wetness: float) -> Samples:
    """Add reverberation: noise that decays by 60 dB in `t60` s after the direct sound, with `wetness` times its energy.

    Polack's statistical model of a room response (1988). The output is as long as the input.
    """
    count = int(t60 * SAMPLE_RATE)
    tail = rng.standard_normal(count) * 10 ** (-3 * np.arange(count) / count)
    tail[: int(rng.uniform(0.001, 0.01) * SAMPLE_RATE)] = 0  # until the first reflection
    tail *= np.sqrt(wetness / np.sum(tail**2))
    tail[0] = 1.0
    return fftconvolve(samples, tail)[: len(samples)].astype(np.float32)


def filtered(samples: Samples, gains_db: Callable[[Hertz], npt.NDArray[np.float64]]) -> Samples:
    """Change the level of each frequency by `gains_db`, a function from frequencies in Hz to gains in dB."""
    count = len(samples)
    spectrum = np.fft.rfft(samples)
    gains = 10 ** (gains_db(np.asarray(np.fft.rfftfreq(count, 1 / SAMPLE_RATE), dtype=np.float64)) / 20)
    return np.asarray(np.fft.irfft(spectrum * gains, count), dtype=np.float32)


def another_microphone(samples: Samples, rng: Rng) -> Samples:
    """Apply a smooth random frequency response: up to ±8 dB at seven frequencies two thirds of an octave or more apart."""
    knots = np.log2(np.array([60, 150, 350, 800, 1800, 4000, 8000]))
    levels = rng.uniform(-8, 8, len(knots))
    return filtered(samples, lambda hertz: np.interp(np.log2(np.maximum(hertz, 1)), knots, levels))


def band_limited(samples: Samples, low: float, high: float) -> Samples:
    """Attenuate below `low` and above `high` Hz with slopes of 24 dB per octave, as a telephone or a cheap headset does."""

    def slopes(hertz: Hertz) -> npt.NDArray[np.float64]:
        hertz = np.maximum(hertz, 1.0)
        below, above = np.maximum(np.log2(low / hertz), 0), np.maximum(np.log2(hertz / high), 0)
        return np.asarray(-24 * (below + above), dtype=np.float64)

    return filtered(samples, slopes)


def clipped(samples: Samples, gain_db: float) -> Samples:
    """Raise the level by `gain_db` and clip at the previous peak."""
    peak = np.abs(samples).max()
    return np.asarray(np.clip(samples * 10 ** (gain_db / 20), -peak, peak), dtype=np.float32)


def coded(samples: Samples, format_: str, subtype: str | None, compression: float) -> Samples:
    """Encode with a lossy codec of libsndfile, `compression` 0 (best quality) to 1 (smallest file), and decode it."""
    peak = np.float32(max(np.abs(samples).max(), 1e-9))
    buffer = io.BytesIO()
    soundfile.write(
        buffer, 0.8 * samples / peak, SAMPLE_RATE, format=format_, subtype=subtype, compression_level=compression
    )
    buffer.seek(0)
    decoded = soundfile.read(buffer, dtype="float32")[0]
    decoded = np.pad(decoded, (0, max(len(samples) - len(decoded), 0)))[: len(samples)]
    return (decoded * peak / 0.8).astype(np.float32)


def mu_law(samples: Samples) -> Samples:
    """Quantize to eight bits per sample as on a telephone line (ITU-T G.711, μ = 255), and back."""
    peak = np.float32(max(np.abs(samples).max(), 1e-9))
    levels = librosa.mu_compress(np.clip(samples / peak, -1, 1), mu=255, quantize=True)
    return (librosa.mu_expand(levels.astype(np.float32), mu=255, quantize=True) * peak).astype(np.float32)


def another_voice(samples: Samples, rng: Rng, strength: SpeechTraining) -> Samples:
    """Shift pitch and formants by up to `pitch` semitones, and the speed by up to the share `speed`."""
    if rng.random() < 0.3:
        # At 15 % slower a rate of 0.85, at as much faster of 1.18: its reciprocal.
        rate = rng.uniform(1 - strength.speed, 1 + 1.2 * strength.speed)
        samples = librosa.effects.time_stretch(samples, rate=float(rate))
    factor = float(2 ** rng.uniform(-strength.pitch / 12, strength.pitch / 12))
    return np.asarray(soxr.resample(samples, SAMPLE_RATE, SAMPLE_RATE / factor, quality="MQ"), dtype=np.float32)


def placed(samples: Samples, rng: Rng) -> Samples:
    """Return one window, float32 [48,000]: a shorter sound at a random position in it, a longer one cut at random."""
    missing = WINDOW_SAMPLES - len(samples)
    if missing <= 0:
        start = rng.integers(-missing + 1)
        return samples[start : start + WINDOW_SAMPLES]
    before = rng.integers(missing + 1)
    return np.pad(samples, (before, missing - before))


CODECS: Final = (("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None))


def augment(samples: Samples, others: Sequence[Samples], rng: Rng, strength: SpeechTraining = DEFAULT_STRENGTH) -> Samples:
    """Return one randomly changed window of the samples, float32 [48,000]; `others` are recordings for babble noise.

    `strength` states by how much it may change.
    """
    if rng.random() < 0.7:
        samples = another_voice(samples, rng, strength)
    samples = placed(samples, rng)
    if rng.random() < 0.4:
        samples = another_microphone(samples, rng)
    if rng.random() < 0.35:
        samples = decaying_room(
            samples, rng, t60=rng.uniform(0.15, strength.reverberation), wetness=10 ** rng.uniform(-1.5, 0.5)
        )
    if rng.random() < strength.noisy:
        if rng.random() < 0.25:
            noise = babble(len(samples), others, rng)
        else:
            noise = colored_noise(len(samples), rng.choice([0.0, 0.5, 1.0, 1.5, 2.0]), rng)
        samples = add_noise(samples, noise, rng.uniform(strength.lowest_snr, strength.highest_snr))
    line = rng.random()
    if line < 0.15:
        samples = band_limited(samples, rng.uniform(50, 400), rng.uniform(2500, 7000))
    gain = rng.uniform(-strength.gain, strength.gain)  # dB; a lower level changes no feature, a higher one only by clipping
    samples = clipped(samples, gain) if gain > 0 and rng.random() < 0.5 else samples * np.float32(10 ** (gain / 20))
    if line < 0.05:
        return mu_law(samples)
    if line > 0.92:
        format_, subtype = CODECS[rng.integers(len(CODECS))]
        return coded(samples, format_, subtype, float(rng.uniform(0.3, 1.0)))
    return samples


def augmented_copies(
    corpus: SpeechCorpus, copies: int, seed: int, folder: Path, strength: SpeechTraining = DEFAULT_STRENGTH
) -> npt.NDArray[np.float16]:
    """Return the network features of `copies` of each recording, float16 [n, copies, 150, 64], cached in `folder`.

    The first copy is only placed in its window. Babble noise comes from voices of the same fold, so that no voice that a
    network is evaluated on occurs in its training data.
    """
    recordings = zip(corpus.clips, corpus.sounds, strict=True)
    content = [f"{clip.path.name} {clip.label} {crc32(samples.tobytes())}" for clip, samples in recordings]
    strengths = {name: getattr(strength, name) for name in STRENGTH_SETTINGS}
    stamp = crc32("\n".join([*content, repr(strengths)]).encode())
    path = folder / f"copies-{stamp:08x}-{copies}-{seed}.npy"
    if path.is_file():
        return np.asanyarray(np.load(path, mmap_mode="r"))
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    shape = (len(corpus), copies, WINDOW_FRAMES, MEL_BANDS)
    features: Any = np.lib.format.open_memmap(part, mode="w+", dtype=np.float16, shape=shape)
    voices = corpus.voices()
    for index, samples in enumerate(corpus.sounds):
        for copy in range(copies):
            rng = np.random.default_rng((seed, index, copy))
            changed = augment(samples, voices[index], rng, strength) if copy else placed(samples, rng)
            features[index, copy] = log_mel(changed)
        show_progress("augmented copies", index + 1, len(corpus))
    features.flush()
    part.replace(path)
    return np.asanyarray(np.load(path, mmap_mode="r"))
