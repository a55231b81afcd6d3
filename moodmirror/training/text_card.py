"""Write the model card of the text network, with its metrics and plots, beside the model files."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recognition.text_network import GRAPH_FILE, MODEL_NAME, TABLES_FILE, TEXT_FILES, TOKENIZER_FILE
from moodmirror.training import plots
from moodmirror.training.atomic_files import write_text
from moodmirror.training.export import DYNAMIC_RANGE
from moodmirror.training.metrics import RELIABILITY_BINS
from moodmirror.training.model_card import render, with_notices
from moodmirror.training.progress import QUICK_NOTICE
from moodmirror.training.text_calibration import Calibration
from moodmirror.training.text_corpora import TextCorpora
from moodmirror.training.text_evaluation import DIVISIONS, FOLDS, MultilabelMetrics, TextEvaluation, evaluate_recognizer

TEMPLATE: Final = f"{MODEL_NAME}.md.j2"
# License and source of encoders that teachers are known to start from.
ENCODERS: Final = {"all-mpnet-base-v2": "Apache-2.0; Song et al., 2020; Reimers and Gurevych, 2019"}
# Settings that the card doesn't list: paths on one machine, and those that its text describes.
PATH_SETTINGS: Final = ("emotions", "quick", "encoder", "teacher_encoder", "also_taught", "also_averaged")
TEACHER_SETTINGS: Final = ("folds", "teacher_epochs", "teacher_learning_rate", "teacher_frozen")

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Provenance:
    """How the files in `models_dir` were produced, for the card.

    `settings` are those of the run, `other_teacher_settings` those of the runs whose teachers were used too,
    `other_network_settings` those of the networks of other runs that are averaged with the run's own `networks`.
    `histories` has an entry for each averaged network. `keras_moods` are the mood vectors of the Keras model for the
    development part, `pretrained_vectors` the sentence vectors of the untrained encoder for it. `baselines` are the
    metrics of other models by name.
    """

    settings: Mapping[str, Any]
    other_teacher_settings: Sequence[Mapping[str, Any]]
    parameters: int
    calibration: Calibration
    networks: int
    other_network_settings: Sequence[Mapping[str, Any]]
    histories: Sequence[list[dict[str, float]]]
    keras_moods: Floats
    pretrained_vectors: Floats
    baselines: Mapping[str, MultilabelMetrics]


def write_card(corpora: TextCorpora, provenance: Provenance, models_dir: Path) -> None:
    """Evaluate the files in `models_dir`, and write metrics, plots and model card beside them."""
    recognizer = TextEmotionRecognizer.load(models_dir)
    evaluation = evaluate_recognizer(corpora, recognizer)
    moods, vectors = recognizer.network(corpora.development.texts)
    agreement = float((moods.argmax(axis=1) == provenance.keras_moods.argmax(axis=1)).mean())
    similarity = float((vectors * _unit(provenance.pretrained_vectors)).sum(axis=1).mean())
    print(f"{evaluation.as_text()}\nKeras and LiteRT predict the same emotion for {agreement:.2%} of the development texts")
    figures = evaluation.as_json() | {
        "emotions": list(corpora.emotions),
        "quick": provenance.settings["quick"],
        "keras_litert_agreement": round(agreement, 5),
        "sentence_likeness": round(similarity, 5),
        "baselines_macro_f1": {name: round(other.macro_f1, 5) for name, other in provenance.baselines.items()},
    }
    write_text(models_dir / f"{MODEL_NAME}.json", json.dumps(figures, indent=1) + "\n")
    _plot_losses(provenance.histories, models_dir / f"{MODEL_NAME}_curves.png")
    plots.plot_reliability(evaluation.reliability, models_dir / f"{MODEL_NAME}_reliability.png", unit="texts")
    if evaluation.everyday is not None:
        plots.plot_confusion(evaluation.everyday.result, models_dir / f"{MODEL_NAME}_everyday.png")
    card = render_card(
        evaluation,
        provenance,
        training_texts={name: len(split) for name, split in corpora.training.items()},
        development_texts=len(corpora.development),
        tweet_texts=len(corpora.tweets or ()),
        notes=corpora.notes,
        megabytes=sum((models_dir / name).stat().st_size for name in TEXT_FILES) / 1e6,
        agreement=agreement,
        sentence_similarity=similarity,
        keras_version=keras.version(),
    )
    quick = [QUICK_NOTICE] if provenance.settings["quick"] else []
    only = [f"Trained on {', '.join(corpora.emotions)} only; the other emotions have a probability of 0."]
    notices = [*quick, *([] if corpora.emotions == EMOTIONS else only)]
    write_text(models_dir / f"{MODEL_NAME}.md", with_notices(card, notices))


def render_card(evaluation: TextEvaluation, provenance: Provenance, **values: Any) -> str:
    """Return the Markdown of the model card; `values` are the template's remaining values."""
    settings = provenance.settings
    not_listed = (*PATH_SETTINGS, *TEACHER_SETTINGS)
    return render(
        TEMPLATE,
        graph=GRAPH_FILE,
        tables=TABLES_FILE,
        tokenizer=TOKENIZER_FILE,
        model_name=MODEL_NAME,
        emotions=EMOTIONS,
        quantization=DYNAMIC_RANGE,
        folds=FOLDS,
        divisions=DIVISIONS,
        reliability_bins=RELIABILITY_BINS,
        evaluation=evaluation,
        settings=settings,
        listed_settings={key: value for key, value in settings.items() if key not in not_listed},
        teachers=[_teacher(each) for each in (settings, *provenance.other_teacher_settings) if each["folds"]],
        averaged=_averaged(provenance),
        parameters=provenance.parameters,
        calibration=provenance.calibration,
        baselines=provenance.baselines,
        **values,
    )


