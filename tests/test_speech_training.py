"""Training the speech models: corpora by their file names, augmentation, folds of speakers, every kind of model."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import cv2
import keras
import numpy as np
import pytest
import soundfile

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.audio import SAMPLE_RATE
from moodmirror.recognition.classic_speech import load_classic_model
from moodmirror.recognition.model_files import LiteRTModel, ModelError, verified_model_bytes
from moodmirror.recognition.speech import LABEL_TO_EMOTION, LABELS, SpeechEmotionRecognizer
from moodmirror.recognition.speech_features import WINDOW_SAMPLES, log_mel
from moodmirror.recognition.speech_model_file import StoredClassifier, load_speech_model
from moodmirror.training.corpora import CorpusError
from moodmirror.training.export import export_to_litert
from moodmirror.training.settings import SpeechTraining
from moodmirror.training.speech import SpeechRun, mean_logits, served_network
from moodmirror.training.speech_augmentation import (
    CODECS,
    add_noise,
    augment,
    augmented_copies,
    babble,
    band_limited,
    clipped,
    coded,
    colored_noise,
    decaying_room,
    mu_law,
    placed,
    rms,
)
from moodmirror.training.speech_batches import SpeechBatches
from moodmirror.training.speech_classic import build_classic, train_classic
from moodmirror.training.speech_conditions import CONDITIONS, ROOMS, room_response
from moodmirror.training.speech_corpora import find_clips, load_speech, require_trainable
from moodmirror.training.speech_evaluation import (
    best_temperature,
    training_recordings,
    unweighted_average_recall,
    windows_of,
)
from moodmirror.training.speech_model_export import write_classic_model
from moodmirror.training.speech_networks import build_network
from tests.conftest import ROOT

pytestmark = pytest.mark.training


def voice(label: int, speaker: int, take: int, seconds: float = 1.2) -> np.ndarray:
    """Return a sound whose pitch and rate of pauses stand for the label, with a small difference between speakers."""
    rng = np.random.default_rng((label, speaker, take))
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    hertz = 120 * 1.3**label * (1 + 0.02 * speaker)
    buzz = sum(np.sin(2 * np.pi * harmonic * hertz * times) / harmonic for harmonic in (1, 2, 3))
    pauses = np.clip(3 * np.sin(2 * np.pi * (2 + label / 2) * times + rng.uniform(0, 6)), 0, 1)
    return (rng.uniform(0.02, 0.2) * buzz * pauses + rng.normal(0, 1e-4, len(times))).astype(np.float32)


def write(path: Path, samples: np.ndarray, rate: int = SAMPLE_RATE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate)


def write_clip(path: Path, samples: np.ndarray) -> None:
    """Write an MP4 file with a gray picture and AAC sound, as RAVDESS' clips have."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=5)
        video.width = video.height = 64
        audio = container.add_stream("aac", rate=SAMPLE_RATE)
        audio.layout = "mono"
        for _ in range(round(5 * len(samples) / SAMPLE_RATE)):
            picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 128, np.uint8), format="rgb24")
            container.mux(video.encode(picture))
        sound = av.AudioFrame.from_ndarray(samples[np.newaxis], format="fltp", layout="mono")
        sound.sample_rate = SAMPLE_RATE
        container.mux(audio.encode(sound))
        for stream in (video, audio):
            container.mux(stream.encode(None))


def write_ravdess(folder: Path, speakers: int = 2, takes: int = 2) -> Path:
    for speaker in range(1, speakers + 1):
        for label in range(len(LABELS)):
            for take in range(1, takes + 1):
                name = f"03-01-{label + 1:02}-01-01-{take:02}-{speaker:02}.wav"
                write(folder / f"Actor_{speaker:02}" / name, voice(label, speaker, take))
    return folder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return load_speech([write_ravdess(tmp_path_factory.mktemp("ravdess"))])


