"""CPU time of ranking very many items, and of importing catalogues."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.recommend.report import Finding, print_row
from moodmirror.app_factory import create_app
from moodmirror.config import CameraSource, Config
from moodmirror.emotions import EMOTIONS
from moodmirror.recommendation.importers.imported_table import ImportedTable
from moodmirror.recommendation.top_k import top_k_indices

SIZES: Final = (10_000, 1_000_000, 10_000_000)  # items
K: Final = 20
RUNS: Final = 7


def _median_cpu_milliseconds(step: Callable[[], object]) -> float:
    """Return the median CPU time of `step` in milliseconds, after one warm-up run."""
    times = []
    for _ in range(RUNS + 1):
        began = time.process_time()
        step()
        times.append(time.process_time() - began)
    return 1000 * statistics.median(times[1:])


def measure_ranking() -> list[Finding]:
    """Measure the CPU time of ranking many items exactly."""
    print(f"\nThe {K} best of many, exactly: one matrix product over float32 [n, {len(EMOTIONS)}] and one selection")
    print_row("items", "MB", "read, ms", "rank, ms", "GB/s", "exact")
    generator, findings = np.random.default_rng(0), []
    mood = generator.dirichlet(np.ones(len(EMOTIONS))).astype(np.float32)
    for size in SIZES:
        features = np.empty((len(EMOTIONS), size), dtype=np.float32)
        for column in features:
            generator.random(out=column, dtype=np.float32)
        # The cost of reading alone: one pass that only finds the largest value.
        reading = _median_cpu_milliseconds(features.max)
        ranking = _median_cpu_milliseconds(lambda: top_k_indices(mood @ features, K))  # noqa: B023  # called at once
        fits = mood @ features
        exact = top_k_indices(fits, K).tolist() == np.argsort(-fits, kind="stable")[:K].tolist()
        rate = features.nbytes / 1e6 / ranking
        print_row(f"{size:,}", f"{features.nbytes / 1e6:.1f}", f"{reading:.2f}", f"{ranking:.2f}", f"{rate:.1f}", str(exact))
        result = f"{ranking:.2f} ms, {features.nbytes / 1e6:.1f} MB{'' if exact else ', NOT EXACT'}"
        findings.append(Finding(f"the {K} best of {size:,}, exactly", f"{reading:.2f} ms to read once", result))
    print(
        f"  Milliseconds of CPU, medians of {RUNS} runs, one thread. Besides the table, 4 bytes per item are written and "
        "read once.\n  exact: the same items in the same order as a full stable sort"
    )
    return findings


def measure_imports(folder: Path) -> list[Finding]:
    """Measure the CPU time of importing a song catalogue and a film catalogue."""
    print("\nImporting, from file to saved table")
    print_row("", "rows", "CPU, s", "per 1,000")
    findings = []
    for kind, file, command, target in (
        ("songs", "spotify_songs.csv", ["import", "songs"], "30,000 in under 20 s on two cores"),
        ("movies", "tmdb_5000_movies.csv", ["import", "movies"], "5,000 in under 90 s on two cores"),
    ):
        with tempfile.TemporaryDirectory(prefix="mood-mirror-") as instance:
            runner = create_app(Config(camera=CameraSource("off", "off"), instance=Path(instance))).test_cli_runner()
            began = time.process_time()
            done = runner.invoke(args=[*command, str(folder / file)])
            seconds = time.process_time() - began
            if done.exit_code:
                raise RuntimeError(done.output)
            rows = len(ImportedTable(Path(instance) / "catalogue", kind).rows)
        print_row(f"{kind}, {file}", f"{rows:,}", f"{seconds:.1f}", f"{1000 * seconds / rows:.2f}")
        findings.append(Finding(f"import of {rows:,} {kind}", target, f"{seconds:.1f} s of CPU"))
    print("  CPU seconds of all threads together, including the loading of models; on two idle cores the import takes less.")
    return findings
