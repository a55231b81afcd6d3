"""Describe what :mod:`moodmirror.training.fusion` measured: metrics, plots and a card."""

import json
from pathlib import Path
from typing import Final

from moodmirror.fusion import HALF_LIFE_SECONDS
from moodmirror.training import plots
from moodmirror.training.atomic_files import write_text
from moodmirror.training.face_corpora import FaceCorpus
from moodmirror.training.fusion_evaluation import CHANCES, CONDITIONS, FINE, FITTED_FUSIONS, FIXED, SERVED, FusionEvaluation
from moodmirror.training.metrics import RELIABILITY_BINS
from moodmirror.training.model_card import render, with_notices
from moodmirror.training.progress import QUICK_NOTICE
from moodmirror.training.speech_card import CORPUS_LICENSES
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
    quick: bool,
    out: Path,
) -> None:
    """Print the metrics, and write them with plots and a card to `out`.

    `counts` are the numbers of faces to fit on, of faces to test on, and of recordings; `rarest` is the number of test faces
    of the rarest emotion, and this emotion.
    """
    print(f"\n{result.as_text()}\n")
    fitting_faces, test_faces, recordings = counts
    better_source = max("face alone", "voice alone", key=lambda name: result.metrics["both fine"][name].macro_f1)
    print(
        f"if both are fine, the served fusion exceeds the {better_source} by {100 * result.gain:.1f} points of macro-F1",
        flush=True,
    )
    fine = result.metrics["both fine"][SERVED]
    plots.plot_confusion(fine, out / f"{NAME}_confusion.png")
    plots.plot_reliability(result.calibration, out / f"{NAME}_reliability.png", unit="pairs")
    plots.plot_grouped_bars(
        {condition: {name: one.macro_f1 for name, one in row.items()} for condition, row in result.metrics.items()},
        out / f"{NAME}_robustness.png",
        measure="macro-F1",
    )
    protocol = (
        f"{result.pairings} random pairings (seed {seed}) of each of {recordings:,} recordings with one of {test_faces:,} "
        "faces of the same emotion; voices are predicted by networks and fusion methods of folds with other speakers, faces "
        f"are used with fusion methods that were fitted on {fitting_faces:,} other faces"
    )
    metrics_by_name = {
        "protocol": protocol,
        "conditions": {
            condition: {
                name: {"accuracy": round(one.accuracy, 5), "macro_f1": round(one.macro_f1, 5)} for name, one in row.items()
            }
            for condition, row in result.metrics.items()
        },
        "served_macro_f1_spread": {condition: round(spread, 5) for condition, spread in result.spread.items()},
        "served": fine.as_json(),
        "expected_calibration_error": round(result.calibration.error, 5),
        "called_mixed": {"one_emotion": round(result.mixed[0], 5), "two_emotions": round(result.mixed[1], 5)},
    }
    write_text(out / f"{NAME}.json", json.dumps(metrics_by_name, indent=1) + "\n")
    card = render(
        "fusion.md.j2",
        name=NAME,
        half_lives={source: seconds for source, seconds in HALF_LIFE_SECONDS.items() if source != "chosen"},
        protocol=protocol,
        voices=voices.describe(),
        faces=faces.name,
        chances=CHANCES,
        rarest_count=rarest[0],
        rarest_emotion=rarest[1],
        licenses=CORPUS_LICENSES,
        fusions=[*FIXED, *FITTED_FUSIONS],
        served=SERVED,
        metrics=result.metrics,
        gain_points=100 * result.gain,
        better_source=better_source,
        spread_points=100 * result.spread["both fine"],
        ranking=mean_ranking(result),
        fine=fine,
        calibration_error=result.calibration.error,
        bins=RELIABILITY_BINS,
        mixed_one_emotion=result.mixed[0],
        mixed_two_emotions=result.mixed[1],
    )
    write_text(out / f"{NAME}.md", with_notices(card, [QUICK_NOTICE] if quick else []))


def mean_ranking(result: FusionEvaluation) -> list[tuple[str, float]]:
    """Return each fusion of both sources with its mean macro-F1 where a source is worse or missing, best first."""
    fusions = [name for name in (*FIXED, *FITTED_FUSIONS) if not name.endswith("alone")]
    degraded = [row for condition, row in result.metrics.items() if CONDITIONS[condition] != (FINE, FINE)]
    means = {name: sum(row[name].macro_f1 for row in degraded) / len(degraded) for name in fusions}
    return sorted(means.items(), key=lambda entry: -entry[1])