class TestCorpora:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("Actor_12/03-01-06-02-01-02-12.wav", ("RAVDESS", "ravdess_12", "female", "fear")),
            ("03-01-02-01-01-01-01.flac", ("RAVDESS", "ravdess_01", "male", "calm")),
            ("OAF_back_ps.wav", ("TESS", "tess_OAF", "female", "surprise")),
            ("YAF_pleasant_surprised/YAF_dog_pleasant_surprise.wav", ("TESS", "tess_YAF", "female", "surprise")),
            ("OAF_Fear/OAF_back_fear.wav", ("TESS", "tess_OAF", "female", "fear")),
            ("OAF_back_bored.wav", None),
            ("OA_bite_neutral.wav", ("TESS", "tess_OAF", "female", "neutral")),
            ("YAF_home_angry.ogg", ("TESS", "tess_YAF", "female", "angry")),
            ("03a01Fa.wav", ("EMO-DB", "emodb_03", "male", "happy")),
            ("16b10Wb.wav", ("EMO-DB", "emodb_16", "female", "angry")),
            ("03a04Lc.wav", None),  # boredom
            ("03-02-06-02-01-02-12.wav", ("RAVDESS songs", "ravdess_12", "female", "fear")),
            ("Video_Speech_Actor_01/01-01-05-01-01-01-01.mp4", ("RAVDESS", "ravdess_01", "male", "angry")),
            ("Video_Speech_Actor_01/02-01-05-01-01-01-01.mp4", None),  # pictures without sound
            ("DC_a01.wav", ("SAVEE", "savee_DC", "male", "angry")),
            ("JE_sa03.wav", ("SAVEE", "savee_JE", "male", "sad")),
            ("AudioData/KL/su15.wav", ("SAVEE", "savee_KL", "male", "surprise")),
            ("1001_DFA_ANG_XX.wav", ("CREMA-D", "cremad_1001", "", "angry")),
            ("1040_ITH_SAD_X.wav", ("CREMA-D", "cremad_1040", "", "sad")),
            ("1091_WSI_NEU_XX.wav", ("CREMA-D", "cremad_1091", "", "neutral")),
            ("happy/me.wav", ("corpus", "corpus_own", "", "happy")),
            ("Happiness/tuesday/me.wav", ("corpus", "corpus_own", "", "happy")),
            ("calm/me.wav", ("corpus", "corpus_own", "", "calm")),
            ("kids-talking_happy.wav", ("corpus", "corpus_own", "", "happy")),
            ("me talking, sadness 02.wav", ("corpus", "corpus_own", "", "sad")),
            ("me-pleasant_surprise-3.wav", ("corpus", "corpus_own", "", "surprise")),
            ("F_01_OISHI_S_10_SAD_1.wav", ("corpus", "corpus_own", "", "sad")),
            ("happy_01.wav", ("corpus", "corpus_own", "", "happy")),
            ("angry/normal_01.wav", ("corpus", "corpus_own", "", "angry")),
            ("notes/me.wav", None),
            ("happy/._me.wav", None),
            ("__MACOSX/happy/me.wav", None),
            ("happy/.ipynb_checkpoints/me.wav", None),
        ],
    )
    def test_labels_come_from_file_names(self, tmp_path, name, expected):
        write(tmp_path / "corpus" / "neutral" / "other.wav", voice(0, 0, 0))
        (tmp_path / "corpus" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "corpus" / name).touch()
        found = [clip for clip in find_clips(tmp_path / "corpus")[0] if clip.path.name != "other.wav"]
        assert [(clip.corpus, clip.speaker, clip.sex, clip.label) for clip in found] == ([expected] if expected else [])

    def test_a_table_lists_recordings_with_labels_and_speakers(self, tmp_path):
        write(tmp_path / "a.wav", voice(0, 0, 0))
        write(tmp_path / "b.wav", voice(1, 1, 1), rate=48000)
        table = tmp_path / "own.csv"
        table.write_text("path,emotion,speaker\na.wav,happiness,ann\nb.wav,calm,bob\n")
        loaded = load_speech([table])
        assert [(clip.label, clip.speaker) for clip in loaded.clips] == [("happy", "own_ann"), ("calm", "own_bob")]
        assert len(loaded.sounds[0]) == 3 * len(loaded.sounds[1])

    def test_copies_and_silent_recordings_are_excluded(self, tmp_path):
        for name, samples in (("a", voice(0, 0, 0)), ("b", voice(0, 0, 0)), ("c", np.zeros(8000))):
            write(tmp_path / "sad" / f"{name}.wav", samples)
        loaded = load_speech([tmp_path])
        assert len(loaded) == 1
        assert loaded.notes == ["exact copies of other recordings excluded: 1", "silent recordings excluded: 1"]

    def test_no_speaker_is_in_two_folds(self, tmp_path):
        loaded = load_speech([write_ravdess(tmp_path, speakers=7, takes=1)])
        speakers = np.array([clip.speaker for clip in loaded.clips])
        folds = [set(speakers[loaded.folds == fold]) for fold in range(5)]
        assert sum(len(fold) for fold in folds) == 7
        assert set.union(*folds) == set(speakers)
        for index, voices in enumerate(loaded.voices()):
            fold = loaded.folds[index]
            assert len(voices) == (loaded.folds == fold).sum()
            assert {id(samples) for samples in voices} == {
                id(loaded.sounds[i]) for i in np.flatnonzero(loaded.folds == fold)
            }

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("path,emotion\nnone.wav,sad\n", ("there is no file")),
            ("path,emotion\na.wav,bored\n", "left out, recordings of other emotions: bored 1"),
            ("song,emotion\na.wav,sad\n", ("no column path")),
            ("path,emotion\n", "lists no recordings"),
        ],
    )
    def test_the_error_names_the_fault_of_a_table(self, tmp_path, content, message):
        write(tmp_path / "a.wav", voice(0, 0, 0))
        (tmp_path / "own.csv").write_text(content)
        with pytest.raises(CorpusError, match=message):
            load_speech([tmp_path / "own.csv"])

    def test_a_path_without_recordings_is_an_error(self, tmp_path):
        with pytest.raises(CorpusError, match="holds no recordings"):
            load_speech([tmp_path])
        with pytest.raises(CorpusError, match="neither a folder nor a CSV"):
            load_speech([tmp_path / "none"])

    def test_what_names_no_emotion_is_left_out_and_counted(self, tmp_path):
        for number, folder in enumerate(("happy", "happy", "sad", "excited", "excited", "contempt")):
            write(tmp_path / folder / f"{number}.wav", voice(number, 0, number))
        (tmp_path / "sad" / "empty.wav").touch()
        (tmp_path / "sad" / ".DS_Store").write_bytes(b"Bud1")
        loaded = load_speech([tmp_path])
        assert [clip.label for clip in loaded.clips] == ["happy", "happy", "sad"]
        assert "left out, recordings whose name and folder name no emotion: excited 2, contempt 1" in loaded.notes
        assert any("can't be read: empty.wav" in note for note in loaded.notes)

    def test_nothing_left_is_an_error_that_says_what_was_left_out(self, tmp_path):
        write(tmp_path / "excited" / "me.wav", voice(0, 0, 0))
        with pytest.raises(CorpusError, match=r"no recordings with an emotion; left out.*excited 1.*SAVEE"):
            load_speech([tmp_path])

    def test_the_sound_of_a_clip_is_read(self, tmp_path):
        path = tmp_path / "01-01-03-01-01-01-02.mp4"
        write_clip(path, voice(2, 0, 0, seconds=2.0))
        loaded = load_speech([tmp_path])
        assert [(clip.corpus, clip.label) for clip in loaded.clips] == [("RAVDESS", "happy")]
        assert len(loaded.sounds[0]) == pytest.approx(2 * SAMPLE_RATE, rel=0.1)  # AAC adds its delay
        spectrum = np.abs(np.fft.rfft(loaded.sounds[0]))
        loudest = spectrum.argmax() * SAMPLE_RATE / len(loaded.sounds[0])
        assert loudest == pytest.approx(120 * 1.3**2, rel=0.05)  # Hz, of the voice that was written

    def test_columns_of_a_table_may_have_other_names_and_order(self, tmp_path):
        write(tmp_path / "a.wav", voice(0, 0, 0))
        write(tmp_path / "b.wav", voice(1, 1, 1))
        (tmp_path / "own.csv").write_text("Emotions;File Path;Actor\nsurprised;a.wav;1\nfearful;b.wav;2\n")
        loaded = load_speech([tmp_path / "own.csv"])
        assert [(clip.label, clip.speaker) for clip in loaded.clips] == [("surprise", "own_1"), ("fear", "own_2")]

    def test_songs_of_a_speaker_are_in_the_fold_of_the_speech(self, tmp_path):
        write_ravdess(tmp_path, speakers=7, takes=1)
        for actor in (3, 7):  # the songs lack actors, so their own order would be another
            write(tmp_path / "songs" / f"03-02-03-01-01-01-{actor:02}.wav", voice(2, actor, 9))
        loaded = load_speech([tmp_path])
        folds = {(clip.speaker, fold) for clip, fold in zip(loaded.clips, loaded.folds.tolist(), strict=True)}
        assert len(folds) == 7
        tested = np.flatnonzero((loaded.corpora == "RAVDESS") & (loaded.folds == 2))
        trained_on = training_recordings(loaded, tested)
        assert {loaded.clips[index].speaker for index in tested} == {"ravdess_03"}
        assert "ravdess_03" not in {clip.speaker for clip, used in zip(loaded.clips, trained_on, strict=True) if used}

    def test_one_speaker_is_evaluated_on_held_out_recordings_with_a_notice(self, tmp_path):
        for label in (2, 3):
            for take in range(6):
                write(tmp_path / f"{LABELS[label]}_{take}.wav", voice(label, 0, take))
        loaded = load_speech([tmp_path])
        assert loaded.known_voice
        for fold in range(5):
            assert set(loaded.labels[loaded.folds == fold]) == {2, 3}
            tested = np.flatnonzero(loaded.folds == fold)
            assert training_recordings(loaded, tested).sum() == len(loaded) - len(tested)

    def test_two_corpora_of_one_speaker_each_are_two_folds(self, tmp_path):
        for name in ("ann", "bob"):
            for label in (2, 3):
                write(tmp_path / name / LABELS[label] / "a.wav", voice(label, len(name), label))
        (tmp_path / "bob" / LABELS[2] / "a.wav").unlink()
        write(tmp_path / "bob" / LABELS[2] / "b.wav", voice(2, 5, 5))
        loaded = load_speech([tmp_path / "ann", tmp_path / "bob"])
        assert not loaded.known_voice
        assert len(set(loaded.folds.tolist())) == 2

    def test_chosen_labels_are_loaded_and_the_others_counted(self, tmp_path):
        loaded = load_speech([write_ravdess(tmp_path, takes=1)], ("happy", "sad"))
        assert {clip.label for clip in loaded.clips} == {"happy", "sad"}
        assert any("--emotions does not name: neutral 2, calm 2" in note for note in loaded.notes)

    @pytest.mark.parametrize(
        ("labels", "message"),
        [({"sad": 4}, "of one class only, sad"), ({"sad": 4, "happy": 1}, "too few recordings of happy 1")],
    )
    def test_one_class_or_too_few_recordings_of_a_class_is_an_error(self, tmp_path, labels, message):
        for label, count in labels.items():
            for take in range(count):
                write(tmp_path / label / f"{take}.wav", voice(LABELS.index(label), 0, take))
        with pytest.raises(CorpusError, match=message):
            require_trainable(load_speech([tmp_path]))


