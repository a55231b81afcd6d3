"""Run all parts of the recommendation benchmark and print a summary."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.recommend.diversity import measure_diversity
from benchmarks.recommend.mood_and_ratings import measure_mood_and_ratings
from benchmarks.recommend.report import Finding
from benchmarks.recommend.song_moods import measure_song_moods
from benchmarks.recommend.speed import measure_imports, measure_ranking
from benchmarks.recommend.taste import measure_taste
from benchmarks.recommend.wishes import measure_wishes

DATA: Final = Path(os.environ.get("DATA", Path(__file__).resolve().parents[3] / "shared" / "data")) / "catalogue"

PARTS: Final[tuple[tuple[str | None, Callable[..., list[Finding]]], ...]] = (
    ("songs_pmemo_joined_spotify.csv", measure_song_moods),
    ("ldos_comoda.csv", measure_mood_and_ratings),
    ("ml-latest-small", measure_taste),
    (None, measure_diversity),
    (None, measure_wishes),
    (None, measure_ranking),
    ("tmdb_5000_movies.csv", measure_imports),
)
"""Each part of the benchmark, with the file or folder in DATA that it needs, if any."""


def main() -> int:
    """Run all parts, print their figures and a summary; returns the exit status."""
    began = time.perf_counter()
    findings: list[Finding] = []
    for number, (name, measure) in enumerate(PARTS, start=1):
        print(f"[{number}/{len(PARTS)}, after {time.perf_counter() - began:.0f} s]", file=sys.stderr, flush=True)
        if name is None:
            findings += measure()
        elif (DATA / name).exists():
            findings += measure(DATA)
        else:
            print(f"\nSkipped: {DATA / name} is missing. Set DATA to the folder that contains catalogue/.")
    print(f"\n{'summary':64}{'target, or to compare':>38}{'result':>26}")
    for finding in findings:
        print(f"{finding.measure:64}{finding.target:>38}{finding.result:>26}")
    print(f"\n{time.perf_counter() - began:.0f} s in all, {time.process_time():.0f} s of CPU")
    return 0


if __name__ == "__main__":
    sys.exit(main())
