"""Describe a trained speech network: metrics, plots and model card."""

import json
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.speech import LABELS, MODEL_NAME, to_mood_vectors
from moodmirror.training import plots
from moodmirror.training.atomic_files import write_text
from moodmirror.training.export import DYNAMIC_RANGE
from moodmirror.training.metrics import RELIABILITY_BINS, classification_metrics, reliability
from moodmirror.training.model_card import render, with_notices
from moodmirror.training.progress import QUICK_NOTICE
from moodmirror.training.speech_conditions import AS_RECORDED, CONDITIONS
from moodmirror.training.speech_corpora import FOLDS, KNOWN_VOICE, SpeechCorpus
from moodmirror.training.speech_evaluation import FoldPredictions, emotion_indices

UNIT: Final = "recordings"
CORPUS_LICENSES: Final = (
    "RAVDESS (Livingstone and Russo, 2018) is licensed under CC BY-NC-SA 4.0, TESS (Pichora-Fuller and Dupuis, 2020) under "
    "CC BY-NC-ND 4.0, EMO-DB (Burkhardt et al., 2005) under CC0. Models trained on the first two are for non-commercial use."
)
FURTHER_LICENSES: Final = {
    "SAVEE": "SAVEE (Haq and Jackson, 2009) is for research, on request.",
    "CREMA-D": "CREMA-D (Cao et al., 2014) is under the Open Database License.",
}
PANELS: Final[plots.Panels] = (
    (("loss",), "cross-entropy, mean of the folds"),
    (("held_out_UAR",), "UAR, mean of the folds"),
)


def notices_of(corpus: SpeechCorpus, *, quick: bool) -> list[str]:
    """Return the notices that a card of a model trained on the corpus begins with."""
    known_voice = [KNOWN_VOICE] if corpus.known_voice else []
    return [*([QUICK_NOTICE] if quick else []), *known_voice]


def write_card(
    corpus: SpeechCorpus,
    predictions: FoldPredictions,
    *,
    settings: dict[str, Any],
    network: str,
    temperature: float,
    agreement: float,
    random_recall: float | None,
    transfer: dict[str, dict[str, float]],
    histories: list[dict[str, Any]],
    name: str = MODEL_NAME,
    quick: bool = False,
    models_dir: Path,
) -> None:
    """Write metrics, plots and model card of the network `name` in `models_dir` beside it.

    `predictions` are those of the folds; `random_recall` is the UAR of a random split, None where there is none, `transfer`
    that from corpus to corpus; `agreement` is the share of windows for which Keras and LiteRT predict the same label;
    `histories` are the losses and recalls of the folds.
    """
    probabilities = {name: predictions.probabilities(name) for name in CONDITIONS}
    eight = {
        condition: classification_metrics(predictions.labels, probabilities[condition], names=LABELS, unit=UNIT)
        for condition in CONDITIONS
    }
    emotions = emotion_indices(predictions.labels)
    vectors = {name: to_mood_vectors(probabilities[name], LABELS) for name in CONDITIONS}
    seven = {name: classification_metrics(emotions, vectors[name], unit=UNIT) for name in CONDITIONS}
    calibration = {name: reliability(emotions, vectors[name]) for name in CONDITIONS}
    recalls = {name: metrics.unweighted_average_recall for name, metrics in eight.items()}
    print(f"\n{eight[AS_RECORDED].as_text()}")
    print("\n".join(f"{name:26}UAR of eight labels {recall:.4f}" for name, recall in recalls.items()), flush=True)
    if corpus.known_voice:
        print(KNOWN_VOICE, flush=True)

    plots.plot_curves(mean_history(histories), models_dir / f"{name}_curves.png", panels=PANELS)
    plots.plot_confusion(eight[AS_RECORDED], models_dir / f"{name}_confusion.png")
    plots.plot_reliability(calibration[AS_RECORDED], models_dir / f"{name}_reliability.png", unit=UNIT)
    plots.plot_bars(recalls, models_dir / f"{name}_robustness.png", measure="unweighted average recall, eight labels")
    split = "one split" if quick else f"{FOLDS} folds"
    protocol = f"{split} of RAVDESS actors, or of all speakers without RAVDESS; no speaker on both sides"
    if corpus.known_voice:
        protocol = f"{split} of the recordings of one speaker, who is on both sides"
    metrics_by_name = {
        "protocol": protocol,
        "quick": quick,
        "labels": corpus.present_labels,
        "conditions": {
            name: {
                "uar_eight_labels": round(recalls[name], 5),
                "uar_seven_emotions": round(seven[name].unweighted_average_recall, 5),
                "expected_calibration_error": round(calibration[name].error, 5),
            }
            for name in CONDITIONS
        },
        "eight_labels": eight[AS_RECORDED].as_json(),
        "seven_emotions": seven[AS_RECORDED].as_json(),
        "random_split_uar": None if random_recall is None else round(random_recall, 5),
        "corpus_to_corpus_uar": transfer,
        "temperature": round(temperature, 5),
    }
    write_text(models_dir / f"{name}.json", json.dumps(metrics_by_name, indent=1) + "\n")
    card = render(
        "speech_emotion.md.j2",
        known_voice=corpus.known_voice,
        quick=quick,
        trained_labels=corpus.present_labels,
        model=name,
        labels=LABELS,
        emotions=EMOTIONS,
        corpus=corpus.describe(),
        notes=corpus.notes,
        licenses=" ".join([CORPUS_LICENSES, *(text for other, text in FURTHER_LICENSES.items() if other in corpus.corpora)]),
        network=network,
        keras_version=keras.version(),
        settings=settings,
        temperature=temperature,
        quantization=DYNAMIC_RANGE,
        agreement=agreement,
        windows=len(predictions.windows[AS_RECORDED].recording),
        recordings=len(predictions.labels),
        speakers=len({corpus.clips[index].speaker for index in predictions.indices}),
        folds=FOLDS,
        as_recorded=AS_RECORDED,
        eight=eight,
        seven=seven,
        calibration=calibration,
        bins=RELIABILITY_BINS,
        random_recall=random_recall,
        transfer=transfer,
        test_corpora=list(dict.fromkeys([*transfer, *(name for row in transfer.values() for name in row)])),
    )
    write_text(models_dir / f"{name}.md", with_notices(card, notices_of(corpus, quick=quick)))


def mean_history(histories: list[dict[str, Any]]) -> list[dict[str, float]]:
    """Return the mean loss of the networks per epoch and, where measured, their mean recall on the held-out folds."""
    entries = []
    for index in range(min(len(history["loss"]) for history in histories)):
        entry = {"epoch": float(index + 1), "loss": float(np.mean([history["loss"][index] for history in histories]))}
        recalls = [history["recall"][str(index + 1)] for history in histories if str(index + 1) in history["recall"]]
        if recalls:
            entry["held_out_UAR"] = float(np.mean(recalls))
        entries.append(entry)
    return entries