def _teacher(settings: Mapping[str, Any]) -> dict[str, Any]:
    name = Path(settings["teacher_encoder"]).name
    return {
        "folds": settings["folds"],
        "encoder": f"{name} ({ENCODERS[name]})" if name in ENCODERS else name or "the same encoder",
        "epochs": settings["teacher_epochs"],
        "learning_rate": settings["teacher_learning_rate"],
        "frozen_layers": settings["teacher_frozen"],
    }


def _averaged(provenance: Provenance) -> dict[str, Any] | None:
    """Return how many networks are averaged, how many of other runs, and how those differ.

    None if a single network is served.
    """
    others = provenance.other_network_settings
    if provenance.networks + len(others) == 1:
        return None
    kinds = Counter(_differences(provenance.settings, other) for other in others)
    return {"networks": provenance.networks, "others": len(others), "kinds": kinds}


def _differences(settings: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    ignored = (*PATH_SETTINGS, *TEACHER_SETTINGS, "networks")
    differing = [f"{key} {value}" for key, value in other.items() if key not in ignored and value != settings[key]]
    return ", ".join(differing) or "the same settings"


def _unit(vectors: Floats) -> Floats:
    unit: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _plot_losses(histories: Sequence[list[dict[str, float]]], path: Path) -> None:
    """Plot each network's losses and its macro-F1 on the monitored development texts over the steps."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    losses, macro_f1 = figure.subplots(1, 2)
    for number, history in enumerate(histories):
        steps = [entry["step"] for entry in history]
        for key, color in (("emotions", "C0"), ("fine", "C1"), ("sentence", "C2")):
            label = None if number else key
            losses.plot(steps, [entry[key] for entry in history], marker=".", color=color, label=label)
        macro_f1.plot(steps, [entry["glance_macro_f1"] for entry in history], marker=".")
    losses.set(title="parts of the loss", xlabel="step")
    losses.legend()
    macro_f1.set(title="macro-F1 on some development texts, before calibration", xlabel="step")
    for axes in (losses, macro_f1):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=plots.DPI)
