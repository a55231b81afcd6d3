"""Make rows of films and series.

The mood is the one that the file names, or else the weighted mean of what a film has: the text network's reading of the
overview, the typical emotions of its genres, and the moods of its keywords and tags.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from moodmirror.emotions import EMOTIONS, MoodVector, valence_arousal
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recommendation.catalogue import MAX_TAGS
from moodmirror.recommendation.importers.imported_table import GUESSED, NAMED, ORIGIN, Row, make_row, measured_from
from moodmirror.recommendation.importers.source_files import Entry, first_sentence
from moodmirror.recommendation.importers.tag_lexicon import mood_of_genres, mood_of_tags, plain_tags, tags_of_keywords

BATCH: Final = 128  # overviews analyzed at once: a few seconds of work
# Weights of the votes. The overview says most about this very film; a genre is right on average.
TEXT_SHARE: Final = 0.4
WORDS_SHARE: Final = 0.3
GENRE_SHARE: Final = 0.3
# Overviews are written in a neutral tone: the network reads most of them as neutral, which says little about the film.
NEUTRAL_FACTOR: Final = 0.25
MAX_TEXT_CHARACTERS: Final = 280  # of an overview, about three sentences: 5,000 take less than 90 s on two cores


def make_rows(recognizer: Callable[[], TextEmotionRecognizer], entries: Sequence[Entry]) -> list[Row]:
    """Make rows of films; the recognizer is opened only if there are overviews."""
    with_text = [index for index, entry in enumerate(entries) if entry.text.strip() and entry.mood is None]
    text_moods: dict[int, MoodVector] = {}
    if with_text:
        texts = [entries[index].text[:MAX_TEXT_CHARACTERS] for index in with_text]
        text_moods = dict(zip(with_text, predict_story_moods(recognizer(), texts), strict=True))
    tags = [tags_of_keywords(entry.words, "movies") for entry in entries]
    vectors = np.stack(
        [
            _weighted_mood(
                text_moods.get(index), mood_of_tags(own) if own else None, mood_of_genres(entry.cells["genres"].split("|"))
            )
            if entry.mood is None
            else entry.mood
            for index, (entry, own) in enumerate(zip(entries, tags, strict=True))
        ]
    )
    return [
        make_row(
            entry,
            vector,
            valence_arousal(vector),
            tags=list(dict.fromkeys([*own, *plain]))[:MAX_TAGS] if entry.mood is None else plain,
            line=first_sentence(entry.text) or _default_line(entry),
            origin=_origin(entry),
        )
        for entry, vector, own, plain in zip(entries, vectors, tags, plain_tags(vectors), strict=True)
    ]


def predict_story_moods(recognizer: TextEmotionRecognizer, texts: Sequence[str]) -> list[MoodVector]:
    """Predict the moods of stories with the text network, with the share of neutral reduced."""
    moods = recognizer.predict_proba(list(texts))
    moods[:, EMOTIONS.index("neutral")] *= NEUTRAL_FACTOR
    return list(moods / moods.sum(axis=1, keepdims=True))


def _weighted_mood(text: MoodVector | None, words: MoodVector | None, genres: MoodVector | None) -> MoodVector:
    votes = ((TEXT_SHARE, text), (WORDS_SHARE, words), (GENRE_SHARE, genres))
    given = [share * vote for share, vote in votes if vote is not None]
    if not given:  # neither overview, nor keyword, nor genre: no evidence for any emotion
        return np.full(len(EMOTIONS), 1 / len(EMOTIONS), dtype=np.float32)
    total = np.sum(given, axis=0)
    vector: MoodVector = (total / total.sum()).astype(np.float32)
    return vector


def _default_line(entry: Entry) -> str:
    genres = entry.cells["genres"].replace("|", ", ") or entry.cells["kind"]
    year = f" of {entry.cells['year']}" if entry.cells["year"] else ""
    return f"{genres[0].upper()}{genres[1:]}{year}."


def guessed_note(rows: Iterable[Mapping[str, str]], entries: Sequence[Entry]) -> str | None:
    """Return a note for the user on the imported films of which nothing is known; None if there are none."""
    imported = {entry.id for entry in entries}
    count = sum(row["id"] in imported and row[ORIGIN].startswith(GUESSED) for row in rows)
    if not count:
        return None
    subject = "film has" if count == 1 else "films have"
    return (
        f"{count:,} {subject} no overview, genres or keywords: nothing tells their mood. Import a file that has them, such "
        "as TMDB's, which completes these films."
    )


def _origin(entry: Entry) -> str:
    if entry.mood is not None:
        return f"{NAMED}: {', '.join(entry.words)}"
    sources = (("overview", entry.text.strip()), ("keywords", entry.words), ("genres", entry.cells["genres"]))
    evidence = [name for name, given in sources if given]
    return measured_from(evidence) if evidence else f"{GUESSED} without evidence"
