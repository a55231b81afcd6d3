"""Write scikit-learn's classic models as arrays that :mod:`moodmirror.recognition.speech_model_file` reads without pickle.

All models have `kind`, `classes` (labels), and `mean` and `scale` of the features, float32 [features]. An MLP has
`kernel0`, `bias0`, `kernel1` … Bagging has its trees in one list of nodes: `feature`, `threshold`, `left` and `right` child
(−1 in a leaf), the `shares` of the classes, float32 [nodes, classes], and the `roots` of the trees.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.pipeline import Pipeline


def write_classic_model(path: Path, kind: str, pipeline: Pipeline) -> None:
    """Write a fitted pipeline of a scaler and an MLP (`kind` ``mlp``) or bagged trees (``bagging``) to an ``.npz`` file."""
    scaler, model = pipeline[0], pipeline[1]
    arrays: dict[str, npt.NDArray[Any]] = {
        "kind": np.array(kind),
        "classes": np.array([str(name) for name in pipeline.classes_]),
        "mean": scaler.mean_.astype(np.float32),
        "scale": scaler.scale_.astype(np.float32),
        **(_layers(model) if kind == "mlp" else _trees(model)),
    }
    np.savez_compressed(path, allow_pickle=False, **arrays)


def _layers(model: Any) -> dict[str, npt.NDArray[Any]]:
    kernels = {f"kernel{number}": kernel.astype(np.float32) for number, kernel in enumerate(model.coefs_)}
    return kernels | {f"bias{number}": bias.astype(np.float32) for number, bias in enumerate(model.intercepts_)}


def _trees(model: Any) -> dict[str, npt.NDArray[Any]]:
    parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in ("feature", "threshold", "left", "right", "shares")}
    roots = [0]
    for estimator, columns in zip(model.estimators_, model.estimators_features_, strict=True):
        tree = estimator.tree_
        start = roots[-1]
        inner = tree.children_left >= 0
        parts["feature"].append(np.where(inner, np.asarray(columns)[np.maximum(tree.feature, 0)], 0).astype(np.int32))
        parts["threshold"].append(tree.threshold)
        parts["left"].append(np.where(inner, tree.children_left + start, -1).astype(np.int32))
        parts["right"].append(np.where(inner, tree.children_right + start, -1).astype(np.int32))
        # A tree knows only the classes that its bootstrap sample held; they are indices into those of the ensemble.
        shares = np.zeros((tree.node_count, len(model.classes_)), dtype=np.float32)
        counts = tree.value[:, 0, :]
        shares[:, estimator.classes_.astype(int)] = counts / counts.sum(axis=1, keepdims=True)
        parts["shares"].append(shares)
        roots.append(start + tree.node_count)
    return {name: np.concatenate(arrays) for name, arrays in parts.items()} | {"roots": np.array(roots[:-1], dtype=np.int32)}
