import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import cv2
import numpy as np
import psutil
import pytest
import skimage.data

from moodmirror.emotions import EMOTIONS
from moodmirror.media import frame_decoder
from moodmirror.media.errors import MediaError
from moodmirror.media.frame_decoder import MAX_FRAME_BYTES
from moodmirror.media.frame_decoder_pool import FrameDecoderPool
from moodmirror.paths import MODELS_DIR
from moodmirror.recognition.face import FaceAnalyzer, FaceEmotionRecognizer, crop_faces, preprocess
from moodmirror.recognition.face_detector import FaceDetector
from moodmirror.recognition.model_files import MANIFEST, ModelError, cached_loader, verified_model_bytes
from tests.conftest import running, running_frame_decoder

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def recognizer():
    return FaceEmotionRecognizer.load()


@pytest.fixture(scope="module")
def detector():
    return FaceDetector()


@pytest.fixture(scope="module")
def smiling_face(portrait, detector):
    gray = cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY)
    return crop_faces(gray, detector.detect(gray)[:1])


class TestDetector:
    @pytest.mark.parametrize(("x", "y", "scale"), [(320, 230, 1.2), (150, 200, 0.8), (480, 260, 1.8)])
    def test_finds_the_face_at_its_place(self, detector, scene, x, y, scale):
        boxes = detector.detect(cv2.cvtColor(scene(x, y, scale), cv2.COLOR_BGR2GRAY))
        assert boxes.shape[1] == 4
        left, top, width, height = boxes[0]
        assert left < x < left + width
        assert top < y < top + height
        assert 60 * scale < width < 160 * scale  # the portrait's face is about 100 pixels wide

    @pytest.mark.parametrize("size", [(640, 480), (320, 240)])
    def test_a_face_that_crosses_the_picture_is_found_once_in_every_frame(self, detector, scene, size):
        for x in range(170, 480, 20):
            gray = cv2.cvtColor(cv2.resize(scene(x), size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
            [(left, _, width, _)] = detector.detect(gray)
            assert left < x * size[0] / 640 < left + width

    @pytest.mark.parametrize(
        "picture", [np.zeros((480, 640), np.uint8), np.full((1, 1), 9, np.uint8), np.zeros((0, 5), np.uint8)]
    )
    def test_finds_no_face_in_an_empty_picture(self, detector, picture):
        assert detector.detect(picture).shape == (0, 4)

    def test_finds_no_face_in_a_picture_of_bricks(self, detector):
        assert len(detector.detect(skimage.data.brick())) == 0

    @pytest.mark.parametrize("picture", [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.float32)])
    def test_another_shape_or_type_raises_an_error(self, detector, picture):
        with pytest.raises(ValueError, match="gray picture"):
            detector.detect(picture)

    def test_the_error_for_a_missing_cascade_names_the_remedy(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="Restore haarcascade/"):
            FaceDetector(cascade_path=tmp_path / "none.xml")


class TestCropping:
    def test_a_box_over_the_edge_is_clipped(self):
        gray = np.tile(np.arange(100, dtype=np.uint8), (100, 1))
        assert crop_faces(gray, np.array([[-20, -20, 60, 60], [80, 80, 60, 60]])).shape == (2, 48, 48)

    def test_a_box_outside_raises_an_error(self):
        with pytest.raises(ValueError, match="outside"):
            crop_faces(np.zeros((10, 10), np.uint8), np.array([[20, 20, 5, 5]]))


class TestPreprocessing:
    def test_each_face_is_standardized_on_its_own(self):
        rng = np.random.default_rng(1)
        faces = rng.integers(0, 256, (3, 48, 48), dtype=np.uint8)
        pixels = preprocess(faces)
        assert (pixels.shape, pixels.dtype) == ((3, 48, 48, 1), np.float32)
        np.testing.assert_allclose(pixels.mean(axis=(1, 2, 3)), 0, atol=1e-4)
        np.testing.assert_allclose(pixels.std(axis=(1, 2, 3)), 1, atol=1e-4)
        np.testing.assert_allclose(pixels[:1], preprocess(faces[:1]), atol=1e-6)

    def test_a_face_of_one_color_becomes_zeros(self):
        assert not preprocess(np.full((1, 48, 48), 200, np.uint8)).any()

    @pytest.mark.parametrize(
        "faces", [np.zeros((1, 48, 48), np.float32), np.zeros((48, 48), np.uint8), np.zeros((1, 32, 32), np.uint8)]
    )
    def test_pixels_of_another_form_raise_an_error(self, faces):
        with pytest.raises(ValueError, match="uint8"):
            preprocess(faces)


class TestRecognizer:
    def test_a_smile_is_happy(self, recognizer, smiling_face):
        probabilities = recognizer.predict_proba(smiling_face)
        assert (probabilities.shape, probabilities.dtype) == ((1, 7), np.float32)
        assert probabilities.sum() == pytest.approx(1, abs=1e-4)
        assert recognizer.predict(smiling_face) == ["happy"]
        assert recognizer.classes_ == EMOTIONS

    def test_brightness_has_little_effect(self, recognizer, smiling_face):
        dim = (smiling_face * 0.4 + 20).astype(np.uint8)
        np.testing.assert_allclose(recognizer.predict_proba(dim), recognizer.predict_proba(smiling_face), atol=0.06)

    def test_a_batch_gives_the_results_of_single_faces(self, recognizer, smiling_face):
        faces = np.concatenate([smiling_face, smiling_face[:, ::-1], smiling_face[:, :, ::-1]])
        together = recognizer.predict_proba(faces)
        alone = np.concatenate([recognizer.predict_proba(face[np.newaxis]) for face in faces])
        np.testing.assert_allclose(together, alone, atol=1e-3)

    def test_no_faces_give_no_rows(self, recognizer):
        assert recognizer.predict_proba(np.zeros((0, 48, 48), np.uint8)).shape == (0, 7)


class TestAnalyzer:
    def test_reads_every_face_largest_first(self, portrait):
        small = cv2.resize(portrait, (360, 360))
        both = np.full((512, 872, 3), 128, np.uint8)
        both[:, :512] = portrait
        both[:360, 512:] = small
        faces = FaceAnalyzer.load().analyze(np.asarray(cv2.cvtColor(both, cv2.COLOR_BGR2GRAY), dtype=np.uint8))
        assert len(faces) == 2
        assert faces[0].box[2] > faces[1].box[2]
        assert [face.label for face in faces] == ["happy", "happy"]
        assert all(0.3 < face.confidence <= 1 for face in faces)


class TestModelFiles:
    @pytest.fixture
    def models(self, tmp_path):
        for name in ("face_emotion.tflite", MANIFEST):
            shutil.copy(MODELS_DIR / name, tmp_path)
        return tmp_path

    def test_the_shipped_keras_model_is_the_one_in_the_manifest(self):
        assert verified_model_bytes("face_emotion.keras", "make")

    def test_an_unchanged_model_loads(self, models):
        assert FaceEmotionRecognizer.load(models).predict(np.zeros((1, 48, 48), np.uint8))

    def test_one_changed_bit_raises_an_error(self, models):
        path = models / "face_emotion.tflite"
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        with pytest.raises(ModelError, match="does not match the manifest"):
            FaceEmotionRecognizer.load(models)

    @pytest.mark.parametrize("missing", ["face_emotion.tflite", MANIFEST])
    def test_the_error_for_a_missing_file_names_the_command_that_creates_it(self, models, missing):
        (models / missing).unlink()
        with pytest.raises(ModelError, match=r"python train\.py face --data"):
            FaceEmotionRecognizer.load(models)

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"face_emotion.tflite": "abc"}'])
    def test_a_damaged_manifest_raises_an_error(self, models, content):
        (models / MANIFEST).write_text(content)
        with pytest.raises(ModelError, match="no valid entry"):
            FaceEmotionRecognizer.load(models)

    def test_a_file_that_is_no_model_raises_an_error_though_its_hash_matches(self, models):
        (models / "face_emotion.tflite").write_bytes(b"no model")
        entry = {"face_emotion.tflite": {"sha256": hashlib.sha256(b"no model").hexdigest()}}
        (models / MANIFEST).write_text(json.dumps(entry))
        with pytest.raises(ModelError, match="LiteRT can't load"):
            FaceEmotionRecognizer.load(models)

    def test_a_failed_load_is_repeated_and_a_loaded_object_is_cached(self):
        attempts = []

        def load():
            attempts.append(1)
            if len(attempts) == 1:
                raise ModelError("not yet")
            return object()

        get = cached_loader(load)
        with pytest.raises(ModelError):
            get()
        assert get() is get()
        assert len(attempts) == 2


