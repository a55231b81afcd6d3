"""Agreement of predicted song moods with people's ratings."""

from pathlib import Path

from benchmarks.recommend.report import Finding, print_row
from moodmirror.training import song_mood


def measure_song_moods(folder: Path) -> list[Finding]:
    """Measure the song mood model against people's ratings, by cross-validation."""
    print("Song mood against people's ratings, on held-out songs")
    measured = song_mood.measure(song_mood.Songs.read(folder))
    for name, value in measured.items():
        print_row(name, value)
    print(
        f"  Valence and arousal: Spearman's correlation, {song_mood.RATING_FOLDS} folds; labels: accuracy, "
        f"{song_mood.LABEL_FOLDS} folds; means of {song_mood.FOLD_DRAWS} random divisions into folds."
    )
    return [
        Finding("songs' valence against people's, Spearman", "at least 0.52", f"{measured['valence, ours']:.3f}"),
        Finding("songs' arousal against people's, Spearman", "at least 0.56", f"{measured['arousal, ours']:.3f}"),
        Finding("songs' four labels, accuracy", "at least 78 %", f"{measured['labels, ours']:.1%}"),
    ]
