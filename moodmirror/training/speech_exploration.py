"""Plot the properties of a speech corpus that a person checks before training on it."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import librosa
import numpy as np
from matplotlib.figure import Figure

from moodmirror.recognition.audio import SAMPLE_RATE, Samples
from moodmirror.recognition.classic_speech import MFCCS, pitch
from moodmirror.recognition.speech import LABELS
from moodmirror.recognition.speech_features import HOP_SAMPLES, MEL_BANDS, WINDOW_SAMPLES, WINDOW_SECONDS, log_mel
from moodmirror.training.progress import show_progress
from moodmirror.training.speech_corpora import SpeechCorpus, load_speech

FEATURE_RECORDINGS: Final = 40  # per emotion, drawn at random, to measure features of
SEED: Final = 7


def explore(data: list[Path], out: Path, *, emotions: Sequence[str] = ()) -> None:
    """Plot counts, lengths, waveforms, spectrograms, MFCC, chroma and features of the recordings under `data`.

    Writes PNG files to `out`. With `emotions`, only their recordings are plotted.
    Raises CorpusError for a corpus that can't be read.
    """
    corpus = load_speech(data, emotions)
    out.mkdir(parents=True, exist_ok=True)
    print(f"{corpus.describe()}; {'; '.join(corpus.notes)}", flush=True)
    for name, plot in (
        ("counts.png", plot_counts),
        ("lengths.png", plot_lengths),
        ("waveforms.png", plot_waveforms),
        ("spectrograms.png", plot_spectrograms),
        ("mfcc.png", plot_mfcc),
        ("chroma.png", plot_chroma),
        ("features.png", plot_features),
    ):
        plot(corpus, out / name)
        print(out / name, flush=True)


def plot_counts(corpus: SpeechCorpus, path: Path) -> None:
    """Plot the number of recordings of each emotion (by corpus), speaker and sex."""
    figure = Figure(figsize=(13, 5), layout="constrained")
    emotions, sexes, speakers = figure.subplots(1, 3, width_ratios=(3, 1, 4))
    base = np.zeros(len(LABELS))
    for name in dict.fromkeys(corpus.corpora.tolist()):
        counts = np.bincount(corpus.labels[corpus.corpora == name], minlength=len(LABELS))
        emotions.bar(LABELS, counts, bottom=base, label=name)
        base += counts
    emotions.tick_params(axis="x", rotation=45)
    emotions.legend()
    emotions.set(title="by emotion", ylabel="recordings")
    by_sex = Counter(clip.sex or "unknown" for clip in corpus.clips)
    sexes.bar(list(by_sex), list(by_sex.values()))
    sexes.set(title="by sex")
    by_speaker = Counter(clip.speaker for clip in corpus.clips)
    speakers.bar(list(by_speaker), list(by_speaker.values()))
    speakers.tick_params(axis="x", rotation=90, labelsize=7)
    speakers.set(title="by speaker")
    figure.savefig(path, dpi=100)


def plot_lengths(corpus: SpeechCorpus, path: Path) -> None:
    """Plot the lengths of the recordings of each emotion, beside the length of the network's window."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    seconds = np.array([len(samples) / SAMPLE_RATE for samples in corpus.sounds])
    present = [number for number in range(len(LABELS)) if (corpus.labels == number).any()]
    axes.boxplot(
        [seconds[corpus.labels == number] for number in present], tick_labels=[LABELS[number] for number in present]
    )
    axes.axhline(WINDOW_SECONDS, color="gray", linestyle="--")
    axes.set(ylabel="length, s", title="length by emotion; dashed: one window")
    figure.savefig(path, dpi=100)


def plot_waveforms(corpus: SpeechCorpus, path: Path) -> None:
    """Plot the waveform of the first recording of each emotion."""
    figure = Figure(figsize=(12, 6), layout="constrained")
    for axes, (label, samples) in zip(figure.subplots(2, 4).flat, _examples(corpus), strict=False):
        axes.plot(np.arange(len(samples)) / SAMPLE_RATE, samples, linewidth=0.4)
        axes.set(title=label, xlabel="s")
    figure.savefig(path, dpi=100)