class TestAugmentation:
    @pytest.mark.parametrize("seed", range(40))
    def test_every_copy_is_one_finite_window(self, seed, corpus):
        copy = augment(corpus.sounds[seed % len(corpus)], corpus.sounds, np.random.default_rng(seed))
        assert copy.shape == (WINDOW_SAMPLES,)
        assert copy.dtype == np.float32
        assert np.isfinite(copy).all()
        assert np.abs(copy).max() > 0
        again = augment(corpus.sounds[seed % len(corpus)], corpus.sounds, np.random.default_rng(seed))
        np.testing.assert_array_equal(copy, again)

    @pytest.mark.parametrize("snr", [5, 15, 25])
    def test_noise_has_the_requested_level(self, snr):
        samples = placed(voice(0, 0, 0), np.random.default_rng(0))
        noise = colored_noise(len(samples), 1.0, np.random.default_rng(1))
        added = add_noise(samples, noise, snr) - samples
        assert 20 * np.log10(rms(samples) / rms(added)) == pytest.approx(snr, abs=0.1)

    @pytest.mark.parametrize(("exponent", "octave"), [(0.0, 0.0), (1.0, -3.0), (2.0, -6.0)])
    def test_the_spectrum_of_noise_falls_by_its_exponent(self, exponent, octave):
        spectrum = np.abs(np.fft.rfft(colored_noise(160000, exponent, np.random.default_rng(2)))) ** 2
        low, high = (10 * np.log10(spectrum[start : start + 2000].mean()) for start in (9000, 19000))  # about 1 and 2 kHz
        assert high - low == pytest.approx(octave, abs=0.6)  # dB

    def test_babble_consists_of_the_given_voices(self):
        """The voices are tones: all power of the babble is at their frequencies, and at more than one of them."""
        hertz = np.array([300, 700, 1100, 1900])
        times = np.arange(WINDOW_SAMPLES) / SAMPLE_RATE
        tones = [np.sin(2 * np.pi * frequency * times).astype(np.float32) for frequency in hertz]
        mixed = babble(WINDOW_SAMPLES, tones, np.random.default_rng(0))
        assert mixed.shape == (WINDOW_SAMPLES,)
        power = np.abs(np.fft.rfft(mixed)) ** 2 / (np.abs(np.fft.rfft(mixed)) ** 2).sum()
        of_tones = power[hertz * WINDOW_SAMPLES // SAMPLE_RATE]
        assert of_tones.sum() == pytest.approx(1, abs=1e-3)
        assert (of_tones > 0.01).sum() >= 2

    def test_a_room_decays_at_its_reverberation_time(self):
        impulse = np.zeros(WINDOW_SAMPLES, np.float32)
        impulse[100] = 1.0
        response = decaying_room(impulse, np.random.default_rng(0), t60=0.5, wetness=1.0)
        energy = np.cumsum(response[::-1].astype(np.float64) ** 2)[::-1]
        decay = 10 * np.log10(np.maximum(energy, 1e-12) / energy[101])
        fell = np.flatnonzero(decay[101:] < -30)[0] / SAMPLE_RATE
        assert fell == pytest.approx(0.25, abs=0.03)  # 30 dB take half the time of 60 dB
        assert energy[101] == pytest.approx(1.0, rel=0.01)  # everything but the direct sound

    def test_a_band_limit_keeps_the_band_and_attenuates_the_rest(self):
        times = np.arange(WINDOW_SAMPLES) / SAMPLE_RATE
        low, middle, high = (np.sin(2 * np.pi * hertz * times).astype(np.float32) for hertz in (75, 1000, 6800))
        assert rms(band_limited(middle, 300, 3400)) == pytest.approx(rms(middle), rel=0.01)
        assert 20 * np.log10(rms(band_limited(low, 300, 3400)) / rms(low)) == pytest.approx(-48, abs=1)
        assert 20 * np.log10(rms(band_limited(high, 300, 3400)) / rms(high)) == pytest.approx(-24, abs=1)

    def test_clipping_keeps_the_peak(self):
        samples = voice(0, 0, 0)
        louder = clipped(samples, 12.0)
        assert np.abs(louder).max() == pytest.approx(np.abs(samples).max())
        assert rms(louder) > 1.5 * rms(samples)

    @pytest.mark.parametrize("codec", [*CODECS, None])
    def test_codecs_keep_length_energy_and_spectrum(self, codec):
        samples = placed(voice(3, 0, 0), np.random.default_rng(0))
        decoded = mu_law(samples) if codec is None else coded(samples, codec[0], codec[1], 0.5)
        assert decoded.shape == samples.shape
        assert np.linalg.norm(decoded) == pytest.approx(np.linalg.norm(samples), rel=0.3)
        assert np.abs(log_mel(decoded).argmax(axis=1)[40:60] - log_mel(samples).argmax(axis=1)[40:60]).max() <= 40

    def test_copies_are_cached(self, corpus, tmp_path):
        first = augmented_copies(corpus, 2, 3, tmp_path)
        assert first.shape == (len(corpus), 2, 150, 64)
        made = next(tmp_path.glob("copies-*.npy")).stat().st_mtime_ns
        np.testing.assert_array_equal(augmented_copies(corpus, 2, 3, tmp_path), first)
        assert next(tmp_path.glob("copies-*.npy")).stat().st_mtime_ns == made


class TestEvaluation:
    @pytest.mark.parametrize("number", range(len(ROOMS)))
    def test_a_room_response_has_its_reverberation_time_and_first_echo(self, number):
        (_, t60, source, microphone) = ROOMS[number]
        response = room_response(number)
        assert response[0] == 1.0  # the direct sound
        energy = np.cumsum(response[::-1].astype(np.float64) ** 2)[::-1]
        decay = 10 * np.log10(np.maximum(energy, 1e-12) / energy[0])
        fall = (np.flatnonzero(decay < -25)[0] - np.flatnonzero(decay < -5)[0]) / SAMPLE_RATE
        # A box with equal absorption on all walls rings longer than Eyring's formula predicts.
        assert t60 * 0.8 < 3 * fall < t60 * 2.2
        floor = 2 * np.hypot(np.hypot(*np.subtract(source, microphone)[:2]) / 2, (source[2] + microphone[2]) / 2)
        echo = (floor - np.linalg.norm(np.subtract(source, microphone))) / 343 * SAMPLE_RATE
        assert np.abs(response[round(echo) - 2 : round(echo) + 3]).max() > 0  # the reflection of the floor arrives on time

    def test_conditions_change_levels_as_their_names_state(self):
        samples = voice(2, 1, 1, seconds=2.0)
        noise = CONDITIONS["white noise at 15 dB"](samples, 0) - samples
        assert 10 * np.log10(np.mean(samples**2) / np.mean(noise**2)) == pytest.approx(15, abs=0.1)
        assert 20 * np.log10(rms(CONDITIONS["12 dB quieter"](samples, 0)) / rms(samples)) == pytest.approx(-12, abs=0.01)
        loud = CONDITIONS["12 dB louder, clipped"](samples, 0)
        assert np.abs(loud).max() == 1.0
        assert (np.abs(loud) == 1.0).mean() > 0.01
        assert len(CONDITIONS["in a room"](samples, 1)) == len(samples) + SAMPLE_RATE // 4

    def test_recall_weights_every_label_equally(self):
        labels = np.array([0] * 90 + [1] * 10)
        assert unweighted_average_recall(labels, np.zeros(100, int)) == 0.5

    def test_the_best_temperature_restores_scaled_logits(self):
        rng = np.random.default_rng(4)
        logits = rng.normal(0, 1, (4000, 8))
        odds = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        labels = np.array([rng.choice(8, p=row) for row in odds])
        windows = replace(windows_of([voice(0, 0, 0)]), recording=np.arange(4000), weight=np.ones(4000))
        assert best_temperature(3 * logits, windows, labels, np.ones(4000, bool)) == pytest.approx(3, rel=0.1)


def quick(**changes) -> SpeechTraining:
    return SpeechTraining(**{"epochs": 8, "batch_size": 16, "copies": 2, "unchanged": 0.5, **changes})


class TestBatches:
    def test_the_recordings_of_a_speaker_per_epoch_are_limited(self):
        copies = np.zeros((30, 1, 150, 64), np.float16)
        speakers = np.array(["much"] * 24 + ["little"] * 6)
        batches = SpeechBatches(copies, np.arange(30) % 8, speakers, quick(batch_size=64, most_of_a_speaker=8, mixup=0.2))
        features, targets, weights = batches[0]
        assert len(features) == len(targets) == len(weights) == 14
        np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-5)
        np.testing.assert_array_equal(batches[0][1], targets)  # the same epoch gives the same batch


