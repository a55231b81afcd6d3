"""Import films and series from TMDB, MovieLens and IMDb files.

- the TMDB 5000 file (``tmdb_5000_movies.csv``, JSON in its columns), and the larger ``movies_metadata.csv`` of the same
  format; directors come from ``tmdb_5000_credits.csv`` if it is in the same folder;
- MovieLens' ``movies.csv``, with users' tags from ``tags.csv``, and popularity and co-likes from ``ratings.csv``, if they
  are in the same folder;
- IMDb lists: exports of imdb.com, and the Kaggle file of the top 1000.

The mood is the weighted mean of what a film has: the text network's reading of the overview, the typical emotions of its
genres, and the moods of its keywords and tags.
"""

import ast
import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from moodmirror.emotions import EMOTIONS, MoodVector, valence_arousal
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recommendation.catalogue import MAX_TAGS
from moodmirror.recommendation.importers import movielens_ratings
from moodmirror.recommendation.importers.imported_table import GUESSED, POPULARITY, Row, make_row, measured_from
from moodmirror.recommendation.importers.source_files import (
    Entry,
    FileFormat,
    Rows,
    Source,
    SourceError,
    detect_format,
    extract_year,
    first_sentence,
    normalized_values,
    parse_entries,
    read_csv,
    required_cell,
)
from moodmirror.recommendation.importers.tag_lexicon import mood_of_genres, mood_of_tags, plain_tags, tags_of_keywords
from moodmirror.recommendation.item_item import CoLikeCounts
from moodmirror.recommendation.item_keys import slug

MOVIELENS: Final = "MovieLens"
RATINGS_FILE: Final = "ratings.csv"  # in the folder of MovieLens' movies.csv
BATCH: Final = 128  # overviews analyzed at once: a few seconds of work
# Weights of the votes. The overview says most about this very film; a genre is right on average.
TEXT_SHARE: Final = 0.4
WORDS_SHARE: Final = 0.3
GENRE_SHARE: Final = 0.3
# Overviews are written in a neutral tone: the network reads most of them as neutral, which says little about the film.
NEUTRAL_FACTOR: Final = 0.25
MAX_TEXT_CHARACTERS: Final = 280  # of an overview, about three sentences: 5,000 take less than 90 s on two cores
MIN_TAGGERS: Final = 2  # MovieLens users who must agree on a tag, if any tag of the film has so many

AUDIENCE_OF: Final[Mapping[str, str]] = {
    **dict.fromkeys(("G", "U", "TV-G", "TV-Y", "TV-Y7", "Approved", "Passed", "0", "6"), "family"),
    **dict.fromkeys(("PG", "PG-13", "GP", "UA", "U/A", "TV-PG", "TV-14", "12", "12A"), "teen"),
    **dict.fromkeys(("R", "A", "NC-17", "TV-MA", "16", "18", "X"), "adult"),
}
"""The audience of each certificate."""
VOTE_COLUMNS: Final = ("vote_count", "No_of_Votes", "Num Votes")
_ARTICLE: Final = re.compile(r"^(.*), (The|A|An|Les?|La|L'|Das|Der|Die|El|Il|Los|Las|Une?)( \(.*\))?$")


def _make_entry(
    title: str, year: str, *, genres: Sequence[str] = (), words: Sequence[str] = (), text: str = "", **cells: str
) -> Entry:
    if not title:
        raise ValueError("no title")
    kinds = {"tv series": "series", "tv mini series": "series", "tvseries": "series", "tvminiseries": "series"}
    return Entry(
        id=slug(title, year),
        title=title,
        cells={
            "year": year,
            "director": cells.get("director", ""),
            "language": language_of(cells.get("language", "")),
            "genres": "|".join("science fiction" if genre == "sci-fi" else genre for genre in normalized_values(genres)),
            "kind": kinds.get(cells.get("kind", "").lower(), "film"),
            "minutes": _leading_minutes(cells.get("minutes", "")),
            "audience": AUDIENCE_OF.get(cells.get("certificate", ""), ""),
            POPULARITY: cells.get(POPULARITY, ""),
        },
        words=normalized_values(words),
        text=text,
    )


