"""Parse the rows of a file of films into entries, whatever form it has (:mod:`movie_columns`)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from moodmirror.csv_files import parse_decimal
from moodmirror.recommendation.catalogue import IMDB_ID, RATING, TMDB_ID, VOTES
from moodmirror.recommendation.importers.durations import minutes_of
from moodmirror.recommendation.importers.imported_table import POPULARITY
from moodmirror.recommendation.importers.list_cells import parse_names
from moodmirror.recommendation.importers.movie_columns import (
    IMDB_LIST,
    LETTERBOXD,
    MOVIELENS,
    NETFLIX_HISTORY,
    TRAKT,
    MovieColumns,
)
from moodmirror.recommendation.importers.source_files import Entry, extract_year, normalized_values, unread_cell
from moodmirror.recommendation.importers.tag_lexicon import GENRE_MOODS, mood_of_words
from moodmirror.recommendation.item_keys import slug

AUDIENCE_OF: Final[Mapping[str, str]] = {
    **dict.fromkeys(("G", "U", "TV-G", "TV-Y", "TV-Y7", "TV-Y7-FV", "Approved", "Passed", "0", "6"), "family"),
    **dict.fromkeys(("PG", "PG-13", "GP", "UA", "U/A", "TV-PG", "TV-14", "12", "12A"), "teen"),
    **dict.fromkeys(("R", "A", "NC-17", "TV-MA", "16", "18", "X"), "adult"),
}
"""The audience of each certificate."""
SERIES: Final = frozenset({"tvseries", "tvminiseries", "tv", "tvshow", "show", "series", "miniseries"})
NO_FILMS: Final = frozenset(
    {"videogame", "tvepisode", "episode", "season", "podcastseries", "podcastepisode", "musicvideo", "person", "tvpilot"}
)
UNRELEASED: Final = frozenset({"rumored", "planned", "in production", "post production", "canceled", "cancelled"})
# Genres as other sites name them; words that name a country or a form, such as "international TV shows", say no mood.
GENRE_NAMES: Final[Mapping[str, str]] = {
    "sci-fi": "science fiction", "scifi": "science fiction", "romantic": "romance", "dramas": "drama", "comedies": "comedy",
    "documentaries": "documentary", "docuseries": "documentary", "thrillers": "thriller", "mysteries": "mystery",
    "musicals": "musical", "sports": "sport",
    "kids": "children", "kids'": "children", "children's": "children", "anime": "animation",
    "animated": "animation", "historical": "history", "westerns": "western", "biographical": "biography",
    "biopic": "biography", "noir": "film-noir", "stand-up comedy": "comedy", "romcom": "romance",
}  # fmt: skip
# Of a language's English name; the tables have ISO 639 codes.
LANGUAGES: Final[Mapping[str, str]] = {
    "english": "en", "french": "fr", "german": "de", "spanish": "es", "italian": "it", "japanese": "ja", "korean": "ko",
    "chinese": "zh", "mandarin": "zh", "cantonese": "zh", "hindi": "hi", "portuguese": "pt", "russian": "ru", "arabic": "ar",
    "turkish": "tr", "swedish": "sv", "danish": "da", "norwegian": "no", "finnish": "fi", "dutch": "nl", "polish": "pl",
    "czech": "cs", "hungarian": "hu", "greek": "el", "hebrew": "he", "persian": "fa", "thai": "th", "telugu": "te",
    "tamil": "ta", "malayalam": "ml", "bengali": "bn", "indonesian": "id", "vietnamese": "vi", "ukrainian": "uk",
    "romanian": "ro", "icelandic": "is", "cn": "zh", "xx": "zxx",
}  # fmt: skip
_SHELF: Final = re.compile(r"\b(tv|movies|shows|features)\b")  # "international movies" is no genre
_IMDB_ID: Final = re.compile(r"tt\d{7,10}")
_TITLE_AND_YEAR: Final = re.compile(r"(.*?)\s*\((\d{4})[–-]?\d*\)")
_ARTICLE: Final = re.compile(r"^(.*), (The|A|An|Les?|La|L'|Das|Der|Die|El|Il|Los|Las|Une?)( \(.*\))?$")
# What Netflix appends to the name of a series, in some of the languages of its users.
_EPISODE: Final = re.compile(
    r"(.+?): (?:(?:Season|Staffel|Saison|Temporada|Stagione|Seizoen|Sezon|Säsong|Series|Part|Partie|Teil|Parte|Volume"
    r"|Chapter|Book|Collection) \d+|(?:Limited|Mini-?)\s?Series|Miniserie|Mini-série)\b.*: .+",
    re.IGNORECASE,
)
MAX_STARS: Final = {LETTERBOXD: 5.0, IMDB_LIST: 10.0, TRAKT: 10.0}  # the best of a user's own ratings
RATING_SCALES: Final = (5.0, 10.0, 100.0)
LIKED_RATING_SHARE: Final = 0.8  # of the best rating: 4 of 5 stars, 8 of 10
# So often watched, something is liked: a film twice, and this many episodes of a series.
LIKED_VIEWINGS: Final[Mapping[str, int]] = {"film": 2, "series": 5}


class MovieParser:
    """Parses the rows of a file, and remembers the user's own ratings of them."""

    def __init__(
        self,
        columns: MovieColumns,
        *,
        directors: Mapping[str, str] | None = None,
        tags: Mapping[str, Sequence[str]] | None = None,
        all_liked: bool = False,
    ) -> None:
        """Parse rows with these columns; `directors` and `tags` of the films come from other files, by the row's id.

        With `all_liked`, all films are the user's favorites.
        """
        self.columns = columns
        self._directors = directors or {}
        self._tags = tags or {}
        self._all_liked = all_liked
        self._own_ratings: dict[str, float] = {}  # by entry id

    def __call__(self, row: Mapping[str, str]) -> Entry:
        """Parse one row. Raises ValueError with the reason to skip it."""
        kind = self._kind(row)
        title, year = self._title_and_year(row)
        plays = self._plays(row)
        if self.columns.form == NETFLIX_HISTORY:
            plays = 1
            if episode := _EPISODE.fullmatch(title):
                title, kind = episode[1], "series"
        cells, words, unread = self._cells(row, kind, year)
        emotion = self._emotion(row)
        entry = Entry(
            id=slug(title, year),
            title=title,
            cells=cells,
            words=emotion or words,
            text=" ".join(filter(None, (self.columns.cell(row, "text"), self.columns.cell(row, "tagline")))),
            mood=mood_of_words(emotion) if emotion else None,
            liked=self._all_liked,
            plays=plays,
            unread=tuple(unread),
        )
        own_rating = _number(self.columns.cell(row, "own_rating"))
        if own_rating is not None and own_rating > 0:
            self._own_ratings[entry.id] = max(own_rating, self._own_ratings.get(entry.id, 0.0))
        return entry

    def votes(self, row: Mapping[str, str]) -> int:
        """Return the number of votes of a row's film; 0 if it is unknown."""
        return _count(self.columns.cell(row, "votes"))

    def liked_ids(self) -> set[str]:
        """Return the ids of the films that the user rates high."""
        highest = max(self._own_ratings.values(), default=0.0)
        scale = next((scale for scale in RATING_SCALES if highest <= scale), RATING_SCALES[-1])
        best = MAX_STARS.get(self.columns.form, scale)
        return {film for film, rating in self._own_ratings.items() if rating >= LIKED_RATING_SHARE * best}

    def _kind(self, row: Mapping[str, str]) -> str:
        named = self.columns.cell(row, "kind").lower()
        plain = re.sub(r"[^a-z]", "", named)
        if plain in NO_FILMS:
            raise ValueError(f"a {named}, not a film or series")
        if self.columns.cell(row, "adult").lower() in ("true", "1"):
            raise ValueError("an adult film")
        is_series = plain in SERIES or "season" in self.columns.cell(row, "minutes").lower()
        if not is_series and self.columns.cell(row, "status").lower() in UNRELEASED:
            raise ValueError("not released")
        return "series" if is_series else "film"

    def _title_and_year(self, row: Mapping[str, str]) -> tuple[str, str]:
        title, year = self.columns.cell(row, "title"), extract_year(self.columns.cell(row, "year"))
        if not year and (match := _TITLE_AND_YEAR.fullmatch(title)):
            title, year = match[1], extract_year(match[2])
        if self.columns.form == MOVIELENS and (swapped := _ARTICLE.match(title)):
            space = "" if swapped[2].endswith("'") else " "
            title = f"{swapped[2]}{space}{swapped[1]}{swapped[3] or ''}"
        if not title:
            raise ValueError("no title")
        return title, year

    def _cells(
        self, row: Mapping[str, str], kind: str, year: str
    ) -> tuple[dict[str, str], tuple[str, ...], list[tuple[str, str]]]:
        """Return the cells of the entry, its keywords, and what could not be read."""
        unread: list[tuple[str, str]] = []

        def names(meaning: str) -> list[str]:
            column, cell = self.columns.find(row, meaning)
            found, is_complete = parse_names(cell)
            if not is_complete:
                unread.append(unread_cell(column, cell))
            return found

        def number(meaning: str, highest: float) -> float | None:
            column, cell = self.columns.find(row, meaning)
            value = _number(cell)
            if cell and (value is None or not 0 <= value <= highest):
                if column not in self.columns.columns.get("any_rating", ()):  # which may be a certificate
                    unread.append(unread_cell(column, cell))
                return None
            return value

        column, cell = self.columns.find(row, "minutes")
        minutes = 0 if "season" in cell.lower() else minutes_of(cell.strip("[]"))
        if minutes is None:
            unread.append(unread_cell(column, cell))
        genres = [] if self.columns.cell(row, "genres").startswith("(") else names("genres")
        rating, votes = number("rating", 100), self.votes(row)
        directors = names("director") or [self._directors.get(self.columns.cell(row, "tmdb_id"), "")]
        cells = {
            "year": year,
            "director": "|".join(filter(None, directors)),
            "language": language_of(self.columns.cell(row, "language")),
            "genres": "|".join(genre_names(genres)),
            "kind": kind,
            "minutes": str(minutes or ""),
            "audience": AUDIENCE_OF.get(self.columns.cell(row, "certificate"), ""),
            POPULARITY: "",
            **self._ids(row),
            # An average without votes is 0, and says nothing.
            RATING: "" if not rating else f"{rating / 10 if rating > 10 else rating:.2g}",
            VOTES: str(votes or ""),
        }
        words = (*names("words"), *self._tags.get(row.get("movieId", ""), ()))
        return cells, normalized_values(words), unread

    def _ids(self, row: Mapping[str, str]) -> dict[str, str]:
        imdb, tmdb = _IMDB_ID.search(self.columns.cell(row, "imdb_id")), self.columns.cell(row, "tmdb_id")
        number = _number(tmdb) if re.fullmatch(r"\d+(\.0)?", tmdb) else None
        return {IMDB_ID: imdb[0] if imdb else "", TMDB_ID: f"{number:.0f}" if number else ""}

    def _plays(self, row: Mapping[str, str]) -> int:
        plays = _number(self.columns.cell(row, "plays"))
        return int(plays) if plays is not None and 0 < plays < 1e6 else 0

    def _emotion(self, row: Mapping[str, str]) -> tuple[str, ...]:
        cell = self.columns.cell(row, "emotion")
        if _number(cell) is not None:  # numbers of classes say nothing without a legend
            return ()
        return normalized_values(re.split(r"[|,;/+]", cell))