def accuracy_of(recognizer: SpeechEmotionRecognizer, corpus) -> float:
    """Return the share of a corpus' recordings that are predicted correctly."""
    correct = [
        recognizer.predict((samples, SAMPLE_RATE)) == LABEL_TO_EMOTION[clip.label]
        for clip, samples in zip(corpus.clips, corpus.sounds, strict=True)
    ]
    return float(np.mean(correct))


# Keras on TensorFlow raises this warning itself when it saves a network.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
class TestModels:
    @pytest.mark.parametrize("kind", ["cnn", "rnn"])
    @pytest.mark.timeout(600)
    def test_an_exported_network_predicts_the_same(self, kind, corpus, tmp_path):
        run = SpeechRun(corpus, quick(model=kind, epochs=1), tmp_path / "run")
        run.folder.mkdir()
        members = run.networks("some", np.ones(len(corpus), dtype=bool), 1)
        assert all(np.isfinite(history["loss"]).all() for history in run.histories("some"))
        path = tmp_path / "run" / "some-0.keras"
        made = path.stat().st_mtime_ns
        run.networks("some", np.ones(len(corpus), dtype=bool), 1)
        assert path.stat().st_mtime_ns == made  # a finished network is not trained again
        if kind == "cnn":
            members.append(build_network(kind, np.full(64, -40.0), np.full(64, 200.0), dropout=0.1, name="another"))
        served_network(members, 1.5).save(tmp_path / "served.keras")
        export_to_litert(tmp_path / "served.keras", tmp_path / "served.tflite")
        windows = np.stack([log_mel(samples) for samples in corpus.sounds[:6]])
        reopened = np.asarray(keras.models.load_model(tmp_path / "served.keras", compile=False).predict(windows, verbose=0))
        logits = mean_logits(members, windows) / 1.5
        expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(reopened, expected, atol=1e-4)
        served = LiteRTModel((tmp_path / "served.tflite").read_bytes())
        np.testing.assert_allclose(served(windows), expected, atol=0.03)  # int8 weights
        vector = SpeechEmotionRecognizer(model=served).predict_proba((corpus.sounds[0], SAMPLE_RATE))
        assert vector.sum() == pytest.approx(1, abs=1e-5)

    @pytest.mark.parametrize("kind", ["mlp", "bagging"])
    def test_a_classic_model_is_trained_saved_and_loaded(self, kind, corpus, tmp_path, capsys):
        train_classic(corpus, kind, seed=1, models_dir=tmp_path)
        assert "\nUAR " in capsys.readouterr().out
        pickled = SpeechEmotionRecognizer(load_classic_model(kind, tmp_path))
        assert accuracy_of(pickled, corpus) > 0.9
        stored = load_speech_model(tmp_path / f"speech_emotion_{kind}.npz")
        for samples in corpus.sounds:
            expected = pickled.predict_proba((samples, SAMPLE_RATE))
            np.testing.assert_allclose(stored.predict_proba((samples, SAMPLE_RATE)), expected, atol=1e-4)
        some = load_speech_model(tmp_path / f"speech_emotion_{kind}.npz", emotions=["happy", "sad"])
        vector = some.predict_proba((corpus.sounds[0], SAMPLE_RATE))
        assert vector[[EMOTIONS.index("happy"), EMOTIONS.index("sad")]].sum() == pytest.approx(1)
        assert f"# Model card: the speech model `{kind}`" in (tmp_path / f"speech_emotion_{kind}.md").read_text()

    @pytest.mark.parametrize("kind", ["mlp", "bagging"])
    def test_a_model_of_two_labels_is_stored(self, kind, corpus, tmp_path):
        features = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
        names = np.where(features[:, 0] > 0, "happy", "sad")
        pipeline = build_classic(kind, 1).fit(features, names)
        write_classic_model(tmp_path / "two.npz", kind, pipeline)
        with np.load(tmp_path / "two.npz", allow_pickle=False) as arrays:
            stored = StoredClassifier(dict(arrays))
        assert stored.classes_ == ("happy", "sad")
        np.testing.assert_allclose(stored.predict_proba(features), pipeline.predict_proba(features), atol=1e-5)

    @pytest.mark.timeout(600)
    def test_a_cnn_over_classic_features_is_trained_and_exported(self, corpus, tmp_path):
        some = load_speech([clip.path.parent.parent for clip in corpus.clips[:1]], ("happy", "sad", "angry"))
        train_classic(some, "cnn1d", seed=1, models_dir=tmp_path, settings=SpeechTraining(quick=True))
        recognizer = load_speech_model(tmp_path / "speech_emotion_cnn1d.tflite")
        assert accuracy_of(recognizer, some) > 0.9
        vector = recognizer.predict_proba((some.sounds[0], SAMPLE_RATE))
        assert vector[[EMOTIONS.index(name) for name in ("disgust", "fear", "surprise", "neutral")]].max() < 1e-6
        card = (tmp_path / "speech_emotion_cnn1d.md").read_text()
        assert "three 1-D convolutions" in card
        assert "> **QUICK RUN" in card

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"\x80\x04.", "is no speech model of train.py: expected a .tflite or .npz file. Pickled models"),
            (b"PK\x03\x04 not an archive", "damaged"),
        ],
    )
    def test_another_file_is_refused(self, tmp_path, content, message):
        (tmp_path / "model").write_bytes(content)
        with pytest.raises(ModelError, match=message):
            load_speech_model(tmp_path / "model")
        with pytest.raises(ModelError, match="can't be read"):
            load_speech_model(tmp_path / "none")

    def test_pickled_objects_and_endless_trees_in_an_archive_are_refused(self, tmp_path):
        path = tmp_path / "model.npz"
        scales: dict[str, Any] = {"mean": np.zeros(2, np.float32), "scale": np.ones(2, np.float32)}
        np.savez(path, allow_pickle=True, kind=np.array("mlp"), classes=np.array(["happy", {}], dtype=object), **scales)
        with pytest.raises(ModelError, match="allow_pickle"):
            load_speech_model(path)
        tree = {"feature": [0], "threshold": [0.0], "left": [0], "right": [0], "roots": [0], "shares": [[1.0, 0.0]]}
        arrays: dict[str, Any] = {name: np.array(values) for name, values in tree.items()}
        np.savez(path, kind=np.array("bagging"), classes=np.array(["happy", "sad"]), **scales, **arrays)
        with pytest.raises(ModelError, match="trees are inconsistent"):
            load_speech_model(path)


