"""The text network's model card: figures, pictures and what to know, beside its files."""

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
from moodmirror.training import metrics, plots
from moodmirror.training.atomic_files import write_text
from moodmirror.training.export import DYNAMIC_RANGE
from moodmirror.training.text_calibration import Calibration
from moodmirror.training.text_corpora import TextCorpora
from moodmirror.training.text_evaluation import DRAWS, FOLDS, MultilabelFigures, evaluation

# Terms and source of encoders that teachers are known to begin with.
ENCODERS: Final = {"all-mpnet-base-v2": "Apache-2.0; Song et al., 2020; Reimers and Gurevych, 2019"}
# Settings that say where something lies: on one machine.
PLACES: Final = ("encoder", "teacher_encoder", "also_taught", "also_averaged")
# Settings of the teachers, told where the card tells of these.
OF_TEACHERS: Final = ("folds", "teacher_epochs", "teacher_learning_rate", "teacher_frozen")
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Made:
    """How the files in `models_dir` came to be, for the card.

    `settings` are the run's, `other_lessons` those of the runs whose teachers taught it too, `other_networks` those of the
    networks of other runs that are averaged with the run's own `networks`. `keras_moods` is what the Keras model answers on
    the development part, `pretrained_vectors` what the encoder gave there before it was trained; `histories` are those of
    all networks whose mean it is; `baselines` are other ways by name, each with its figures.
    """

    settings: Mapping[str, Any]
    other_lessons: Sequence[Mapping[str, Any]]
    parameters: int
    calibration: Calibration
    networks: int
    other_networks: Sequence[Mapping[str, Any]]
    histories: Sequence[list[dict[str, float]]]
    keras_moods: Floats
    pretrained_vectors: Floats
    baselines: Mapping[str, MultilabelFigures]


