"""The face networks: CNNs that map 48×48 gray faces to the probabilities of seven emotions."""

from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.face import FACE_SIZE, MODEL_NAME, Faces, standardize

EMOTIONS_OUTPUT: Final = "emotions"
VOTES_OUTPUT: Final = "votes"
FEATURES_LAYER: Final = "features"
SERVED_KIND: Final = "residual"


def model_name(kind: str) -> str:
    """Return the name of the files of a network of `kind`; ``residual`` is the served one."""
    return MODEL_NAME if kind == SERVED_KIND else f"{MODEL_NAME}_{kind}"


def build_network(
    dropout: float,
    *,
    kind: str = SERVED_KIND,
    size: int | None = FACE_SIZE,
    normalization: type[layers.Layer] = layers.BatchNormalization,
) -> keras.Model:
    """Build a network of `kind` ``residual``, ``vgg`` or ``mini_xception``: faces [n, size, size, 1] → two outputs [n, 7].

    The output ``emotions`` holds the probabilities of FER2013's labels, ``votes`` those of the FER+ annotators' votes. The
    two tasks share all but their last layers: the votes are the less noisy targets, the labels are what is evaluated.
    With a `size` of None the network takes faces of any size. The weights are the same for every `normalization`.
    """
    inputs = layers.Input((size, size, 1), name="faces")
    x = {"residual": _residual, "vgg": _vgg, "mini_xception": _mini_xception}[kind](inputs, normalization)
    x = layers.Dropout(dropout)(layers.GlobalAveragePooling2D(name=FEATURES_LAYER)(x))
    outputs = {
        name: layers.Dense(len(EMOTIONS), activation="softmax", name=name)(x) for name in (EMOTIONS_OUTPUT, VOTES_OUTPUT)
    }
    return keras.Model(inputs, outputs, name=MODEL_NAME)


def _residual(x: Any, normalization: type[layers.Layer]) -> Any:
    """Apply residual blocks (He et al., CVPR 2016): about 2 M parameters."""
    x = layers.Conv2D(16, 3, padding="same", use_bias=False)(x)
    x = layers.ReLU()(normalization()(x))
    for filters, blocks in ((40, 1), (80, 2), (160, 2), (256, 1)):
        for block in range(blocks):
            x = _residual_block(x, filters, 2 if block == 0 else 1, normalization)
    return x


def _vgg(x: Any, normalization: type[layers.Layer]) -> Any:
    """Apply four stages of two convolutions and a pooling (Simonyan and Zisserman, ICLR 2015): about 1.2 M parameters.

    With batch normalization, and the global mean instead of dense layers (Khaireddin and Chen, arXiv:2105.03588, train such
    a network on FER2013).
    """
    for filters in (32, 64, 128, 256):
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
            x = layers.ReLU()(normalization()(x))
        x = layers.MaxPooling2D(2, padding="same")(x)
    return x


def _mini_xception(x: Any, normalization: type[layers.Layer]) -> Any:
    """Apply residual modules of separable convolutions (Chollet, "Xception", CVPR 2017): about 50,000 parameters.

    As the network of Arriaga, Valdenegro-Toro and Plöger, "Real-time Convolutional Neural Networks for Emotion and Gender
    Classification", arXiv:1710.07557.
    """
    for _ in range(2):
        x = layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(normalization()(x))
    for filters in (16, 32, 64, 128):
        y = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False)(x)
        y = layers.ReLU()(normalization()(y))
        y = normalization()(layers.SeparableConv2D(filters, 3, padding="same", use_bias=False)(y))
        y = layers.MaxPooling2D(3, strides=2, padding="same")(y)
        # Not a convolution with strides: TensorFlow's gradient of a 1×1 one overwrites memory on CPUs.
        x = layers.AveragePooling2D(2, padding="same")(x)
        x = normalization()(layers.Conv2D(filters, 1, use_bias=False)(x))
        x = layers.Add()([x, y])
    return x


def _residual_block(x: Any, filters: int, stride: int, normalization: type[layers.Layer]) -> Any:
    y = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)
    y = layers.ReLU()(normalization()(y))
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(y)
    y = normalization()(y)
    if stride > 1:
        x = layers.AveragePooling2D(stride, padding="same")(x)
        x = normalization()(layers.Conv2D(filters, 1, use_bias=False)(x))
    return layers.ReLU()(layers.Add()([x, y]))


def predict(network: keras.Model, faces: Faces) -> npt.NDArray[np.float32]:
    """Return the emotion probabilities, float32 [n, 7], of a network with one output or two, for faces, uint8 [n, h, w]."""
    outputs = network.predict(standardize(faces), batch_size=256, verbose=0)
    return np.asarray(outputs[EMOTIONS_OUTPUT] if isinstance(outputs, dict) else outputs, dtype=np.float32)


def teacher_predictions(paths: tuple[str, ...], faces: Faces) -> npt.NDArray[np.float32] | None:
    """Return the mean prediction, float32 [n, 7], of the Keras models at `paths` for faces, uint8 [n, 48, 48].

    Each model predicts for every face and its mirror image. Training on the mean beside the labels is distillation (Hinton,
    Vinyals and Dean, arXiv:1503.02531). Returns None without teachers. Raises FileNotFoundError for a missing teacher.
    """
    if not paths:
        return None
    predictions = []
    for path in paths:
        if not Path(path).is_file():
            raise FileNotFoundError(f"the teacher {path} is missing: name a .keras file that train.py face has written")
        print(f"computing the predictions of the teacher {Path(path).name} for {len(faces)} faces …", flush=True)
        teacher = keras.models.load_model(path, compile=False, safe_mode=True)
        predictions += [predict(teacher, faces), predict(teacher, faces[:, :, ::-1])]
    mean: npt.NDArray[np.float32] = np.mean(predictions, axis=0, dtype=np.float32)
    return mean
