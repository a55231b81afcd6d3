"""Films and series, from the forms in which lists of them exist.

- the TMDB 5000 file (``tmdb_5000_movies.csv``, JSON in its columns), and the larger ``movies_metadata.csv`` of the same
  kind; directors come from ``tmdb_5000_credits.csv`` if it lies beside it;
- MovieLens' ``movies.csv``, with people's tags from ``tags.csv`` if it lies beside it, and from ``ratings.csv`` how well
  known a film is, and which films the same people like;
- IMDb lists: what imdb.com exports, and the Kaggle file of the top 1000.

The mood is the weighted mean of what is there: what the text network reads in the overview, what genres lean to, and what
keywords and tags stand for.
"""

import ast
import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from moodmirror.emotions import EMOTIONS, MoodVector, valence_arousal
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recommendation.catalogue import MAX_TAGS
from moodmirror.recommendation.importers import movielens_ratings
from moodmirror.recommendation.importers.imported_table import POPULARITY, Row, row_of
from moodmirror.recommendation.importers.source_files import (
    Entry,
    Form,
    Rows,
    Source,
    SourceError,
    entries_of,
    first_sentence,
    form_of,
    listed,
    read_csv,
    required,
    slug,
    year_in,
)
from moodmirror.recommendation.importers.tag_lexicon import mood_of_genres, mood_of_tags, plain_tags, tags_in
from moodmirror.recommendation.item_item import CoLikeCounts

MOVIELENS: Final = "MovieLens"
RATINGS: Final = "ratings.csv"  # beside MovieLens' movies.csv
BATCH: Final = 128  # overviews that are read at once: a few seconds' work
# What each vote weighs. A story's overview says most about this very film; a genre is right on average.
TEXT_SHARE: Final = 0.4
WORDS_SHARE: Final = 0.3
GENRE_SHARE: Final = 0.3
# An overview tells a story in even words: the network finds most of it neutral, which says little of the film.
NEUTRAL_KEPT: Final = 0.25
MOST_READ: Final = 280  # characters of an overview, some three sentences: 5,000 are read within 90 s on two cores
LEAST_TAGGED: Final = 2  # of MovieLens' people must agree on a tag, where so many tagged the film

AUDIENCE_OF: Final[Mapping[str, str]] = {
    **dict.fromkeys(("G", "U", "TV-G", "TV-Y", "TV-Y7", "Approved", "Passed", "0", "6"), "family"),
    **dict.fromkeys(("PG", "PG-13", "GP", "UA", "U/A", "TV-PG", "TV-14", "12", "12A"), "teen"),
    **dict.fromkeys(("R", "A", "NC-17", "TV-MA", "16", "18", "X"), "adult"),
}
"""Certificates, and whom a film with one is fit for."""
VOTES: Final = ("vote_count", "No_of_Votes", "Num Votes")
_ARTICLE: Final = re.compile(r"^(.*), (The|A|An|Les?|La|L'|Das|Der|Die|El|Il|Los|Las|Une?)( \(.*\))?$")


def _movie(
    title: str, year: str, *, genres: Sequence[str] = (), words: Sequence[str] = (), text: str = "", **cells: str
) -> Entry:
    if not title:
        raise ValueError("no title")
    kind = {"tv series": "series", "tv mini series": "series", "tvseries": "series", "tvminiseries": "series"}
    return Entry(
        id=slug(title, year),
        title=title,
        cells={
            "year": year,
            "director": cells.get("director", ""),
            "language": language_of(cells.get("language", "")),
            "genres": "|".join("science fiction" if genre == "sci-fi" else genre for genre in listed(genres)),
            "kind": kind.get(cells.get("kind", "").lower(), "film"),
            "minutes": _minutes(cells.get("minutes", "")),
            "audience": AUDIENCE_OF.get(cells.get("certificate", ""), ""),
            POPULARITY: cells.get(POPULARITY, ""),
        },
        words=listed(words),
        text=text,
    )


def language_of(code: str) -> str:
    """An ISO 639 code if it is one; TMDB's own cn and xx are Cantonese and no language."""
    code = {"cn": "zh", "xx": "zxx"}.get(code.lower(), code.lower())
    return code if re.fullmatch(r"[a-z]{2,3}", code) else ""


def _minutes(value: str) -> str:
    match = re.match(r"\d+", value)
    return str(int(match[0])) if match and int(match[0]) > 0 else ""


