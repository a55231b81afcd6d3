"""Describe what :mod:`moodmirror.training.fusion` measured: figures, pictures and a card."""

import json
from pathlib import Path
from typing import Final

from moodmirror.fusion import HALF_LIFE_SECONDS
from moodmirror.training import metrics, plots
from moodmirror.training.atomic_files import write_text
from moodmirror.training.face_corpora import FaceCorpus
from moodmirror.training.fusion_evaluation import CHANCES, CONDITIONS, FINE, FITTED_FUSIONS, FIXED, SERVED, FusionEvaluation
from moodmirror.training.speech_card import TERMS
from moodmirror.training.speech_corpora import SpeechCorpus

NAME: Final = "fusion"


def write_card(
    result: FusionEvaluation,
    *,
    faces: FaceCorpus,
    voices: SpeechCorpus,
    counts: tuple[int, int, int],
    rarest: tuple[int, str],
    seed: int,
    models_dir: Path,
) -> None:
    """Print the figures, and write them with pictures and a card into `models_dir`.

    `counts` are the faces that were fitted on, the faces that were judged by, and the recordings; `rarest` is the emotion
    that fewest of the judged faces express, and how many do.
    """
    print(f"\n{result.as_text()}\n")
    fitted, judged, recordings = counts
    best_alone = max("face alone", "voice alone", key=lambda name: result.figures["both fine"][name].macro_f1)
    print(
        f"with both fine the served fusion gains {100 * result.gain:.1f} points of macro-F1 on the {best_alone}", flush=True
    )
    fine = result.figures["both fine"][SERVED]
    plots.plot_confusion(fine, models_dir / f"{NAME}_confusion.png")
    plots.plot_reliability(result.calibration, models_dir / f"{NAME}_reliability.png", unit="pairs")
    plots.plot_grouped_bars(
        {condition: {name: figures.macro_f1 for name, figures in row.items()} for condition, row in result.figures.items()},
        models_dir / f"{NAME}_robustness.png",
        measure="macro-F1",
    )
    protocol = (
        f"{result.pairings} random pairings (seed {seed}) of each of {recordings:,} recordings with a face of the same "
        f"emotion from {judged:,}; voices judged by networks and fusions of folds that hold other speakers, faces by "
        f"fusions that were fitted on {fitted:,} other faces"
    )
    figures = {
        "protocol": protocol,
        "conditions": {
            condition: {
                name: {"accuracy": round(one.accuracy, 5), "macro_f1": round(one.macro_f1, 5)} for name, one in row.items()
            }
            for condition, row in result.figures.items()
        },
        "served_macro_f1_spread": {condition: round(spread, 5) for condition, spread in result.spread.items()},
        "served": fine.as_json(),
        "expected_calibration_error": round(result.calibration.error, 5),
        "called_mixed": {"one_emotion": round(result.mixed[0], 5), "two_emotions": round(result.mixed[1], 5)},
    }
    write_text(models_dir / f"{NAME}.json", json.dumps(figures, indent=1) + "\n")
    names = [*FIXED, *FITTED_FUSIONS]
    chances = ", ".join(f"{state} {chance:.0%}" for state, chance in CHANCES.items())
    half_lives = ", ".join(f"{source} {seconds:g} s" for source, seconds in HALF_LIFE_SECONDS.items() if source != "chosen")
    ranking = mean_ranking(result)
    card = [
        "# Card: one mood out of a face and a voice",
        "",
        "`moodmirror.fusion.fuse` makes one mood of what face, voice and words say. It has no part that was trained on "
        "pairs: what the sources say is multiplied emotion by emotion, each raised to its trust by that of the most trusted "
        "source (a logarithmic opinion pool, Genest and Zidek, 1986), how common each emotion is, which every source "
        "reckons with, counts once (Bayes' rule), and where two of them contradict each other strongly the mood is their "
        "average and is called mixed. Trust is the reading's weight (sharpness of the face, which falls with its size; "
        f"signal to noise of the voice; length and certainty of the words), halved with age: {half_lives}. "
        f"Measured by `python train.py fusion --data face=PATH speech=PATH`; for programs in `{NAME}.json`.",
        "",
        "## Data and protocol",
        "",
        "No corpus that we have holds faces and voices of the same people, so pairs are made: a voice and a face that were "
        f"labelled with the same emotion, drawn at random. {protocol[0].upper()}{protocol[1:]}. Calm voices count as "
        f"neutral.",
        "",
        f"- Voices: {voices.describe()}. Each is answered for by the network of its fold, which never heard the speaker; "
        "fusions that are fitted are fitted once a fold, on the other folds' voices. A fold's speakers were heard by the "
        "networks that answered for those other voices, as in every stacking over folds.",
        f"- Faces: {faces.name}, the development part without exact copies of training faces. No network was trained on "
        f"it, but "
        "it chose the face network's epoch, and its first half, which fusions are fitted on here, that network's "
        "calibration. "
        "The corpus names no people, so that nobody is on both sides can be said of pictures only.",
        "- Worse: a face is darkened by 80 gray levels, blurred by 1.5 pixels, in noise of 20 gray levels, or 20 pixels "
        "wide; a "
        "voice is in white noise at 15 dB or 5 dB, or in a room, each in turn. Fitted fusions learnt from other ways: "
        "brighter, "
        "blurred by 1 pixel, noise of 10, 24 pixels wide; pink noise at 10 dB, decaying noise for a room. "
        f"As they come: each is, by chance, {chances}, never both missing.",
        "- A voice in which no speech is found gives no reading, as live. One alone that is missing is counted as neutral.",
        f"- Faces recur, most of all those of {rarest[1]}, of which there are {rarest[0]}.",
        "- No number of the served rule was fitted on pairs. How common each sense finds an emotion is its mean answer: of "
        "faces about those that fusions are fitted on, of voices about all, as recorded. How the weight of a face falls "
        "with its sharpness was chosen on the faces that fusions are fitted on.",
        "",
        f"FER2013 (Goodfellow et al., 2013) holds pictures scraped from the web, for research use. {TERMS} Neither is any "
        "picture.",
        "",
        "## Figures",
        "",
        "Macro-F1 over the seven emotions, and accuracy:",
        "",
        f"| pairs | {' | '.join(names)} |",
        f"| --- |{' ---: |' * len(names)}",
        *(
            f"| {condition} | "
            + " | ".join(
                f"{'**' if name == SERVED else ''}{row[name].macro_f1:.3f}{'**' if name == SERVED else ''} "
                f"({row[name].accuracy:.1%})"
                if name in row
                else "—"
                for name in names
            )
            + " |"
            for condition, row in result.figures.items()
        ),
        "",
        f"With both fine the served fusion gains **{100 * result.gain:.1f} points** of macro-F1 on the {best_alone}. From "
        f"pairing "
        f"to pairing its macro-F1 varies by {100 * result.spread['both fine']:.1f} points (standard deviation). "
        "Where a sense is worse or missing, the mean macro-F1 is "
        + ", ".join(f"{mean:.3f} ({name})" for name, mean in ranking)
        + ".",
        "",
        f"![Macro-F1 by condition]({NAME}_robustness.png)",
        "",
        "### The served fusion, both fine",
        "",
        fine.as_markdown(),
        "",
        f"![Confusion matrix]({NAME}_confusion.png)",
        "",
        "### As sure as it is right?",
        "",
        f"Expected calibration error **{result.calibration.error:.3f}** ({metrics.RELIABILITY_BINS} bins), both fine.",
        "",
        f"![Reliability diagram]({NAME}_reliability.png)",
        "",
        "### Mixed",
        "",
        f"Of pairs of one emotion **{result.mixed[0]:.1%}** are called mixed, because a sense errs with certainty; of "
        f"pairs of "
        f"two emotions, neither of them neutral, **{result.mixed[1]:.1%}**: in the others a sense is not sure, or says "
        f"neutral "
        "or the other's emotion.",
        "",
        "## Limits",
        "",
        "Made pairs are not people: a face and a voice of one person at one moment err together more than these do, by the "
        "same mumbling or the same irony, so expect to gain less. All voices are acted. Nothing here measures words, for no "
        "corpus that we have has them beside faces: they enter by the same rule, with their own calibrated certainty. "
        "Conflict is "
        "judged between what networks say, not between feelings.",
        "",
    ]
    write_text(models_dir / f"{NAME}.md", "\n".join(card))


def mean_ranking(result: FusionEvaluation) -> list[tuple[str, float]]:
    """Each true fusion with its mean macro-F1 over the conditions in which a sense is worse or missing, best first."""
    fusions = [name for name in (*FIXED, *FITTED_FUSIONS) if not name.endswith("alone")]
    degraded = [row for condition, row in result.figures.items() if CONDITIONS[condition] != (FINE, FINE)]
    means = {name: sum(row[name].macro_f1 for row in degraded) / len(degraded) for name in fusions}
    return sorted(means.items(), key=lambda entry: -entry[1])
