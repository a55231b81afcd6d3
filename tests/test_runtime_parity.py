"""The same network gives the same predictions in every runtime."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from moodmirror.paths import MODELS_DIR
from moodmirror.recognition.face import FaceEmotionRecognizer, preprocess
from moodmirror.recognition.model_files import LiteRTModel
from moodmirror.training.export import export_to_litert
from tests.conftest import ROOT

pytestmark = pytest.mark.training

KERAS_PATH = MODELS_DIR / "face_emotion.keras"
MAX_DIFFERENCE = 1e-3  # of a probability, in float32


@pytest.fixture(scope="module")
def faces(portrait):
    """Return twenty variants of the portrait's face in light, tilt and crop: uint8 [20, 48, 48]."""
    gray = cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY)
    pictures = []
    for step in range(20):
        matrix = cv2.getRotationMatrix2D((224, 115), 3 * step - 30, 48 / (80 + 3 * step))
        matrix[:, 2] += np.array([24 - 224, 24 - 115])
        pictures.append(cv2.convertScaleAbs(cv2.warpAffine(gray, matrix, (48, 48)), alpha=0.5 + step / 20))
    return np.stack(pictures)


@pytest.fixture(scope="module")
def predictions(faces, tmp_path_factory):
    """Return the predictions of Keras by backend: float32 [20, 7] each."""
    folder = tmp_path_factory.mktemp("parity")
    np.save(folder / "faces.npy", faces)
    program = (
        "import sys, keras, numpy as np; from moodmirror.training.face_network import predict; "
        "network = keras.models.load_model(sys.argv[1], compile=False); "
        "np.save(sys.argv[3], predict(network, np.load(sys.argv[2])))"
    )
    given = {}
    for backend in ("tensorflow", "jax"):
        path = folder / f"{backend}.npy"
        done = subprocess.run(
            [sys.executable, "-c", program, str(KERAS_PATH), str(folder / "faces.npy"), str(path)],
            cwd=ROOT,
            env={**os.environ, "KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        given[backend] = np.load(path)
    return given


@pytest.mark.timeout(600)
def test_keras_backends_give_the_same_predictions(predictions):
    np.testing.assert_allclose(predictions["jax"], predictions["tensorflow"], atol=MAX_DIFFERENCE)


@pytest.mark.timeout(600)
def test_litert_in_float32_gives_the_predictions_of_keras(predictions, faces, tmp_path):
    export_to_litert(KERAS_PATH, tmp_path / "float32.tflite", quantized=False)
    model = LiteRTModel((tmp_path / "float32.tflite").read_bytes())
    np.testing.assert_allclose(model(preprocess(faces)), predictions["tensorflow"], atol=MAX_DIFFERENCE)


@pytest.mark.timeout(600)
def test_the_served_int8_weights_predict_the_same_emotions(predictions, faces):
    served = FaceEmotionRecognizer.load().predict_proba(faces)
    assert (served.argmax(axis=1) == predictions["tensorflow"].argmax(axis=1)).mean() >= 0.95
