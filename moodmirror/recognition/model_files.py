"""Load model files whose hashes match models/manifest.json, and run them with LiteRT.

The manifest maps file names to SHA-256 hashes; ``train.py`` writes it. Serving runs models with LiteRT
(``ai-edge-litert``), which loads in less than a second; TensorFlow takes several.
"""

import hashlib
import json
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import LifoQueue
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from moodmirror.paths import MODELS_DIR

MANIFEST: Final = "manifest.json"

T = TypeVar("T")


class ModelError(RuntimeError):
    """A model file can't be used. The message gives the reason and the command that creates the file."""


def sha256_of(path: Path) -> str:
    """Return the SHA-256 hash of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def record_in_manifest(models_dir: Path, names: list[str], emotions: Sequence[str] = ()) -> None:
    """Write the hashes of the named files in `models_dir` to its manifest; other entries stay.

    With `emotions`, the entries state which emotions the model was trained on.
    """
    path = models_dir / MANIFEST
    sums = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    trained = {"emotions": list(emotions)} if emotions else {}
    sums.update({name: {"sha256": sha256_of(models_dir / name), **trained} for name in names})
    path.write_text(json.dumps(dict(sorted(sums.items())), indent=2) + "\n", encoding="utf-8")


def verified_model_bytes(name: str, make_command: str, models_dir: Path = MODELS_DIR) -> bytes:
    """Return the bytes of a model file if their hash matches the manifest.

    The hash is computed from the returned bytes themselves, so replacing the file between check and use has no effect.

    Raises ModelError if the file or its entry is missing, or the hash differs. `make_command` is the command that creates
    the file; it is part of the message.
    """
    remedy = f"Restore it from the repository, or create it with: {make_command}"
    try:
        sums = json.loads((models_dir / MANIFEST).read_text(encoding="utf-8"))
        expected = sums[name]["sha256"]
    except FileNotFoundError:
        raise ModelError(f"{models_dir / MANIFEST} is missing. {remedy}") from None
    except (json.JSONDecodeError, KeyError, TypeError):
        raise ModelError(f"{models_dir / MANIFEST} has no valid entry for {name}. {remedy}") from None
    try:
        content = (models_dir / name).read_bytes()
    except FileNotFoundError:
        raise ModelError(f"The model {models_dir / name} is missing. {remedy}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ModelError(
            f"The model {models_dir / name} does not match the manifest: its SHA-256 is {found[:12]}…, "
            f"expected {str(expected)[:12]}…. {remedy}"
        )
    return content


def trained_emotions(name: str, models_dir: Path = MODELS_DIR) -> list[str] | None:
    """Return the emotions that a model file was trained on, as the manifest states them; None where it states none."""
    emotions: list[str] | None = json.loads((models_dir / MANIFEST).read_text(encoding="utf-8"))[name].get("emotions")
    return emotions


class LiteRTModel:
    """A LiteRT graph with one input and one output. Safe for use by several threads, which run in parallel.

    There is at most one interpreter per core, created when it is first needed.
    """

    def __init__(self, content: bytes, threads: int = 1) -> None:
        """Load the graph in `content`, the bytes of a .tflite file, to run on `threads` threads.

        Raises ModelError if LiteRT can't load it.
        """
        self._content = content
        self._threads = threads
        # Last in, first out: most often one interpreter is enough.
        self._idle: LifoQueue[_Interpreter | None] = LifoQueue()
        for _ in range((os.cpu_count() or 1) - 1):
            self._idle.put(None)
        first = _Interpreter(content, threads)
        self.input_shape: Final = first.input_shape
        self._idle.put(first)

    def __call__(self, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the graph's output, float32 [n, …], for a batch, float32 [n, …] with n ≥ 1."""
        interpreter = self._idle.get()
        try:
            interpreter = interpreter or _Interpreter(self._content, self._threads)
            return interpreter(inputs)
        finally:
            self._idle.put(interpreter)


class _Interpreter:
    """A loaded graph. Not safe for use by several threads at once."""

    def __init__(self, content: bytes, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._interpreter = Interpreter(model_content=content, num_threads=threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"LiteRT can't load the model: {error}") from error
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]
        self.input_shape = tuple(int(size) for size in self._input["shape"])
        self._batch = self.input_shape[0]

    def __call__(self, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if len(inputs) != self._batch:
            self._interpreter.resize_tensor_input(self._input["index"], inputs.shape)
            self._interpreter.allocate_tensors()
            self._batch = len(inputs)
        self._interpreter.set_tensor(self._input["index"], inputs)
        self._interpreter.invoke()
        output: npt.NDArray[np.float32] = self._interpreter.get_tensor(self._output["index"])
        return output


class LiteRTSignature:
    """A LiteRT graph with several named inputs and outputs. Safe for use by several threads."""

    def __init__(self, content: bytes, threads: int = 1) -> None:
        """Load the graph in `content`, the bytes of a .tflite file, to run on `threads` threads.

        Raises ModelError if LiteRT can't load it.
        """
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._interpreter = Interpreter(model_content=content, num_threads=threads)
            self._runner = self._interpreter.get_signature_runner("serving_default")
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"LiteRT can't load the model: {error}") from error
        self._lock = threading.Lock()

    def __call__(self, **inputs: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
        """Return the graph's outputs by name for float32 inputs, by name, of any batch size and length."""
        with self._lock:
            outputs: dict[str, npt.NDArray[np.float32]] = self._runner(**inputs)
            return outputs


def cached_loader(load: Callable[[], T]) -> Callable[[], T]:
    """Return a thread-safe function that calls `load` on its first call and returns the same object from then on.

    An exception is not cached: the next call tries again.
    """
    lock = threading.Lock()
    loaded: list[T] = []

    def get() -> T:
        with lock:
            if not loaded:
                loaded.append(load())
            return loaded[0]

    return get


# NEED ['MODELS_DIR']