def language_of(code: str) -> str:
    """Return the ISO 639 code of a language code, empty if it is invalid; TMDB's own cn and xx are Cantonese and none."""
    code = {"cn": "zh", "xx": "zxx"}.get(code.lower(), code.lower())
    return code if re.fullmatch(r"[a-z]{2,3}", code) else ""


def _leading_minutes(value: str) -> str:
    match = re.match(r"\d+", value)
    return str(int(match[0])) if match and int(match[0]) > 0 else ""


def _names(cell: str) -> list[str]:
    """Return the names in a cell that contains a list of objects, in JSON or Python syntax."""
    if not cell:
        return []
    try:
        values = json.loads(cell)
    except ValueError:
        try:
            values = ast.literal_eval(cell)
        except (ValueError, SyntaxError):
            raise ValueError("genres or keywords are not JSON") from None
    return [str(value["name"]) for value in values if isinstance(value, dict) and "name" in value]


def _tmdb(directors: Mapping[str, str], row: Mapping[str, str]) -> Entry:
    title = required_cell(row, "title", "title")
    if row.get("status", "Released") not in ("Released", ""):
        raise ValueError("not released")
    tagline = row.get("tagline", "")
    return _make_entry(
        title,
        extract_year(row.get("release_date", "")),
        genres=_names(row["genres"]),
        words=_names(row.get("keywords", "")),
        text=" ".join(part for part in (row["overview"], tagline) if part),
        director=directors.get(row["id"], ""),
        language=row.get("original_language", ""),
        minutes=row.get("runtime", ""),
        popularity=row.get(POPULARITY, ""),
    )


def _movielens(tags: Mapping[str, Sequence[str]], row: Mapping[str, str]) -> Entry:
    match = re.fullmatch(r"(.*?)\s*\((\d{4})[–-]?\d*\)", required_cell(row, "title", "title"))
    title, year = (match[1], match[2]) if match else (row["title"], "")
    swapped = _ARTICLE.match(title)
    if swapped:
        space = "" if swapped[2].endswith("'") else " "
        title = f"{swapped[2]}{space}{swapped[1]}{swapped[3] or ''}"
    genres = [] if row["genres"].startswith("(") else row["genres"].split("|")
    popularity = row.get(POPULARITY, "")
    return _make_entry(title, extract_year(year), genres=genres, words=tags.get(row["movieId"], ()), popularity=popularity)


def _imdb_export(row: Mapping[str, str]) -> Entry:
    kind = row.get("Title Type", "")
    if kind.lower().replace(" ", "") in ("videogame", "tvepisode", "podcastseries", "podcastepisode", "musicvideo"):
        raise ValueError(f"a {kind.lower()}, not a film or series")
    return _make_entry(
        row["Title"],
        extract_year(row["Year"]),
        genres=row["Genres"].split(","),
        director="|".join(comma_separated_names(row.get("Directors", ""))),
        kind=kind,
        minutes=row.get("Runtime (mins)", ""),
        popularity=row.get(POPULARITY, ""),
    )


def _imdb_top(row: Mapping[str, str]) -> Entry:
    return _make_entry(
        row["Series_Title"],
        extract_year(row["Released_Year"]),
        genres=(row.get("Genres") or row.get("Genre", "")).split(","),
        text=row["Overview"],
        director=row.get("Director", ""),
        minutes=row.get("Runtime", ""),
        popularity=row.get(POPULARITY, ""),
        certificate=row.get("Certificate", ""),
    )


def comma_separated_names(cell: str) -> list[str]:
    """Return the comma-separated names of a cell."""
    return [name.strip() for name in cell.split(",") if name.strip()]


FORMATS: Final = (
    FileFormat("TMDB", ("id", "title", "overview", "genres"), partial(_tmdb, {})),
    FileFormat(MOVIELENS, ("movieId", "title", "genres"), partial(_movielens, {})),
    FileFormat("a list exported from IMDb", ("Const", "Title", "Year", "Genres"), _imdb_export),
    FileFormat("the Kaggle file of IMDb's top 1000", ("Series_Title", "Released_Year", "Overview"), _imdb_top),
)