def write_card(corpora: TextCorpora, made: Made, models_dir: Path) -> None:
    """Evaluate the files in `models_dir`, and write figures, pictures and model card beside them."""
    recognizer = TextEmotionRecognizer.load(models_dir)
    result = evaluation(corpora, recognizer)
    moods, vectors = recognizer.network(corpora.development.texts)
    agreement = float((moods.argmax(axis=1) == made.keras_moods.argmax(axis=1)).mean())
    likeness = float((vectors * _unit(made.pretrained_vectors)).sum(axis=1).mean())
    print(f"{result.as_text()}\nKeras and LiteRT name the same emotion on {agreement:.2%} of the development texts")
    figures = result.as_json() | {
        "keras_litert_agreement": round(agreement, 5),
        "sentence_likeness": round(likeness, 5),
        "baselines_macro_f1": {name: round(other.macro_f1, 5) for name, other in made.baselines.items()},
    }
    write_text(models_dir / f"{MODEL_NAME}.json", json.dumps(figures, indent=1) + "\n")
    _draw_losses(made.histories, models_dir / f"{MODEL_NAME}_curves.png")
    plots.plot_reliability(result.reliability, models_dir / f"{MODEL_NAME}_reliability.png")
    sizes = {name: (models_dir / name).stat().st_size / 1e6 for name in TEXT_FILES}
    everyday = result.everyday
    everyday_lines = []
    if everyday is not None and result.everyday_reliability is not None and corpora.everyday is not None:
        plots.plot_confusion(everyday, models_dir / f"{MODEL_NAME}_everyday.png")
        majority = float(corpora.everyday.labels.mean(axis=0).max())
        everyday_lines = [
            "### Everyday talk",
            "",
            f"DailyDialog, {len(corpora.everyday):,} utterances of dialogues of which nothing was trained on or "
            "calibrated on: "
            f"accuracy **{everyday.accuracy:.1%}**, macro-F1 {everyday.macro_f1:.3f}, expected calibration error "
            f"{result.everyday_reliability.error:.3f}. Always answering the most frequent emotion would be right on "
            f"{majority:.1%}, and would tell nothing.",
            "",
            f"![Confusion matrix of everyday talk]({MODEL_NAME}_everyday.png)",
            "",
        ]
    tweets_lines = []
    if result.tweets_accuracy is not None and corpora.tweets is not None:
        tweets_lines = [
            "### Tweets",
            "",
            f"CARER's validation part, {len(corpora.tweets):,} tweets, among the five emotions that it names: accuracy "
            f"{result.tweets_accuracy:.1%}. Its training part was trained on, and its labels came from hashtags.",
            "",
        ]
    card = [
        "# Model card: the text network",
        "",
        f"`{GRAPH_FILE}` maps texts to mood vectors over {', '.join(EMOTIONS)}, and to sentence vectors. "
        f"`{TABLES_FILE}` holds its token table (int8, looked up outside the graph), `{TOKENIZER_FILE}` its "
        f"vocabulary: {sum(sizes.values()):.1f} MB "
        "together. All are checked against `manifest.json` before use.",
        "",
        "## Data",
        "",
        f"{', '.join(f'{name} {len(split):,}' for name, split in corpora.training.items())} training texts; "
        f"{'; '.join(corpora.notes)}. GoEmotions (Demszky et al., 2020; CC BY 4.0) are Reddit comments, its 27 emotions and "
        "neutral grouped into Ekman's six and neutral by the authors' own map; some are offensive. CARER (Saravia et "
        "al., 2018; "
        "for research and education) are tweets whose labels came from hashtags, without disgust and neutral: they teach "
        "which emotion it is, not whether there is one. DailyDialog (Li et al., 2017; CC BY-NC-SA 4.0) are everyday "
        "dialogues; its validation part was split by dialogue: three fifths trained on, one fifth to calibrate on, one "
        "fifth "
        f'to measure on. {made.settings["patterns"]:,} sentences an epoch were made of our own patterns (negation, "but", '
        "pictographs, sarcasm marked by /s, plain talk). No sentence of any corpus is part of this repository; no "
        "sentence of "
        "`tests/text_cases.tsv` is among the patterns.",
        "",
        "## Network and training",
        "",
        f"A transformer encoder of six layers, {made.parameters:,} parameters without the token table: all-MiniLM-L6-v2 "
        "(Apache-2.0; Wang et al., 2020; Reimers and Gurevych, 2019), rebuilt of Keras' standard layers, its vocabulary "
        "pruned to English, trained with its token table. Three losses: GoEmotions' own 28 labels, each yes or no; the "
        "seven, an emotion being there if any of its labels is (taken as independent: a noisy-or; what a corpus cannot name "
        "is not judged); and the angle to the "
        "pre-trained sentence vector, so that sentence vectors stay useful for search: on the development part their "
        f"cosine to those of the original is {likeness:.3f} on average. "
        + _taught(made.settings, made.other_lessons)
        + _specialist(made.settings)
        + _averaged(made)
        + "Texts are augmented: masked "
        'names filled in, typing errors, stretched letters, punctuation dropped, CARER\'s "i feel" taken off. AdamW with '
        f"warm-up and linear decay under Keras {keras.version()}. Settings: "
        + ", ".join(f"{key} {value}" for key, value in made.settings.items() if key not in (*PLACES, *OF_TEACHERS))
        + ".",
        "",
        f"The mood vector is softmax({made.calibration.factor:.2f} · log p + b), p being how likely each emotion is, b = "
        + ", ".join(f"{emotion} {value:+.2f}" for emotion, value in zip(EMOTIONS, made.calibration.bias, strict=True))
        + ": vector scaling (Guo et al., 2017), of least log loss on one half of GoEmotions' development part and on the "
        "dialogues kept for it, then scaled on the same texts until the likeliest emotion is as often one of a text's "
        "labels as its probability says; folded into the last layer.",
        "",
        f"Served with {DYNAMIC_RANGE}. Keras and LiteRT name the same emotion on {agreement:.1%} of the development texts.",
        "",
        f"![Training curves]({MODEL_NAME}_curves.png)",
        "",
        "## Figures",
        "",
        "All of the served files. Measured by `python train.py text --data PATH --evaluate`; for programs in "
        f"`{MODEL_NAME}.json`.",
        "",
        "### GoEmotions, development",
        "",
        "Multi-label; an emotion is read where its probability reaches a threshold of its own, found on four "
        f"fifths and measured on the fifth, {FOLDS} times; the table has the means over {DRAWS} such "
        f"divisions. Macro-F1 **{result.development.macro_f1:.3f}** over {len(corpora.development):,} texts; "
        f"the likeliest emotion is one of the labels on {result.development.top_accuracy:.1%}. Nothing was trained on "
        "this part; "
        "one half of it found the calibration. The test part was not looked at.",
        "",
        "| emotion | precision | recall | F1 | texts |" + "".join(f" {name} |" for name in made.baselines),
        "| --- | ---: | ---: | ---: | ---: |" + " ---: |" * len(made.baselines),
        *(
            f"| {emotion} | {result.development.precision[i]:.3f} | {result.development.recall[i]:.3f} | "
            f"{result.development.f1[i]:.3f} | {result.development.support[i]} |"
            + "".join(f" {other.f1[i]:.3f} |" for other in made.baselines.values())
            for i, emotion in enumerate(EMOTIONS)
        ),
        f"| all (macro) | {result.development.precision.mean():.3f} | {result.development.recall.mean():.3f} | "
        f"**{result.development.macro_f1:.3f}** | |"
        + "".join(f" {other.macro_f1:.3f} |" for other in made.baselines.values()),
        "",
        "The last columns are the F1 of plainer ways under the same protocol: a logistic regression for each emotion.",
        "",
        *everyday_lines,
        *tweets_lines,
        "### What people would notice",
        "",
        f"Of the {result.cases} sentences of `tests/text_cases.tsv` (negation, intensity, emoji, typos, slang, greetings, "
        f"plain news) it reads {result.cases_right} rightly: **{result.cases_right / result.cases:.1%}**. They are our own; "
        "what earlier networks missed of them led to patterns of the same kind.",
        "",
        "### As sure as it is right?",
        "",
        f"Expected calibration error of the likeliest emotion **{result.reliability.error:.3f}** "
        f"({metrics.RELIABILITY_BINS} bins) "
        "on the half of GoEmotions' development part that the calibration was not found on.",
        "",
        f"![Reliability diagram]({MODEL_NAME}_reliability.png)",
        "",
        "## Limits",
        "",
        "It reads English alone; a text in another language is told as such and answered as nearly neutral. It reads "
        "what words "
        "say, not what a person feels: irony without a mark, allusions and in-jokes escape it. Disgust and fear are "
        "rare in its "
        "training texts, and the labels of a comment are the impression of a few raters. What one group says about "
        "another in "
        "anger is in the training texts, so the mention of a group may move the answer. Not to be used to judge "
        "people, at work "
        "or at school (EU AI Act, Article 5).",
        "",
    ]
    write_text(models_dir / f"{MODEL_NAME}.md", "\n".join(card))


