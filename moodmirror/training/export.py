"""Turn a Keras model into a LiteRT file. The one place that needs the TensorFlow backend.

Run as ``python -m moodmirror.training.export MODEL.keras MODEL.tflite``, with ``--float32`` for weights as they are;
:func:`export_to_litert` does so in a process of its own, so that a training under another Keras backend ends with the same
file.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

DYNAMIC_RANGE: Final = "weights as int8, activations as float32 (dynamic-range quantisation)"


FLOAT32: Final = "--float32"


def export_to_litert(keras_path: Path, litert_path: Path, *, quantised: bool = True) -> None:
    """Write the model of `keras_path` to `litert_path`: weights as int8 unless not `quantised`, computed in float32.

    Raises RuntimeError with the converter's last words if it fails.
    """
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "moodmirror.training.export",
            str(keras_path.resolve()),
            str(litert_path.resolve()),
            *([] if quantised else [FLOAT32]),
        ],
        env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"},
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the export to {litert_path.name} failed:\n{done.stderr[-2000:]}")


def _convert(keras_path: Path, litert_path: Path, *, quantised: bool) -> None:
    import keras
    import tensorflow as tf

    model = keras.models.load_model(keras_path, compile=False)
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, format="tf_saved_model", verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if quantised:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        litert_path.write_bytes(converter.convert())


if __name__ == "__main__":
    _convert(Path(sys.argv[1]), Path(sys.argv[2]), quantised=FLOAT32 not in sys.argv)
