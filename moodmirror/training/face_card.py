"""Describe a trained face network: metrics, plots and model card."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.face import FACE_SIZE, FaceEmotionRecognizer
from moodmirror.training import plots
from moodmirror.training.atomic_files import write_text
from moodmirror.training.export import DYNAMIC_RANGE
from moodmirror.training.face_batches import FACE_SIZES
from moodmirror.training.face_calibration import MIN_RECALL, Calibration
from moodmirror.training.face_corpora import FaceCorpus
from moodmirror.training.face_evaluation import HAAR_FACES, evaluation, write_json
from moodmirror.training.face_network import model_name, predict
from moodmirror.training.metrics import RELIABILITY_BINS, classification_metrics
from moodmirror.training.model_card import render, with_notices
from moodmirror.training.progress import QUICK_NOTICE
from moodmirror.training.settings import FaceTraining


@dataclass(frozen=True)
class TrainingRun:
    """A run that led to a network: its settings, and one history entry per epoch."""

    settings: FaceTraining
    history: list[dict[str, float]]

    @property
    def best_epoch(self) -> int:
        """The epoch, from 1, with the best development accuracy among those of the largest faces."""
        largest = max(entry["size"] for entry in self.history)
        entries = [entry for entry in self.history if entry["size"] == largest]
        return round(max(entries, key=lambda entry: entry["development_accuracy"])["epoch"])

    @property
    def listed_settings(self) -> dict[str, Any]:
        """The settings that a card lists: no paths, and no setting without effect."""
        config = self.settings
        listed = {
            "model": False,
            "emotions": False,
            "quick": False,
            "teachers": False,
            "start_from": False,
            "distilled": bool(config.teachers),
            "kept": bool(config.start_from),
        }
        return {name: value for name, value in asdict(config).items() if listed.get(name, True)}


def write_card(
    corpus: FaceCorpus, network: keras.Model, *, runs: list[TrainingRun], calibration: Calibration, models_dir: Path
) -> None:
    """Evaluate the models in `models_dir`, and write metrics, plots and model card beside them.

    `runs` are those that led to the network, the first one first.
    """
    config = runs[-1].settings
    name = model_name(config.model)
    recognizer = FaceEmotionRecognizer.load(models_dir, name=name)
    result = evaluation(corpus, recognizer)
    print(f"\n{result.as_text()}", flush=True)
    plots.plot_curves(runs[-1].history, models_dir / f"{name}_curves.png")
    plots.plot_confusion(result.splits[0][1], models_dir / f"{name}_confusion.png")
    plots.plot_reliability(result.calibration, models_dir / f"{name}_reliability.png")
    plots.plot_bars(result.robustness, models_dir / f"{name}_robustness.png")
    write_json(result, models_dir / f"{name}.json", emotions=list(corpus.emotions), quick=config.quick)
    development = corpus.development
    keras_probabilities = predict(network, development.faces)
    same_label = keras_probabilities.argmax(axis=1) == recognizer.predict_proba(development.faces).argmax(axis=1)
    card = render(
        "face_emotion.md.j2",
        model=name,
        kind=config.model,
        emotions=EMOTIONS,
        trained_emotions=corpus.emotions,
        corpus_name=corpus.name,
        training_faces=len(corpus.training),
        notes=corpus.notes,
        parameters=network.count_params(),
        keras_version=keras.version(),
        smallest_face=FACE_SIZES[0][1],
        largest_face=FACE_SIZE,
        label_factor=calibration.label_factor,
        vote_factor=calibration.vote_factor,
        raised={emotion: value for emotion, value in zip(EMOTIONS, calibration.bias, strict=True) if value > 0},
        min_recall=MIN_RECALL,
        runs=runs,
        quantization=DYNAMIC_RANGE,
        agreement=same_label.mean(),
        keras_accuracy=classification_metrics(development.labels, keras_probabilities).accuracy,
        splits=result.splits,
        calibration_error=result.calibration.error,
        bins=RELIABILITY_BINS,
        robustness=result.robustness,
        haar_faces=HAAR_FACES,
        haar=result.haar,
    )
    write_text(models_dir / f"{name}.md", with_notices(card, [QUICK_NOTICE] if config.quick else []))
