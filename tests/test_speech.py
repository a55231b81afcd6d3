"""Sound decoding, features of signals with known results, and the served speech model."""

import io
import json
import math
import os
import struct
import subprocess
import sys
import wave

import joblib
import librosa
import numpy as np
import pytest
import soundfile

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition import audio_decoder
from moodmirror.recognition.audio import MAX_SECONDS, SAMPLE_RATE, SoundError, read_sound, resample
from moodmirror.recognition.classic_speech import classic_features, load_classic_model, pitch
from moodmirror.recognition.model_files import ModelError, record_in_manifest
from moodmirror.recognition.speech import LABELS, SpeechEmotionRecognizer
from moodmirror.recognition.speech_features import MEL_BANDS, WINDOW_FRAMES, log_mel, split_windows, subtract_noise
from moodmirror.recognition.voice_activity import snr_weight, voice_activity
from tests.clips import recording
from tests.conftest import ROOT

pytestmark = pytest.mark.unit


def tone(hertz: float = 220.0, seconds: float = 3.0, rate: int = SAMPLE_RATE, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def speech_like(seconds: float = 3.0, seed: int = 0, hertz: float = 140.0) -> np.ndarray:
    """A buzz with harmonics and a gliding pitch, in syllables of 0.2 s with pauses, and a little noise."""
    count = round(seconds * SAMPLE_RATE)
    times = np.arange(count) / SAMPLE_RATE
    phase = 2 * np.pi * np.cumsum(hertz * (1 + 0.1 * np.sin(2 * np.pi * 0.7 * times))) / SAMPLE_RATE
    buzz = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 20))
    syllables = np.clip(np.sin(2 * np.pi * 2.5 * times) * 3, 0, 1)
    noise = np.random.default_rng(seed).normal(0, 0.002, count)
    return (0.2 * buzz * syllables + noise).astype(np.float32)


def encode_sound(
    samples: np.ndarray, rate: int = SAMPLE_RATE, file_format: str = "WAV", subtype: str | None = "FLOAT"
) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=file_format, subtype=subtype)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def recognizer() -> SpeechEmotionRecognizer:
    return SpeechEmotionRecognizer.load()