def language_of(name: str) -> str:
    """Return the ISO 639 code of a language's code or English name, the first of several; empty if it is neither."""
    first = re.split(r"[,;|]", name)[0].strip().lower()
    code = LANGUAGES.get(first, first)
    return code if re.fullmatch(r"[a-z]{2,3}", code) else ""


def genre_names(genres: Iterable[str]) -> tuple[str, ...]:
    """Return genres by the names of the catalogue: "Romantic Movies" are romance; unknown ones stay as they are."""
    found: list[str] = []
    for genre in normalized_values(genres):
        plain = GENRE_NAMES.get(genre, genre)
        if plain in GENRE_MOODS:
            found.append(plain)
            continue
        words = [GENRE_NAMES.get(word, word) for word in re.findall(r"[\w'-]+", genre)]
        known = [word for word in words if word in GENRE_MOODS]
        if known or not _SHELF.search(genre):
            found += known or [genre.replace("|", "/")]
    return tuple(dict.fromkeys(found))


def _count(cell: str) -> int:
    """Return a count, whatever separates its thousands; 0 if the cell is none."""
    match = re.fullmatch(r"(\d{1,3}(?:[,.' ]\d{3})+|\d{1,10})(?:\.0+)?", cell)
    return int(re.sub(r"\D", "", match[1])) if match else 0


def _number(cell: str) -> float | None:
    try:
        value = parse_decimal(cell.removesuffix("%").removesuffix("/10"))
    except ValueError:
        return None
    return value if abs(value) < 1e12 else None