@pytest.fixture(scope="module")
def decoders():
    with running_frame_decoder() as (decoders, _):
        yield decoders


class TestFrames:
    def test_a_jpeg_is_decoded_to_gray(self, decoders, scene):
        picture = scene()
        gray = decoders.decode(cv2.imencode(".jpg", picture)[1].tobytes())
        assert (gray.shape, gray.dtype) == ((480, 640), np.uint8)
        assert np.abs(gray.astype(int) - cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)).mean() < 3

    def test_a_large_jpeg_is_decoded_at_half_its_size(self, decoders, scene, detector):
        large = cv2.resize(scene(), (1280, 960), interpolation=cv2.INTER_CUBIC)
        gray = decoders.decode(cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes())
        assert gray.shape == (480, 640)
        [[x, y, width, height]] = detector.detect(gray)
        assert x < 320 < x + width
        assert y < 230 < y + height

    @pytest.mark.parametrize(
        ("content", "complaint"),
        [
            (b"", "JPEG"),
            (b"GIF89a" + bytes(50), "JPEG"),
            (cv2.imencode(".png", np.zeros((9, 9), np.uint8))[1].tobytes(), "JPEG"),
            (bytes(MAX_FRAME_BYTES + 1), "kB at most"),
            (cv2.imencode(".jpg", np.zeros((2, 5000), np.uint8))[1].tobytes(), "pixels"),
            (cv2.imencode(".jpg", np.zeros((64, 64), np.uint8))[1].tobytes()[:30], "JPEG|damaged"),
        ],
    )
    def test_other_content_raises_an_error_with_a_reason(self, decoders, content, complaint):
        with pytest.raises(MediaError, match=complaint):
            decoders.decode(content)

    @pytest.mark.parametrize("end", [psutil.Process.kill, psutil.Process.suspend])
    def test_a_decoder_that_crashes_or_hangs_is_replaced(self, scene, end):
        content = cv2.imencode(".jpg", scene())[1].tobytes()
        with running_frame_decoder() as (decoders, process):
            end(process)
            with pytest.raises(MediaError, match="damaged"):
                decoders.decode(content)
            assert not process.is_running()
            assert decoders.decode(content).shape == (480, 640)

    def test_frames_are_decoded_in_parallel_and_close_ends_all_processes(self, scene):
        pictures = [scene()[:, : 320 + 8 * number] for number in range(8)]
        contents = [cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures]
        before = running(frame_decoder)
        with closing(FrameDecoderPool(2)) as decoders, ThreadPoolExecutor(8) as threads:
            decoded = list(threads.map(decoders.decode, contents * 10))
            started = [process for process in running(frame_decoder) if process not in before]
        assert [gray.shape for gray in decoded] == [picture.shape[:2] for picture in pictures] * 10
        assert len(started) == 2
        assert not any(process.is_running() for process in started)

    @pytest.mark.skipif(not hasattr(psutil.Process, "rlimit"), reason="only Linux tells the limits of another process")
    def test_a_decoder_has_limited_memory_and_can_not_write_files(self):
        with running_frame_decoder() as (_, process):
            assert process.rlimit(psutil.RLIMIT_AS)[1] == frame_decoder.MEMORY_BYTES
            assert process.rlimit(psutil.RLIMIT_FSIZE)[1] == 0

    def test_a_decoder_does_not_inherit_the_environment(self, monkeypatch):
        monkeypatch.setenv("SECRET_KEY", "a secret")
        with running_frame_decoder() as (_, process):
            assert "SECRET_KEY" not in process.environ()