class TestSound:
    @pytest.mark.parametrize(
        ("file_format", "subtype", "rate"),
        [
            (file_format, subtype, rate)
            for file_format, subtype in [
                ("WAV", "PCM_16"),
                ("FLAC", "PCM_16"),
                ("OGG", "VORBIS"),
                ("OGG", "OPUS"),
                ("MP3", None),
            ]
            for rate in (8000, 16000, 22050, 44100, 48000)
            if subtype != "OPUS" or 48000 % rate == 0  # Opus has no other rates
        ],
    )
    def test_every_format_at_every_rate(self, file_format, subtype, rate):
        samples = read_sound(encode_sound(tone(seconds=1.0, rate=rate), rate, file_format, subtype))
        assert samples.dtype == np.float32
        assert abs(len(samples) - SAMPLE_RATE) < 0.1 * SAMPLE_RATE  # codecs pad
        middle = samples[4000:12000] * np.hanning(8000)
        assert abs(np.abs(np.fft.rfft(middle)).argmax() * 2 - 220) <= 2  # Hz

    def test_a_path_bytes_a_file_and_samples_give_the_same_sound(self, tmp_path):
        stereo = np.stack([tone(220, rate=44100), tone(330, rate=44100)], axis=1)
        content = encode_sound(stereo, 44100)
        path = tmp_path / "stereo.wav"
        path.write_bytes(content)
        from_path = read_sound(path)
        np.testing.assert_array_equal(read_sound(content), from_path)
        np.testing.assert_array_equal(read_sound(io.BytesIO(content)), from_path)
        np.testing.assert_allclose(resample(stereo.mean(axis=1), 44100), from_path, atol=1e-4)

    def test_the_blocks_of_a_long_sound_join_without_seams(self):
        samples = read_sound(encode_sound(tone(seconds=40, rate=48000), 48000))
        assert len(samples) == 40 * SAMPLE_RATE
        np.testing.assert_allclose(samples[1000:-1000], tone(seconds=40)[1000:-1000], atol=1e-3)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "no bytes"),
            (b"\x00\x00\x00\x20ftypisom" + bytes(200), "no sound"),
            (b"\x1a\x45\xdf\xa3" + bytes(200), "no sound"),
            (b"RIFF\x00\x10\x00\x00AVI LIST" + bytes(200), "no sound"),
            (b"hello, I am a text" * 20, "no sound"),
            (encode_sound(np.zeros(0, np.float32)), "no samples"),
            (encode_sound(np.array([0.1, np.nan] * 8000, np.float32)), "not finite"),
            (encode_sound(np.array([0.1, np.inf] * 8000, np.float32)), "not finite"),
            (encode_sound(np.array([0.1, 1e300] * 8000), subtype="DOUBLE"), "not finite"),
            (encode_sound(tone(), rate=1), "1 Hz"),
            (encode_sound(np.zeros((1600, 64), np.float32)), "channels"),
        ],
        ids=["empty", "mp4", "webm", "avi", "text", "no-samples", "nan", "inf", "beyond-float32", "1-hz", "channels"],
    )
    def test_invalid_content_raises_a_sound_error(self, content, message):
        with pytest.raises(SoundError, match=message):
            read_sound(content)

    @pytest.mark.parametrize("stated", [0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFDB, 0xFFFFFFFF])
    def test_a_wav_whose_header_has_a_placeholder_as_its_size_is_read_to_its_end(self, stated):
        content = bytearray(encode_sound(tone(), subtype="PCM_16"))
        expected = read_sound(bytes(content))
        struct.pack_into("<I", content, 4, stated)
        struct.pack_into("<I", content, content.index(b"data") + 4, stated)
        np.testing.assert_array_equal(read_sound(bytes(content)), expected)

    @pytest.mark.skipif(os.name == "nt", reason="the most memory that a process has taken is read as POSIX systems tell it")
    @pytest.mark.parametrize("place", ["before", "after"])
    def test_a_wav_with_a_chunk_longer_than_the_file_takes_no_memory_for_it(self, place):
        content = encode_sound(tone(), subtype="PCM_16")
        start = content.index(b"data")
        chunk = b"LIST" + struct.pack("<I", 0x7FFFFFD1) + b"INFOISFT" + struct.pack("<I", 0x7FFFFF00) + b"Lavf"
        impossible = content[:start] + chunk + content[start:] if place == "before" else content + chunk
        program = f"""
import resource, sys
from moodmirror.recognition.audio import SoundError, read_sound
read_sound({encode_sound(tone(seconds=0.1), subtype="PCM_16")!r})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    print(len(read_sound(sys.stdin.buffer.read())))
except SoundError:
    print("refused")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
        result = subprocess.run([sys.executable, "-c", program], input=impossible, capture_output=True, cwd=ROOT, check=True)
        outcome, kilobytes = result.stdout.split()
        assert outcome.decode() == ("refused" if place == "before" else str(len(read_sound(content))))
        assert int(kilobytes) < 50_000

    def test_whole_numbers_of_64_bits_are_read(self):
        content = recording(tone(), "wav", "pcm_s64le")
        np.testing.assert_allclose(read_sound(content), read_sound(encode_sound(tone())), atol=1e-4)

    def test_the_part_of_an_incomplete_wav_that_is_there_is_read(self):
        content = encode_sound(tone(), subtype="PCM_16")
        expected = read_sound(content)
        np.testing.assert_array_equal(read_sound(content[: 44 + 20_000]), expected[:10_000])

    def test_ten_hours_are_refused_by_their_header_before_decoding(self, tmp_path, monkeypatch):
        path = tmp_path / "hours.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 1, 8000, 0, "NONE", ""))
            file.writeframes(bytes(0))
        frames = 10 * 3600 * 8000
        content = bytearray(path.read_bytes())
        struct.pack_into("<I", content, 4, frames + 36)
        struct.pack_into("<I", content, 40, frames)
        with path.open("wb") as file:
            file.write(content)
            file.truncate(len(content) + frames)  # a sparse file: its hours take no disk space
        monkeypatch.setattr(audio_decoder, "decode_packet", lambda _: pytest.fail("decoded"))
        with pytest.raises(SoundError, match="at most 10 minutes, this one lasts 600"):
            read_sound(path)

    def test_a_missing_file_raises_a_sound_error(self, tmp_path):
        with pytest.raises(SoundError, match="no file"):
            read_sound(tmp_path / "none.wav")

    @pytest.mark.parametrize(
        ("samples", "rate", "message"),
        [
            (np.zeros(0, np.float32), 16000, "no samples"),
            (np.array([np.nan]), 16000, "not finite"),
            (tone(), 1, "1 Hz"),
            (tone(), float("nan"), "nan Hz"),
            (tone(), 0, "0 Hz"),
            (np.zeros((10, 2), np.float32), 16000, "mono"),
            ("not a sound", 16000, "numbers"),
            (np.zeros(int(MAX_SECONDS * 4000) + 1, np.float32), 4000, "10 minutes"),
        ],
    )
    def test_invalid_samples_raise_a_sound_error(self, samples, rate, message):
        with pytest.raises(SoundError, match=message):
            resample(samples, rate)


@pytest.mark.training  # librosa compiles for half a minute
class TestFeatures:
    def test_log_mel_equals_that_of_librosa(self):
        samples = speech_like()
        mel = librosa.feature.melspectrogram(
            y=samples, sr=SAMPLE_RATE, n_fft=1024, hop_length=320, n_mels=MEL_BANDS, fmin=50, fmax=7600, pad_mode="constant"
        )
        np.testing.assert_allclose(
            log_mel(samples), librosa.power_to_db(mel, ref=np.max, top_db=70).T[:WINDOW_FRAMES], atol=0.01
        )

    def test_log_mel_of_a_tone_is_loudest_in_its_band(self):
        features = log_mel(tone(1000.0))
        assert features.shape == (WINDOW_FRAMES, MEL_BANDS)
        assert features.dtype == np.float32
        centers = librosa.mel_frequencies(n_mels=MEL_BANDS + 2, fmin=50, fmax=7600)[1:-1]
        assert abs(centers[features[75].argmax()] - 1000) < 60  # Hz: half a band
        assert features.max() == 0.0

    def test_log_mel_of_silence_and_of_an_impulse(self):
        assert (log_mel(np.zeros(48000, np.float32)) == -70).all()
        impulse = np.zeros(48000, np.float32)
        impulse[24000] = 1.0  # 1.5 s
        features = log_mel(impulse)
        sounding = np.flatnonzero((features > -70).any(axis=1))
        assert set(sounding) <= set(range(73, 78))  # frames of 64 ms about frame 75
        assert features[75].std() < 10  # dB: an impulse has every frequency

    def test_log_mel_of_a_chirp_rises(self):
        chirp = librosa.chirp(fmin=200, fmax=6000, sr=SAMPLE_RATE, duration=3.0, linear=False).astype(np.float32)
        loudest = log_mel(chirp).argmax(axis=1)[5:-5]
        assert (np.diff(loudest) >= 0).all()
        assert loudest[-1] - loudest[0] > 40

    def test_constant_noise_is_subtracted(self):
        clean = speech_like()
        noise = np.random.default_rng(8).normal(0, 0.02, len(clean)).astype(np.float32)
        plain, cleaned = log_mel(clean + noise), subtract_noise(log_mel(clean + noise))
        assert cleaned.max() == 0.0
        assert cleaned.min() >= -70
        quiet = log_mel(clean).max(axis=1) < -40
        assert (plain[quiet] - cleaned[quiet]).mean() > 5  # dB
        np.testing.assert_allclose(cleaned[~quiet].max(axis=1), plain[~quiet].max(axis=1), atol=2)
        np.testing.assert_array_equal(subtract_noise(log_mel(np.zeros(48000, np.float32))), -70)

    def test_a_short_sound_is_centered_in_silence(self):
        features = log_mel(tone(seconds=1.0))
        assert (features[:45] == -70).all()
        assert (features[105:] == -70).all()
        assert features[75].max() > -1

    @pytest.mark.parametrize("hertz", [80.0, 110.0, 220.0, 440.0])
    def test_pitch_of_a_tone_is_its_frequency(self, hertz):
        found = pitch(tone(hertz))[5:-5]
        assert np.abs(found - hertz).max() < 2  # Hz

    def test_classic_features_of_known_signals(self):
        steady, silent = classic_features(tone(220.0)), classic_features(np.zeros(48000, np.float32))
        assert steady.shape == silent.shape
        assert np.isfinite(steady).all()
        assert np.isfinite(silent).all()
        # The zero-crossing rate of 220 Hz is 440 crossings in 16,000 samples, up to the edges of the first and last frame.
        crossings = 2 * 20 + 12 + 32
        assert steady[crossings] == pytest.approx(440 / SAMPLE_RATE, rel=0.05)
        octaves = 2 * (2 * 20 + 12 + 32 + 1 + 1 + 7)
        assert steady[octaves] == pytest.approx(math.log2(2.2), abs=0.02)
        chroma = steady[40:52]
        assert chroma.argmax() == 9  # A, counted from C
        noisy = classic_features(np.random.default_rng(1).normal(0, 0.1, 48000).astype(np.float32))
        assert noisy[crossings] == pytest.approx(0.5, abs=0.03)  # every other sample of white noise changes its sign

    def test_features_of_a_few_samples_are_finite(self):
        assert np.isfinite(classic_features(tone(seconds=0.01))).all()
        assert np.isfinite(log_mel(tone(seconds=0.0005))).all()

    @pytest.mark.parametrize("gain_db", [-12.0, 12.0, 40.0, -40.0])
    @pytest.mark.parametrize("features", [log_mel, classic_features])
    def test_features_do_not_depend_on_loudness(self, features, gain_db):
        samples = speech_like()
        louder = samples * np.float32(10 ** (gain_db / 20))
        np.testing.assert_allclose(features(louder), features(samples), atol=2e-3)


class TestVoiceActivity:
    def test_speech_is_detected_and_its_noise_measured(self):
        clean = speech_like()
        noise = np.random.default_rng(3).normal(0, 1, len(clean)).astype(np.float32)
        noise *= np.float32(np.sqrt(np.mean(clean**2)))
        ratios = []
        for snr in (30, 20, 10):
            voice = voice_activity(clean + noise * np.float32(10 ** (-snr / 20)))
            assert voice is not None
            ratios.append(voice.snr_db)
        assert ratios[0] > ratios[1] > ratios[2]

    @pytest.mark.parametrize("level", [0.5, 0.003])
    def test_noise_tones_and_silence_are_no_speech(self, level):
        rng = np.random.default_rng(5)
        white = rng.normal(0, level, 48000).astype(np.float32)
        brown = np.cumsum(rng.normal(0, 1, 48000))
        brown = (level * (brown - brown.mean()) / np.abs(brown).max()).astype(np.float32)
        for sound in (white, brown, tone(level=level), np.zeros(48000, np.float32), tone(seconds=0.02)):
            assert voice_activity(sound) is None

    def test_weight_decreases_with_noise(self):
        weights = [snr_weight(snr) for snr in (60, 30, 20, 10, 0, -20)]
        assert weights == sorted(weights, reverse=True)
        assert snr_weight(10) == pytest.approx(0.5)
        assert all(0 < weight <= 1 for weight in weights)


class TestWindows:
    @pytest.mark.parametrize(
        ("seconds", "ends"),
        [(1.0, [1.0]), (3.0, [3.0]), (3.1, [3.1]), (3.6, [3.0, 3.6]), (5.0, [3.0, 4.0, 5.0]), (5.5, [3.0, 4.0, 5.0, 5.5])],
    )
    def test_windows_of_three_seconds_every_second(self, seconds, ends):
        samples = tone(seconds=seconds)
        found = list(split_windows(samples))
        assert [end for end, _ in found] == pytest.approx(ends)
        assert all(len(part) == min(len(samples), 48000) for _, part in found)


class TestServedModel:
    def test_a_path_and_samples_give_the_same_mood_vector(self, recognizer, tmp_path):
        samples = speech_like(4.0)
        path = tmp_path / "voice.wav"
        path.write_bytes(encode_sound(samples))
        vector = recognizer.predict_proba(path)
        assert vector.shape == (7,)
        assert vector.dtype == np.float32
        assert vector.sum() == pytest.approx(1, abs=1e-5)
        assert (vector >= 0).all()
        np.testing.assert_array_equal(recognizer.predict_proba((samples, SAMPLE_RATE)), vector)
        assert recognizer.predict(path) == EMOTIONS[vector.argmax()]
        assert recognizer.classes_ == EMOTIONS

    def test_a_list_of_sounds_has_the_predictions_of_each_and_says_how_far_it_is(self, recognizer, tmp_path, capsys):
        path = tmp_path / "note.wav"
        soundfile.write(path, tone(), SAMPLE_RATE)
        sounds = [path, (tone() * 0.5, SAMPLE_RATE), str(path)]
        vectors = recognizer.predict_proba(sounds)
        assert vectors.shape == (3, 7)
        for vector, sound in zip(vectors, sounds, strict=True):
            np.testing.assert_array_equal(vector, recognizer.predict_proba(sound))
        assert recognizer.predict(sounds) == [recognizer.predict(sound) for sound in sounds]
        assert recognizer.predict_proba([]).shape == (0, 7)
        assert capsys.readouterr().err == ""
        SpeechEmotionRecognizer.load(verbose=1).predict(sounds)
        assert f"Reading 1 of 3: {path}" in capsys.readouterr().err

    def test_probabilities_have_the_names_of_their_emotions(self, recognizer):
        sound = (tone(), SAMPLE_RATE)
        by_name = recognizer.predict_proba_by_name(sound)
        assert list(by_name.values()) == pytest.approx(recognizer.predict_proba(sound))
        assert max(by_name, key=by_name.__getitem__) == recognizer.predict(sound)
        assert recognizer.predict_proba_by_name([sound]) == [by_name]

    def test_a_live_window_and_a_python_call_give_the_same_vector(self, recognizer):
        samples = speech_like(3.0)
        reading = recognizer.read_window(samples)
        assert reading is not None
        np.testing.assert_allclose(reading.vector, recognizer.predict_proba((samples, SAMPLE_RATE)), atol=1e-6)
        assert reading.label == recognizer.predict((samples, SAMPLE_RATE))
        assert 0 < reading.weight <= 1

    @pytest.mark.parametrize("gain_db", [-12, 12])
    def test_gain_does_not_change_the_prediction(self, recognizer, gain_db):
        samples = speech_like(4.0)
        louder = samples * np.float32(10 ** (gain_db / 20))
        np.testing.assert_allclose(
            recognizer.predict_proba((louder, SAMPLE_RATE)), recognizer.predict_proba((samples, SAMPLE_RATE)), atol=1e-3
        )

    def test_readings_by_window_of_a_voice_note(self, recognizer):
        samples = np.concatenate([speech_like(4.0), np.zeros(4 * SAMPLE_RATE, np.float32)])
        readings = recognizer.read_windows(samples)
        assert [time for time, _ in readings] == pytest.approx([3, 4, 5, 6, 7, 8])
        assert readings[0][1] is not None
        assert readings[-1][1] is None  # the last three seconds are silent

    def test_silence_after_speech_does_not_change_the_emotion(self, recognizer):
        samples = speech_like(3.0)
        longer = np.concatenate([samples, np.zeros(6 * SAMPLE_RATE, np.float32)])
        alone, within = (recognizer.predict_proba((sound, SAMPLE_RATE)) for sound in (samples, longer))
        assert alone.argmax() == within.argmax()

    def test_silence_raises_a_sound_error(self, recognizer):
        with pytest.raises(SoundError, match="silent"):
            recognizer.predict_proba((np.zeros(48000, np.float32), SAMPLE_RATE))

    def test_another_type_raises_a_sound_error(self, recognizer):
        with pytest.raises(SoundError, match="path, or a pair"):
            recognizer.predict_proba(np.zeros(48000, np.float32))

    def test_a_subset_of_emotions(self):
        some = SpeechEmotionRecognizer.load(emotions=["happy", "sad", "calm"])
        vector = some.predict_proba((speech_like(), SAMPLE_RATE))
        assert vector.sum() == pytest.approx(1, abs=1e-5)
        assert {EMOTIONS[index] for index in np.flatnonzero(vector)} <= {"happy", "sad", "neutral"}


class ConstantModel:
    """A fitted model with a constant prediction."""

    def __init__(self, answer, classes=None):
        self.answer = answer
        if classes is not None:
            self.classes_ = np.array(classes)

    def predict_proba(self, features):
        assert features.ndim == 2
        return np.tile(self.answer, (len(features), 1))


@pytest.mark.training  # classic features use librosa
class TestWrappedModel:
    def test_calm_counts_as_neutral(self):
        answer = np.eye(len(LABELS))[LABELS.index("calm")] * 0.6 + np.eye(len(LABELS))[LABELS.index("happy")] * 0.4
        vector = SpeechEmotionRecognizer(model=ConstantModel(answer)).predict_proba((tone(), SAMPLE_RATE))
        assert vector[EMOTIONS.index("neutral")] == pytest.approx(0.6)
        assert vector[EMOTIONS.index("happy")] == pytest.approx(0.4)

    @pytest.mark.parametrize("classes", [None, ["sad", "angry"]])
    def test_a_model_over_some_emotions(self, classes):
        recognizer = SpeechEmotionRecognizer(model=ConstantModel([0.25, 0.75], classes), emotions=["sad", "angry"])
        vector = recognizer.predict_proba((tone(), SAMPLE_RATE))
        assert vector[EMOTIONS.index("angry")] == pytest.approx(0.75)
        assert vector[EMOTIONS.index("sad")] == pytest.approx(0.25)
        assert recognizer.predict((tone(), SAMPLE_RATE)) == "angry"

    def test_some_emotions_of_a_model_over_all(self):
        answer = np.full(7, 1 / 7)
        vector = SpeechEmotionRecognizer(model=ConstantModel(answer, EMOTIONS), emotions=["happy", "sad"]).predict_proba(
            (tone(), SAMPLE_RATE)
        )
        np.testing.assert_allclose(vector, [0.5 if emotion in ("happy", "sad") else 0 for emotion in EMOTIONS])

    @pytest.mark.parametrize("emotions", [[], ["contempt"], ["happy", "bored"]])
    def test_unknown_emotions_raise_an_error(self, emotions):
        with pytest.raises(ValueError, match="emotions must be some of"):
            SpeechEmotionRecognizer(model=ConstantModel([1.0]), emotions=emotions)

    def test_a_model_with_an_unexpected_number_of_classes_raises_an_error(self):
        with pytest.raises(ValueError, match="3 classes"):
            SpeechEmotionRecognizer(model=ConstantModel([0.2, 0.3, 0.5])).predict_proba((tone(), SAMPLE_RATE))

    def test_classes_with_other_names_of_emotions_are_read_by_name(self):
        classes = ("angry", "fearful", "happiness", "ps", "sadness", "calm", "disgusted")
        for name, expected in zip(classes, ("angry", "fear", "happy", "surprise", "sad", "neutral", "disgust"), strict=True):
            model = ConstantModel([float(other == name) for other in classes], classes)
            assert SpeechEmotionRecognizer(model=model).predict((tone(), SAMPLE_RATE)) == expected

    def test_emotions_may_have_other_names(self):
        model = ConstantModel([0.25, 0.75])
        shares = SpeechEmotionRecognizer(model=model, emotions=["Happiness", "ps"]).predict_proba_by_name(
            (tone(), SAMPLE_RATE)
        )
        assert {emotion: share for emotion, share in shares.items() if share} == {"happy": 0.25, "surprise": 0.75}

    def test_a_class_that_is_no_emotion_is_an_error_unless_the_emotions_are_given(self):
        model = ConstantModel([0.0, 1.0], ("contempt", "happy"))
        with pytest.raises(ValueError, match="'contempt', which is no emotion"):
            SpeechEmotionRecognizer(model=model)
        assert SpeechEmotionRecognizer(model=model, emotions=["sad", "happy"]).predict((tone(), SAMPLE_RATE)) == "happy"


class Bomb:
    """A pickle that runs code when it is loaded."""

    def __reduce__(self):
        return pytest.fail, ("unpickled",)


class TestModelFiles:
    def test_a_pickle_with_a_wrong_hash_is_not_unpickled(self, tmp_path):
        path = tmp_path / "speech_emotion_mlp.joblib"
        joblib.dump({}, path)
        record_in_manifest(tmp_path, [path.name])
        joblib.dump(Bomb(), path)
        with pytest.raises(ModelError, match="does not match the manifest"):
            load_classic_model("mlp", tmp_path)
        (tmp_path / "manifest.json").write_text(json.dumps({}))
        with pytest.raises(ModelError, match="no valid entry"):
            load_classic_model("mlp", tmp_path)

    def test_a_network_with_a_wrong_hash_raises_an_error(self, tmp_path):
        path = tmp_path / "speech_emotion.tflite"
        path.write_bytes(b"a model")
        record_in_manifest(tmp_path, [path.name])
        path.write_bytes(b"another")
        with pytest.raises(ModelError, match="does not match the manifest"):
            SpeechEmotionRecognizer.load(tmp_path)


def test_serving_speech_imports_no_classic_model_and_no_training_package():
    """These take seconds and hundreds of megabytes to import, and unpickling a model runs its code."""
    program = """
import sys
import numpy as np
import moodmirror.app_factory
from moodmirror.recognition.speech import SpeechEmotionRecognizer
SpeechEmotionRecognizer.load().predict_proba((np.sin(np.arange(48000) / 20), 16000))
print({"moodmirror.recognition.classic_speech", "librosa", "pywt", "joblib", "sklearn"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("set()\n", 0), done.stderr