def _taught(settings: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> str:
    lessons = [lesson for lesson in (settings, *others) if lesson["folds"]]
    if not lessons:
        return ""
    return (
        "GoEmotions' texts were divided, and as many teachers as parts learnt all but one of them each: "
        f"{'; '.join(_teachers(lesson) for lesson in lessons)}. What "
        "is said of a text by those that did not learn it, weighed by a logistic regression for each label (Wolpert, 1992), "
        f"counts {settings['teacher_share']:g} of its targets, the labels the rest (Hinton et al., 2015). Nothing else of "
        "the teachers is served. "
    )


def _teachers(lesson: Mapping[str, Any]) -> str:
    name = Path(lesson["teacher_encoder"]).name
    encoder = f"{name} ({ENCODERS[name]})" if name in ENCODERS else name or "the same encoder"
    frozen = f", {lesson['teacher_frozen']} layers frozen" if lesson["teacher_frozen"] else ""
    rate = lesson["teacher_learning_rate"]
    return f"{lesson['folds']} parts, {encoder}, {lesson['teacher_epochs']:g} epochs, learning rate {rate:g}{frozen}"


def _specialist(settings: Mapping[str, Any]) -> str:
    share, of_patterns = settings["specialist_share"], settings["specialist_share_of_patterns"]
    if not share and not of_patterns:
        return ""
    return (
        "The other texts have other habits and labels of no doubt: what a network of the same kind that learnt GoEmotions "
        f"alone says of them counts {share:g} of their targets, {of_patterns:g} of the patterns'. "
    )


def _averaged(made: Made) -> str:
    if len(made.histories) == 1:
        return ""
    own = "one network" if made.networks == 1 else f"{made.networks} networks, alike but for the order of texts,"
    kinds = Counter(_differences(made.settings, other) for other in made.other_networks)
    others = "; ".join(f"{count} with {differences}" for differences, count in kinds.items())
    return (
        f"What is served has the mean of the weights of {own} trained so"
        + (f", and of {len(made.other_networks)} more, trained otherwise ({others})" if others else "")
        + ' (Wortsman et al., "Model Soups", 2022). '
    )


def _differences(settings: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    told = (*PLACES, *OF_TEACHERS, "networks")
    differing = [f"{key} {value}" for key, value in other.items() if key not in told and value != settings[key]]
    return ", ".join(differing) or "the same settings in another run"


def _unit(vectors: Floats) -> Floats:
    unit: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _draw_losses(histories: Sequence[list[dict[str, float]]], path: Path) -> None:
    """The parts of each network's loss and the glances at the development part over the steps, as PNG."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    losses, glances = figure.subplots(1, 2)
    for number, history in enumerate(histories):
        steps = [entry["step"] for entry in history]
        for key, colour in (("emotions", "C0"), ("fine", "C1"), ("sentence", "C2")):
            label = None if number else key
            losses.plot(steps, [entry[key] for entry in history], marker=".", color=colour, label=label)
        glances.plot(steps, [entry["glance_macro_f1"] for entry in history], marker=".")
    losses.set(title="parts of the loss", xlabel="step")
    losses.legend()
    glances.set(title="macro-F1 on some development texts, before calibration", xlabel="step")
    for axes in (losses, glances):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