def read(path: Path) -> Source:
    """Parse a file of films, or MovieLens' movies.csv in a folder. Raises SourceError if the format is unknown.

    A film's popularity, 0…100, is its percentile by votes in the file.
    """
    path, columns, file_format, rows = _open(path)
    vote_column = next((column for column in VOTE_COLUMNS if column in columns), None)
    if file_format.name == MOVIELENS and (ratings := movielens_ratings.read(path.with_name(RATINGS_FILE))) is not None:
        vote_column, counts_of = VOTE_COLUMNS[0], ratings["movieId"].value_counts()
        for row in rows:
            row[vote_column] = str(counts_of.get(row["movieId"], 0))
    if vote_column:
        counts = sorted(number for row in rows if (number := _parse_votes(row[vote_column])) is not None)
        for row in rows:
            number = _parse_votes(row[vote_column])
            row[POPULARITY] = "" if number is None else str(round(100 * bisect_right(counts, number) / len(counts)))
    if file_format.name == "TMDB":
        directors = _read_directors(path.with_name("tmdb_5000_credits.csv"))
        file_format = replace(file_format, parse_row=partial(_tmdb, directors))
    elif file_format.name == MOVIELENS:
        tags = _read_user_tags(path.with_name("tags.csv"))
        file_format = replace(file_format, parse_row=partial(_movielens, tags))
    return parse_entries(file_format, rows)


def count_co_likes(path: Path) -> CoLikeCounts | None:
    """Count co-likes of the films of MovieLens' movies.csv; None without ratings.csv in the same folder.

    Raises SourceError as :func:`read` does, and for ratings in another format.
    """
    path, _, file_format, _ = _open(path)
    ratings = movielens_ratings.read(path.with_name(RATINGS_FILE)) if file_format.name == MOVIELENS else None
    return None if ratings is None else movielens_ratings.count_co_likes(ratings, item_ids(path))


def item_ids(path: Path) -> dict[str, str]:
    """Return the catalogue ids of the films of MovieLens' movies.csv by MovieLens' ids."""
    _, _, file_format, rows = _open(path)
    return {row["movieId"]: file_format.parse_row(row).id for row in rows if row["title"]}


def _open(path: Path) -> tuple[Path, list[str], FileFormat, Rows]:
    if path.is_dir():
        if not (path / "movies.csv").is_file():
            raise SourceError(f"{path} is a folder without MovieLens' movies.csv. Name the file to import.")
        path = path / "movies.csv"
    columns, rows = read_csv(path)
    return path, columns, detect_format(path, columns, FORMATS), rows


def _parse_votes(cell: str) -> float | None:
    try:
        return float(cell.replace(",", ""))
    except ValueError:
        return None


def _read_directors(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    _, rows = read_csv(path)
    directors = {}
    for row in rows:
        try:
            crew: list[Any] = json.loads(row.get("crew", "") or "[]")
        except ValueError:
            continue
        directors[row.get("movie_id", "")] = "|".join(
            member["name"] for member in crew if isinstance(member, dict) and member.get("job") == "Director"
        )
    return directors


def _read_user_tags(path: Path) -> dict[str, list[str]]:
    """Return tags by film id: those that several users gave, or all if too few users tagged the film."""
    if not path.is_file():
        return {}
    _, rows = read_csv(path)
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        counts.setdefault(row.get("movieId", ""), Counter())[row.get("tag", "").lower()] += 1
    return {
        film: [tag for tag, count in own.items() if count >= MIN_TAGGERS or own.most_common(1)[0][1] < MIN_TAGGERS]
        for film, own in counts.items()
    }


def make_rows(recognizer: Callable[[], TextEmotionRecognizer], entries: Sequence[Entry]) -> list[Row]:
    """Make rows of films; the recognizer is opened only if there are overviews."""
    with_text = [index for index, entry in enumerate(entries) if entry.text.strip()]
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
            for index, (entry, own) in enumerate(zip(entries, tags, strict=True))
        ]
    )
    return [
        make_row(
            entry,
            vector,
            valence_arousal(vector),
            tags=list(dict.fromkeys([*own, *plain]))[:MAX_TAGS],
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


def _origin(entry: Entry) -> str:
    sources = (("overview", entry.text.strip()), ("keywords", entry.words), ("genres", entry.cells["genres"]))
    evidence = [name for name, given in sources if given]
    return measured_from(evidence) if evidence else f"{GUESSED} without evidence"