def _names(cell: str) -> list[str]:
    """The names in a cell that holds a list of objects, as JSON or as Python writes them."""
    if not cell:
        return []
    try:
        values = json.loads(cell)
    except ValueError:
        try:
            values = ast.literal_eval(cell)
        except (ValueError, SyntaxError):
            raise ValueError("genres or keywords are no JSON") from None
    return [str(value["name"]) for value in values if isinstance(value, dict) and "name" in value]


def _tmdb(directors: Mapping[str, str], row: Mapping[str, str]) -> Entry:
    title = required(row, "title", "title")
    if row.get("status", "Released") not in ("Released", ""):
        raise ValueError("not released")
    tagline = row.get("tagline", "")
    return _movie(
        title,
        year_in(row.get("release_date", "")),
        genres=_names(row["genres"]),
        words=_names(row.get("keywords", "")),
        text=" ".join(part for part in (row["overview"], tagline) if part),
        director=directors.get(row["id"], ""),
        language=row.get("original_language", ""),
        minutes=row.get("runtime", ""),
        popularity=row.get(POPULARITY, ""),
    )


def _movielens(tags: Mapping[str, Sequence[str]], row: Mapping[str, str]) -> Entry:
    match = re.fullmatch(r"(.*?)\s*\((\d{4})[–-]?\d*\)", required(row, "title", "title"))
    title, year = (match[1], match[2]) if match else (row["title"], "")
    swapped = _ARTICLE.match(title)
    if swapped:
        space = "" if swapped[2].endswith("'") else " "
        title = f"{swapped[2]}{space}{swapped[1]}{swapped[3] or ''}"
    genres = [] if row["genres"].startswith("(") else row["genres"].split("|")
    popularity = row.get(POPULARITY, "")
    return _movie(title, year_in(year), genres=genres, words=tags.get(row["movieId"], ()), popularity=popularity)


def _imdb_export(row: Mapping[str, str]) -> Entry:
    kind = row.get("Title Type", "")
    if kind.lower().replace(" ", "") in ("videogame", "tvepisode", "podcastseries", "podcastepisode", "musicvideo"):
        raise ValueError(f"a {kind.lower()}, no film or series")
    return _movie(
        row["Title"],
        year_in(row["Year"]),
        genres=row["Genres"].split(","),
        director="|".join(listed_names(row.get("Directors", ""))),
        kind=kind,
        minutes=row.get("Runtime (mins)", ""),
        popularity=row.get(POPULARITY, ""),
    )


def _imdb_top(row: Mapping[str, str]) -> Entry:
    return _movie(
        row["Series_Title"],
        year_in(row["Released_Year"]),
        genres=(row.get("Genres") or row.get("Genre", "")).split(","),
        text=row["Overview"],
        director=row.get("Director", ""),
        minutes=row.get("Runtime", ""),
        popularity=row.get(POPULARITY, ""),
        certificate=row.get("Certificate", ""),
    )


def listed_names(cell: str) -> list[str]:
    """Names that stand in a cell with commas between them."""
    return [name.strip() for name in cell.split(",") if name.strip()]


FORMS: Final = (
    Form("TMDB", ("id", "title", "overview", "genres"), partial(_tmdb, {})),
    Form(MOVIELENS, ("movieId", "title", "genres"), partial(_movielens, {})),
    Form("a list exported from IMDb", ("Const", "Title", "Year", "Genres"), _imdb_export),
    Form("the Kaggle file of IMDb's top 1000", ("Series_Title", "Released_Year", "Overview"), _imdb_top),
)


def read(path: Path) -> Source:
    """The films of a file in one of the forms; of a folder, MovieLens' movies.csv. Raises SourceError if it is in none.

    How well known a film is, is its rank by votes among those of the file.
    """
    path, columns, form, rows = _open(path)
    votes = next((column for column in VOTES if column in columns), None)
    if form.name == MOVIELENS and (given := movielens_ratings.read(path.with_name(RATINGS))) is not None:
        votes, counts_of = VOTES[0], given["movieId"].value_counts()
        for row in rows:
            row[votes] = str(counts_of.get(row["movieId"], 0))
    if votes:
        counts = sorted(number for row in rows if (number := _votes(row[votes])) is not None)
        for row in rows:
            number = _votes(row[votes])
            row[POPULARITY] = "" if number is None else str(round(100 * bisect_right(counts, number) / len(counts)))
    if form.name == "TMDB":
        form = Form(form.name, form.needs, partial(_tmdb, _directors(path.with_name("tmdb_5000_credits.csv"))))
    elif form.name == MOVIELENS:
        form = Form(form.name, form.needs, partial(_movielens, _people_s_tags(path.with_name("tags.csv"))))
    return entries_of(form, rows)


