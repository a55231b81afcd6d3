"""Open the model files that models/manifest.json names, and refuse every other.

The manifest maps a file's name to its SHA-256 sum; ``train.py`` writes it. Serving runs models with LiteRT
(``ai-edge-litert``), which opens in under a second where TensorFlow takes several.
"""

import hashlib
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from queue import LifoQueue
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

MODELS_DIR: Final = Path(__file__).resolve().parents[2] / "models"
MANIFEST: Final = "manifest.json"

T = TypeVar("T")


class ModelError(RuntimeError):
    """A model file can't be used. The message says what is wrong with it and which command mends it."""


def sha256_of(path: Path) -> str:
    """SHA-256 sum of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def record_in_manifest(models_dir: Path, names: list[str]) -> None:
    """Write the sums of the named files of `models_dir` into its manifest; what else it names stays."""
    path = models_dir / MANIFEST
    sums = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    sums.update({name: {"sha256": sha256_of(models_dir / name)} for name in names})
    path.write_text(json.dumps(dict(sorted(sums.items())), indent=2) + "\n", encoding="utf-8")


def verified_model_bytes(name: str, make_command: str, models_dir: Path = MODELS_DIR) -> bytes:
    """Read a model file whole and return its bytes if their sum is the manifest's.

    The sum is taken of the very bytes that are returned, so a file exchanged between check and use changes nothing.

    Raises ModelError if the file or its entry is missing, or the sum differs; `make_command` is the command that
    makes the file, and is part of the message.
    """
    remedy = f"Restore it from the repository, or make it with: {make_command}"
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
            f"The model {models_dir / name} is not the file that the manifest names: its SHA-256 is {found[:12]}…, "
            f"expected {str(expected)[:12]}…. {remedy}"
        )
    return content


class LiteRTModel:
    """One LiteRT graph with one input and one output; safe to call from several threads, which run it side by side.

    Each core may have a copy of the graph, opened when it is first needed.
    """

    def __init__(self, content: bytes, threads: int = 1) -> None:
        """Open the graph in `content`, a .tflite file's bytes, to run on so many `threads`.

        Raises ModelError if LiteRT can't open it.
        """
        self._content = content
        self._threads = threads
        # What was used last is used next: most often one copy is enough.
        self._idle: LifoQueue[_Copy | None] = LifoQueue()
        for _ in range((os.cpu_count() or 1) - 1):
            self._idle.put(None)
        self._idle.put(_Copy(content, threads))

    def __call__(self, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Run the graph on a batch, float32 [n, …] with n ≥ 1, and return its output, float32 [n, …]."""
        copy = self._idle.get()
        try:
            copy = copy or _Copy(self._content, self._threads)
            return copy(inputs)
        finally:
            self._idle.put(copy)


class _Copy:
    """A graph that is open. Not for several threads at once."""

    def __init__(self, content: bytes, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._interpreter = Interpreter(model_content=content, num_threads=threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"LiteRT can't open the model: {error}") from error
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]
        self._batch = int(self._input["shape"][0])

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
    """One LiteRT graph with several inputs and outputs, by their names; safe to call from several threads."""

    def __init__(self, content: bytes, threads: int = 1) -> None:
        """Open the graph in `content`, a .tflite file's bytes, to run on so many `threads`.

        Raises ModelError if LiteRT can't open it.
        """
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._interpreter = Interpreter(model_content=content, num_threads=threads)
            self._runner = self._interpreter.get_signature_runner("serving_default")
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"LiteRT can't open the model: {error}") from error
        self._lock = threading.Lock()

    def __call__(self, **inputs: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
        """Run the graph on float32 inputs of any batch size and length; returns its outputs by name."""
        with self._lock:
            outputs: dict[str, npt.NDArray[np.float32]] = self._runner(**inputs)
            return outputs


def cached_loader(open_it: Callable[[], T]) -> Callable[[], T]:
    """A function that calls `open_it` on its first call, in whichever thread, and later returns the same object.

    A call that raises is not remembered: the next one tries again.
    """
    lock = threading.Lock()
    opened: list[T] = []

    def get() -> T:
        with lock:
            if not opened:
                opened.append(open_it())
            return opened[0]

    return get