def train(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "train.py", "speech", *arguments],
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )


class TestCommand:
    @pytest.mark.timeout(600)
    def test_a_run_writes_model_manifest_plots_and_card(self, tmp_path):
        data = write_ravdess(tmp_path / "corpus", takes=1)
        paths = ["--data", str(data), "--run-dir", str(tmp_path / "run"), "--models-dir", str(tmp_path / "models")]
        first = train(*paths, "--epochs", "1", "--copies", "2", "--batch-size", "8")
        assert first.returncode == 0, first.stderr
        assert "fold1, network 1 of 1" in first.stdout
        models = tmp_path / "models"
        assert {path.name for path in models.iterdir()} == {
            "speech_emotion.tflite",
            "speech_emotion.md",
            "speech_emotion.json",
            "speech_emotion_curves.png",
            "speech_emotion_confusion.png",
            "speech_emotion_reliability.png",
            "speech_emotion_robustness.png",
            "manifest.json",
        }
        assert verified_model_bytes("speech_emotion.tflite", "train", models)
        for picture in models.glob("*.png"):
            assert cv2.imread(str(picture)) is not None
        card = (models / "speech_emotion.md").read_text()
        assert "The misleading figure: **" in card
        assert all(f"| {name} |" in card for name in (*LABELS, *EMOTIONS, *CONDITIONS))
        written = json.loads((models / "speech_emotion.json").read_text())
        assert set(written["conditions"]) == set(CONDITIONS)
        shown = train(*paths[:2], *paths[4:], "--evaluate")
        assert shown.returncode == 0, shown.stderr
        assert "white noise at 15 dB: UAR 0." in shown.stdout

    @pytest.mark.timeout(600)
    def test_a_quick_run_of_one_voice_over_some_emotions_is_marked(self, tmp_path):
        data = tmp_path / "mine"
        for label in (2, 3, 4):
            for take in range(5):
                write(data / f"me-{LABELS[label]}_{take}.wav", voice(label, 0, take))
        arguments = ["--data", str(data), "--run-dir", str(tmp_path / "run"), "--emotions", "happiness,sadness"]
        done = train(*arguments, "--quick", "--epochs", "1", "--copies", "2", "--batch-size", "4", "--model", "rnn")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("QUICK RUN")
        assert "ONE SPEAKER ONLY" in done.stdout
        models = tmp_path / "run" / "models"
        card = (models / "speech_emotion_rnn.md").read_text()
        assert "> **QUICK RUN" in card
        assert "> **ONE SPEAKER ONLY" in card
        assert "trained on happy, sad only" in card
        assert json.loads((models / "speech_emotion_rnn.json").read_text())["labels"] == ["happy", "sad"]
        assert json.loads((models / "manifest.json").read_text())["speech_emotion_rnn.tflite"]["emotions"] == [
            "happy",
            "sad",
        ]
        vector = load_speech_model(models / "speech_emotion_rnn.tflite").predict_proba((voice(2, 0, 9), SAMPLE_RATE))
        assert vector[[EMOTIONS.index("happy"), EMOTIONS.index("sad")]].sum() == pytest.approx(1, abs=1e-5)
        shown = train("--data", str(data), "--models-dir", str(models), "--evaluate", "--model", "rnn")
        assert shown.returncode == 0, shown.stderr
        assert "speech_emotion_rnn.tflite" in shown.stdout

    def test_one_class_is_an_error_for_every_model(self, tmp_path):
        for take in range(3):
            write(tmp_path / "mine" / "happy" / f"{take}.wav", voice(2, 0, take))
        for kind in ("cnn", "mlp"):
            arguments = ("--data", str(tmp_path / "mine"), "--model", kind, "--run-dir", str(tmp_path / "run"))
            done = train(*arguments, "--models-dir", str(tmp_path / "models"))
            assert done.returncode == 1
            assert "of one class only, happy: a model needs at least two" in done.stderr
            assert "Traceback" not in done.stderr

    def test_explore_writes_plots(self, tmp_path):
        out = tmp_path / "plots"
        done = train("--data", str(write_ravdess(tmp_path / "corpus", takes=1)), "--explore", "--out", str(out))
        assert done.returncode == 0, done.stderr
        names = {"counts.png", "lengths.png", "waveforms.png", "spectrograms.png", "features.png"}
        names |= {"mfcc.png", "chroma.png"}
        assert {path.name for path in out.iterdir()} == names
        for name in names:
            assert cv2.imread(str(out / name)) is not None

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--data", "nowhere"], "nowhere is neither a folder nor a CSV file"),
            (["--data", "nowhere", "--resume", "--run-dir", "nowhere"], "holds no run to resume"),
        ],
    )
    def test_errors_state_what_to_do_next(self, arguments, message):
        done = train(*arguments)
        assert done.returncode == 1
        assert message in done.stderr
        assert "Traceback" not in done.stderr
