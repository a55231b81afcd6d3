"""Measure the cost of speech recognition: `make bench`, or `python -m benchmarks.speech`.

A window of 3 s of a synthetic voice, one thread, medians. Absolute figures depend on the machine; compare figures of one run
with each other.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is loaded

import io
import time

import numpy as np
import soundfile

from benchmarks.frame import cost, show
from moodmirror.recognition.audio import SAMPLE_RATE, read_sound, resample
from moodmirror.recognition.classic_speech import classic_features
from moodmirror.recognition.speech import SpeechEmotionRecognizer
from moodmirror.recognition.speech_features import WINDOW_SAMPLES, log_mel
from moodmirror.recognition.voice_activity import voice_activity


def main() -> None:
    """Print the results."""
    times = np.arange(WINDOW_SAMPLES) / SAMPLE_RATE
    buzz = sum(np.sin(2 * np.pi * 140 * harmonic * times) / harmonic for harmonic in range(1, 20))
    voice = (0.1 * buzz * np.clip(3 * np.sin(15 * times), 0, 1)).astype(np.float32)
    voice += np.random.default_rng(0).normal(0, 1e-3, WINDOW_SAMPLES).astype(np.float32)
    sent = io.BytesIO()
    soundfile.write(sent, resample(voice, SAMPLE_RATE), SAMPLE_RATE, format="OGG", subtype="OPUS")
    began = time.perf_counter()
    recognizer = SpeechEmotionRecognizer.load()
    recognizer.read_window(voice)
    first = time.perf_counter() - began
    print("A window of 3 s, one thread (milliseconds of CPU: median, mean)")
    show("features: log-mel spectrogram", *cost(lambda: log_mel(voice)))
    show("voice activity", *cost(lambda: voice_activity(voice)))
    show("read one window, features included", *cost(lambda: recognizer.read_window(voice)))
    show("classic features (mlp, bagging)", *cost(lambda: classic_features(voice)))
    show("decode 3 s of Opus", *cost(lambda: read_sound(sent.getvalue())))
    print(f"  {'seconds to load the model and read the first window':50}{first:8.2f}")


if __name__ == "__main__":
    main()