def plot_spectrograms(corpus: SpeechCorpus, path: Path) -> None:
    """Plot the mel spectrogram of the first recording of each emotion, as the networks receive it."""
    figure = Figure(figsize=(12, 6), layout="constrained")
    for axes, (label, samples) in zip(figure.subplots(2, 4).flat, _examples(corpus), strict=False):
        axes.imshow(
            log_mel(samples[:WINDOW_SAMPLES]).T, origin="lower", aspect="auto", extent=(0, WINDOW_SECONDS, 0, MEL_BANDS)
        )
        axes.set(title=label, xlabel="s", ylabel="mel band")
    figure.savefig(path, dpi=100)


def plot_mfcc(corpus: SpeechCorpus, path: Path) -> None:
    """Plot the mel-frequency cepstral coefficients of the first recording of each emotion, without the first: the level."""
    _plot_frames(corpus, path, lambda samples: librosa.feature.mfcc(y=samples, sr=SAMPLE_RATE, n_mfcc=MFCCS)[1:], "MFCC")


def plot_chroma(corpus: SpeechCorpus, path: Path) -> None:
    """Plot the chroma of the first recording of each emotion: the share of each of the twelve pitch classes, from C."""
    _plot_frames(corpus, path, lambda samples: librosa.feature.chroma_stft(y=samples, sr=SAMPLE_RATE, tuning=0.0), "chroma")


def _plot_frames(corpus: SpeechCorpus, path: Path, features: Callable[[Samples], np.ndarray], name: str) -> None:
    """Plot features, [rows, frames], over the time of the first recording of each emotion."""
    figure = Figure(figsize=(12, 6), layout="constrained")
    for axes, (label, samples) in zip(figure.subplots(2, 4).flat, _examples(corpus), strict=False):
        rows = features(samples)
        axes.imshow(rows, origin="lower", aspect="auto", extent=(0, len(samples) / SAMPLE_RATE, 0, len(rows)))
        axes.set(title=label, xlabel="s", ylabel=name)
    figure.savefig(path, dpi=100)


def plot_features(corpus: SpeechCorpus, path: Path) -> None:
    """Plot the distributions of level, pitch, zero-crossing rate and spectral centroid over the recordings per emotion."""
    rng = np.random.default_rng(SEED)
    present = [number for number in range(len(LABELS)) if (corpus.labels == number).any()]
    measured: dict[str, list[list[float]]] = {name: [] for name in ("level, dB", "pitch, Hz", "crossings", "centroid, Hz")}
    for done, number in enumerate(present):
        candidates = rng.permutation(np.flatnonzero(corpus.labels == number))[:FEATURE_RECORDINGS]
        rows = [_measure(corpus.sounds[index]) for index in candidates]
        for values, column in zip(measured.values(), zip(*rows, strict=True), strict=True):
            values.append(list(column))
        show_progress("features by emotion", done + 1, len(present))
    figure = Figure(figsize=(12, 8), layout="constrained")
    for axes, (name, values) in zip(figure.subplots(2, 2).flat, measured.items(), strict=True):
        axes.boxplot(values, tick_labels=[LABELS[number] for number in present])
        axes.set(title=name)
        axes.tick_params(axis="x", rotation=45)
    figure.savefig(path, dpi=100)


def _measure(samples: np.ndarray) -> tuple[float, float, float, float]:
    """Return the level in dBFS, median pitch of the louder half in Hz, crossings per sample, spectral centroid in Hz."""
    rms = librosa.feature.rms(y=samples, hop_length=HOP_SAMPLES)[0]
    hertz = pitch(samples)[: len(rms)]
    return (
        float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-12)),
        float(np.median(hertz[rms[: len(hertz)] >= np.median(rms)])),
        float(librosa.feature.zero_crossing_rate(samples).mean()),
        float(librosa.feature.spectral_centroid(y=samples, sr=SAMPLE_RATE).mean()),
    )


def _examples(corpus: SpeechCorpus) -> list[tuple[str, np.ndarray]]:
    """Return a recording of each emotion that occurs."""
    first = {clip.label: samples for clip, samples in zip(reversed(corpus.clips), reversed(corpus.sounds), strict=True)}
    return [(label, first[label]) for label in LABELS if label in first]
