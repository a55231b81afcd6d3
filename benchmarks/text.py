"""Measure the cost of reading a text: `make bench`.

Latency of one text on one thread (wall clock, medians), sentences a second in batch on two threads, and memory, in a process
of its own. Absolute figures depend on the machine; compare figures of one run with each other.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Final

import psutil

RUNS: Final = 60  # of each step; the first tenth warms up and is not counted
BATCH: Final = 2000  # sentences
SHORT: Final = (
    "I can't believe we finally made it home.",
    "The shop closes at six today.",
    "He never called me back and it hurts.",
    "What a lovely surprise!",
    "This soup tastes awful.",
    "Leave me alone, I'm so angry.",
    "Did you hear that noise upstairs?",
    "thanks, that was really kind of you",
)


def text_of(tokens: int) -> str:
    """Return a text of `tokens` tokens, the two special tokens included: common words of one token each."""
    words = ("i", "was", "so", "happy", "to", "see", "my", "old", "friend", "again", "after", "all", "these", "years")
    return " ".join(words[index % len(words)] for index in range(tokens - 2))


def median(step: Callable[[], object], runs: int = RUNS) -> float:
    """The median time of a step, in milliseconds."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times[runs // 10 :])


def show(name: str, value: float, unit: str) -> None:
    """Print one line of the table."""
    print(f"  {name:54}{value:8.1f} {unit}")


def main() -> None:
    """Print the results."""
    began = time.perf_counter()
    from moodmirror.recognition.text import TextEmotionRecognizer  # noqa: PLC0415  # its cost is measured

    recognizer = TextEmotionRecognizer.load()
    opened = time.perf_counter() - began
    print(f"Reading texts, medians of {RUNS} runs")
    for tokens in (20, 128):
        text = text_of(tokens)
        show(f"one text of {tokens} tokens, one thread", median(partial(recognizer.predict_proba, [text])), "ms")
    show("importances of 15 words", median(lambda: recognizer.explain(text_of(17)), 20), "ms")
    two = TextEmotionRecognizer.load(threads=2)
    lines = [SHORT[index % len(SHORT)] for index in range(BATCH)]
    two.predict_proba(lines[:100])
    began = time.perf_counter()
    two.predict_proba(lines)
    show(f"{BATCH:,} short sentences in batches, two threads", BATCH / (time.perf_counter() - began), "a second")
    show("opening the model", opened, "s")
    alone = subprocess.run([sys.executable, "-m", "benchmarks.text", "--memory"], capture_output=True, text=True, check=True)
    show("memory of one open model that has read a text", float(alone.stdout), "MB")


def memory() -> None:
    """Print how much memory, in MB, a process uses to open the model and read a text."""
    import moodmirror.recognition.model_files  # noqa: F401, PLC0415  # numpy is not counted

    before = psutil.Process().memory_info().rss
    from moodmirror.recognition.text import TextEmotionRecognizer  # noqa: PLC0415

    TextEmotionRecognizer.load().predict_proba([text_of(128)])
    print((psutil.Process().memory_info().rss - before) / 1e6)


if __name__ == "__main__":
    memory() if "--memory" in sys.argv else main()
