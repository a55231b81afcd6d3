"""Convert a Keras model to a LiteRT file. Only this module needs the TensorFlow backend.

Run as ``python -m moodmirror.training.export MODEL.keras MODEL.tflite``; with ``--float32`` the weights are not quantized.
:func:`export_to_litert` runs it in a process of its own, so that training under any Keras backend produces the same file.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from moodmirror.paths import ROOT

DYNAMIC_RANGE: Final = "weights as int8, activations as float32 (dynamic-range quantization)"
FLOAT32: Final = "--float32"


def export_to_litert(keras_path: Path, litert_path: Path, *, quantized: bool = True) -> None:
    """Convert the model at `keras_path` and write it to `litert_path`.

    Weights are int8 if `quantized`, else float32; computation is in float32. Raises RuntimeError with the end of the
    converter's error output if it fails.
    """
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "moodmirror.training.export",
            str(keras_path.resolve()),
            str(litert_path.resolve()),
            *([] if quantized else [FLOAT32]),
        ],
        env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"The conversion of {keras_path} to {litert_path.name} failed:\n{done.stderr[-2000:]}")


def _convert(keras_path: Path, litert_path: Path, *, quantized: bool) -> None:
    import keras
    import tensorflow as tf

    model = keras.models.load_model(keras_path, compile=False)
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, format="tf_saved_model", verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if quantized:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        litert_path.write_bytes(converter.convert())


if __name__ == "__main__":
    _convert(Path(sys.argv[1]), Path(sys.argv[2]), quantized=FLOAT32 not in sys.argv)
