"""Describe a trained speech network: figures, pictures and model card."""

import json
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.speech import LABEL_TO_EMOTION, LABELS, MODEL_NAME, to_mood_vectors
from moodmirror.training import plots
from moodmirror.training.atomic_files import write_text
from moodmirror.training.export import DYNAMIC_RANGE
from moodmirror.training.metrics import RELIABILITY_BINS, classification_metrics, reliability
from moodmirror.training.speech_corpora import FOLDS, SpeechCorpus
from moodmirror.training.speech_evaluation import AS_RECORDED, CONDITIONS, FoldAnswers

UNIT: Final = "recordings"
TERMS: Final = (
    "RAVDESS (Livingstone and Russo, 2018) is under CC BY-NC-SA 4.0, TESS (Pichora-Fuller and Dupuis, 2020) under CC BY-NC-"
    "ND 4.0, EMO-DB (Burkhardt et al., 2005) under CC0: what is learnt from the first two is for non-commercial use. No "
    "sound is part of this repository."
)


def seven(labels: npt.NDArray[np.int_]) -> npt.NDArray[np.int_]:
    """Indices into EMOTIONS of indices into LABELS: calm is neutral."""
    return np.array([EMOTIONS.index(LABEL_TO_EMOTION[name]) for name in LABELS], dtype=np.int_)[labels]


def write_card(
    corpus: SpeechCorpus,
    answers: FoldAnswers,
    *,
    settings: dict[str, Any],
    network: str,
    temperature: float,
    agreement: float,
    random_recall: float,
    transfer: dict[str, dict[str, float]],
    histories: list[dict[str, Any]],
    models_dir: Path,
) -> None:
    """Write figures, pictures and model card of the network in `models_dir` beside it.

    `answers` are those of the folds; `random_recall` is the UAR of a random split, `transfer` that from corpus to corpus;
    `agreement` is the share of windows on which Keras and LiteRT name the same label; `histories` are the folds' losses and
    recalls.
    """
    eight = {
        name: classification_metrics(answers.labels, answers.probabilities(name), names=LABELS, unit=UNIT)
        for name in CONDITIONS
    }
    emotions = seven(answers.labels)
    vectors = {name: to_mood_vectors(answers.probabilities(name), LABELS) for name in CONDITIONS}
    moods = {name: classification_metrics(emotions, vectors[name], unit=UNIT) for name in CONDITIONS}
    calibration = {name: reliability(emotions, vectors[name]) for name in CONDITIONS}
    recalls = {name: result.unweighted_average_recall for name, result in eight.items()}
    honest = recalls[AS_RECORDED]
    print(f"\n{eight[AS_RECORDED].as_text()}")
    print("\n".join(f"{name:26}UAR of eight labels {recall:.4f}" for name, recall in recalls.items()), flush=True)

    plots.plot_curves(_mean_history(histories), models_dir / f"{MODEL_NAME}_curves.png", panels=PANELS)
    plots.plot_confusion(eight[AS_RECORDED], models_dir / f"{MODEL_NAME}_confusion.png")
    plots.plot_reliability(calibration[AS_RECORDED], models_dir / f"{MODEL_NAME}_reliability.png", unit=UNIT)
    robustness = models_dir / f"{MODEL_NAME}_robustness.png"
    plots.plot_bars(recalls, robustness, measure="unweighted average recall, eight labels")
    figures = {
        "protocol": f"{FOLDS} folds of RAVDESS actors, or of all speakers without RAVDESS; nobody on both sides",
        "conditions": {
            name: {
                "uar_eight_labels": round(recalls[name], 5),
                "uar_seven_emotions": round(moods[name].unweighted_average_recall, 5),
                "expected_calibration_error": round(calibration[name].error, 5),
            }
            for name in CONDITIONS
        },
        "eight_labels": eight[AS_RECORDED].as_json(),
        "seven_emotions": moods[AS_RECORDED].as_json(),
        "random_split_uar": round(random_recall, 5),
        "corpus_to_corpus_uar": transfer,
        "temperature": round(temperature, 5),
    }
    write_text(models_dir / f"{MODEL_NAME}.json", json.dumps(figures, indent=1) + "\n")
    judged_on = (
        f"{len(answers.labels):,} {UNIT} of {len({corpus.clips[index].speaker for index in answers.chosen})} speakers"
    )
    card = [
        "# Model card: the speech network",
        "",
        f"`{MODEL_NAME}.tflite` maps the log-mel spectrogram of 3 s of speech to probabilities of {', '.join(LABELS)}; the "
        f"recogniser serves them as {', '.join(EMOTIONS)}, calm counted to neutral. It is checked against `manifest.json` "
        "before use.",
        "",
        "## Data",
        "",
        f"{corpus.describe()}; {'; '.join(corpus.notes)}; boredom in EMO-DB is none of the labels and left out. {TERMS}",
        "",
        "## Network and training",
        "",
        f"{network}, trained from nothing with AdamW and cosine decay under Keras {keras.version()} on "
        "augmented copies: other pitch and speed, place in the window, microphone, room (decaying noise), noise (white to "
        "brown, and babble of other recordings) at 5 to 25 dB, band limits, clipping, codecs, and SpecAugment. Loudness is "
        "taken away before anything is learnt, for in RAVDESS it gives the label away. From what it hears when it is asked, "
        "noise that is there all the time is subtracted; from what it learns it is not, so that it stands what is left. The "
        f"scaling is the network's first layer. Settings: {', '.join(f'{key} {value}' for key, value in settings.items())}.",
        "",
        f"The served network learnt from everybody, by the recipe that the folds judge; its logits are divided by "
        f"{temperature:.3f}, the temperature that fits the folds' answers. Served with {DYNAMIC_RANGE}; Keras and LiteRT "
        f"name the same label for {agreement:.1%} of {len(answers.windows[AS_RECORDED].owner):,} windows.",
        "",
        f"![Training curves]({MODEL_NAME}_curves.png)",
        "",
        "## Figures",
        "",
        f"On {judged_on}, in {FOLDS} folds of speakers: each is judged by networks that never heard the speaker, and no "
        "figure of the speaker's is used. UAR is the unweighted average recall. The recipe was chosen by looking at these "
        "folds (four networks, two of them on one fold only; a dozen ways of subtracting noise), so its figures are a "
        "little kind, most of all those in noise. Noises and rooms are not the training's: white noise of another "
        "generator, 15 dB below the recording; rooms from mirror images of the source (Allen and Berkley, 1979), "
        "0.8 to 1.6 m from the microphone; every recording clipped at a quarter of its peak.",
        "",
        "| recordings | UAR, eight labels | UAR, seven emotions | expected calibration error |",
        "| --- | ---: | ---: | ---: |",
        *(
            f"| {name} | **{recalls[name]:.3f}** | {moods[name].unweighted_average_recall:.3f} | {error.error:.3f} |"
            for name, error in calibration.items()
        ),
        "",
        f"The figure not to believe: **{random_recall:.3f}** (UAR, eight labels) when a fifth of the recordings is held "
        f"out at random instead, against {honest:.3f}. Then every voice that is judged was heard in training, saying the "
        "same two sentences with the same emotion a second time: it measures how well voices are remembered. Whoever speaks "
        "to the mirror is a stranger.",
        "",
        f"![Robustness]({MODEL_NAME}_robustness.png)",
        "",
        "### Eight labels, as recorded",
        "",
        eight[AS_RECORDED].as_markdown(),
        "",
        f"![Confusion matrix]({MODEL_NAME}_confusion.png)",
        "",
        "### Seven emotions, as served",
        "",
        moods[AS_RECORDED].as_markdown(),
        "",
        "### From corpus to corpus",
        "",
        "UAR of one network that learnt from one corpus only and is judged on another, over the emotions that both have:",
        "",
        *_transfer_table(transfer),
        "",
        "### As sure as it is right?",
        "",
        f"Expected calibration error of the seven emotions **{calibration[AS_RECORDED].error:.3f}** "
        f"({RELIABILITY_BINS} bins), each fold under the temperature that was found on the other folds.",
        "",
        f"![Reliability diagram]({MODEL_NAME}_reliability.png)",
        "",
        "## Limits",
        "",
        "It hears how a voice sounds, not what is felt. All it learnt from is acted, most of it by North Americans, in few "
        "sentences and in studios; people themselves name RAVDESS' emotions rightly in about two of three recordings. "
        "Expect more errors on spontaneous speech, children, other languages, and several voices at once. Calm and neutral "
        "are hardly told apart and are served as one. A window without speech gets no reading; in noise a reading counts "
        "less. Not to be used to judge people, at work or at school (EU AI Act, Article 5).",
        "",
    ]
    write_text(models_dir / f"{MODEL_NAME}.md", "\n".join(card))