def count_co_likes(path: Path) -> CoLikeCounts | None:
    """What people like together, of the films of MovieLens' movies.csv; None without ratings.csv beside it.

    Raises SourceError as :func:`read` does, and for ratings in another form.
    """
    path, _, form, _ = _open(path)
    given = movielens_ratings.read(path.with_name(RATINGS)) if form.name == MOVIELENS else None
    return None if given is None else movielens_ratings.count_likes(given, item_ids(path))


def item_ids(path: Path) -> dict[str, str]:
    """Our ids of the films of MovieLens' movies.csv by its own."""
    _, _, form, rows = _open(path)
    return {row["movieId"]: form.entry(row).id for row in rows if row["title"]}


def _open(path: Path) -> tuple[Path, list[str], Form, Rows]:
    if path.is_dir():
        if not (path / "movies.csv").is_file():
            raise SourceError(f"{path} is a folder without MovieLens' movies.csv. Name the file to import.")
        path = path / "movies.csv"
    columns, rows = read_csv(path)
    return path, columns, form_of(path, columns, FORMS), rows


def _votes(cell: str) -> float | None:
    try:
        return float(cell.replace(",", ""))
    except ValueError:
        return None


def _directors(path: Path) -> dict[str, str]:
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


def _people_s_tags(path: Path) -> dict[str, list[str]]:
    """Tags by film: those that several people gave, or all where too few did."""
    if not path.is_file():
        return {}
    _, rows = read_csv(path)
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        counts.setdefault(row.get("movieId", ""), Counter())[row.get("tag", "").lower()] += 1
    return {
        film: [tag for tag, count in own.items() if count >= LEAST_TAGGED or own.most_common(1)[0][1] < LEAST_TAGGED]
        for film, own in counts.items()
    }


def make_rows(recognizer: Callable[[], TextEmotionRecognizer], entries: Sequence[Entry]) -> list[Row]:
    """Rows of films; what reads their overviews is opened only if there are any."""
    told = [index for index, entry in enumerate(entries) if entry.text.strip()]
    read_moods: dict[int, MoodVector] = {}
    if told:
        texts = [entries[index].text[:MOST_READ] for index in told]
        read_moods = dict(zip(told, story_moods(recognizer(), texts), strict=True))
    tags = [tags_in(entry.words, "movies") for entry in entries]
    vectors = np.stack(
        [
            _mean(
                read_moods.get(index), mood_of_tags(own) if own else None, mood_of_genres(entry.cells["genres"].split("|"))
            )
            for index, (entry, own) in enumerate(zip(entries, tags, strict=True))
        ]
    )
    return [
        row_of(
            entry,
            vector,
            valence_arousal(vector),
            tags=list(dict.fromkeys([*own, *plain]))[:MAX_TAGS],
            line=first_sentence(entry.text) or _line(entry),
            origin="measured from overview, keywords and genres",
        )
        for entry, vector, own, plain in zip(entries, vectors, tags, plain_tags(vectors), strict=True)
    ]


def story_moods(recognizer: TextEmotionRecognizer, texts: Sequence[str]) -> list[MoodVector]:
    """What the text network reads in stories, with neutral damped."""
    moods = recognizer.predict_proba(list(texts))
    moods[:, EMOTIONS.index("neutral")] *= NEUTRAL_KEPT
    return list(moods / moods.sum(axis=1, keepdims=True))


def _mean(text: MoodVector | None, words: MoodVector | None, genres: MoodVector | None) -> MoodVector:
    votes = ((TEXT_SHARE, text), (WORDS_SHARE, words), (GENRE_SHARE, genres))
    given = [share * vote for share, vote in votes if vote is not None]
    if not given:  # neither overview, nor keyword, nor genre: nothing speaks for any emotion
        return np.full(len(EMOTIONS), 1 / len(EMOTIONS), dtype=np.float32)
    total = np.sum(given, axis=0)
    vector: MoodVector = (total / total.sum()).astype(np.float32)
    return vector


def _line(entry: Entry) -> str:
    genres = entry.cells["genres"].replace("|", ", ") or entry.cells["kind"]
    year = f" of {entry.cells['year']}" if entry.cells["year"] else ""
    return f"{genres[0].upper()}{genres[1:]}{year}."