PANELS: Final[plots.Panels] = (
    (("loss",), "cross-entropy, mean of the folds"),
    (("held_out_UAR",), "UAR, mean of the folds"),
)


def _mean_history(histories: list[dict[str, Any]]) -> list[dict[str, float]]:
    """The mean over networks of each epoch's loss and, where it was judged, recall on the fold that was held out."""
    entries = []
    for index in range(min(len(history["loss"]) for history in histories)):
        entry = {"epoch": float(index + 1), "loss": float(np.mean([history["loss"][index] for history in histories]))}
        recalls = [history["recall"][str(index + 1)] for history in histories if str(index + 1) in history["recall"]]
        if recalls:
            entry["held_out_UAR"] = float(np.mean(recalls))
        entries.append(entry)
    return entries


def _transfer_table(transfer: dict[str, dict[str, float]]) -> list[str]:
    if not transfer:
        return ["There is only one corpus."]
    names = list(dict.fromkeys([*transfer, *(name for row in transfer.values() for name in row)]))
    lines = [f"| learnt from | {' | '.join(f'on {name}' for name in names)} |", f"| --- |{' ---: |' * len(names)}"]
    for trained, row in transfer.items():
        cells = [f"{row[name]:.3f}" if name in row else "—" for name in names]
        lines.append(f"| {trained} | {' | '.join(cells)} |")
    return lines
