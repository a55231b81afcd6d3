"""The columns of files of films: what each means, whatever a program calls it, and the names of known forms."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from moodmirror.recommendation.importers.song_columns import NAMES as SONG_NAMES
from moodmirror.recommendation.importers.song_columns import simple_name

NAMES: Final[Mapping[str, str]] = {
    "title": "title primarytitle seriestitle movietitle filmtitle moviename filmname name movie film originaltitle "
    "originalname titel titre titolo titulo",
    "year": "year releaseyear releasedyear startyear titleyear releasedate firstairdate released premiered jahr annee ano "
    "anno",
    "genres": "genres genre listedin generos genere",
    "text": "overview description plot summary synopsis storyline plotsummary",
    "tagline": "tagline",
    "words": "keywords keyword plotkeywords tags tag",
    "director": "director directors directorname directedby regie",
    "language": "originallanguage language languages",
    "kind": "titletype mediatype type",
    "minutes": "runtime runtimemins runtimeminutes runtimemin duration minutes length episoderuntime",
    "certificate": "certificate contentrating rated mpaa mpaarating certification agerating",
    "rating": "voteaverage imdbrating imdbscore averagerating averagevote avgvote",
    "votes": "votecount noofvotes numvotes imdbvotes votes numvotedusers votescount",
    "any_rating": "rating score stars",
    "own_rating": "yourrating myrating userrating",
    "imdb_id": "imdbid imdbtitleid const tconst imdb movieimdblink imdblink imdburl",
    "tmdb_id": "tmdbid tmdb",
    "plays": "plays playcount",
    "adult": "adult isadult",
    "status": "status",
    "emotion": SONG_NAMES["emotion"],
}
"""Names of each meaning, lower-case and without blanks, accents and signs; the first non-empty cell is used."""
# One of these must be there beside a title: recipes and activities have titles, too.
EVIDENCE: Final = (
    "year",
    "genres",
    "director",
    "rating",
    "votes",
    "any_rating",
    "own_rating",
    "imdb_id",
    "tmdb_id",
    "emotion",
)
ARTISTS: Final = frozenset(SONG_NAMES["artist"].split()) - {"creator"}

MOVIELENS: Final = "MovieLens"
TMDB: Final = "TMDB"
LETTERBOXD: Final = "Letterboxd"
IMDB_TITLES: Final = "IMDb's title.basics.tsv"
IMDB_LIST: Final = "a list exported from IMDb"
NETFLIX_HISTORY: Final = "Netflix's viewing history"
TRAKT: Final = "Trakt"
_FORMS: Final = (
    (TMDB, "id, title, overview, genres"),
    (TMDB, "id, title, overview, genre_ids"),
    (TMDB, "id, overview, vote_average"),
    (MOVIELENS, "movieId, title, genres"),
    (IMDB_LIST, "Const, Title, Year"),
    ("the Kaggle file of IMDb's top 1000", "Series_Title, Released_Year, Overview"),
    (IMDB_TITLES, "tconst, primaryTitle, titleType"),
    ("the Kaggle file of 5,000 films of IMDb", "movie_title, imdb_score, plot_keywords"),
    (LETTERBOXD, "Name, Year, Letterboxd URI"),
    (LETTERBOXD, "Position, Name, Year, URL"),
    ("the catalogue of Netflix", "show_id, title, listed_in"),
    (TRAKT, "title, year, trakt"),
)
KNOWN_FORMS: Final = tuple((name, frozenset(map(simple_name, columns.split(", ")))) for name, columns in _FORMS)
"""Names of forms by some of their columns: for the report, and for what such a form does differently."""
SUPPORTED: Final = (
    *(f"{name}: {columns}" for name, columns in _FORMS),
    f"{NETFLIX_HISTORY}: Title, Date",
    "any table with a column of titles and one of years, genres, ratings, ids or emotions: title, emotion",
    "JSON of TMDB's API, of OMDb, or of Trakt",
)


@dataclass(frozen=True)
class MovieColumns:
    """The columns of a file by meaning, and the name of its `form`."""

    columns: Mapping[str, tuple[str, ...]]
    form: str

    def __contains__(self, meaning: str) -> bool:
        """Return whether the file has a column of this meaning."""
        return meaning in self.columns

    def cell(self, row: Mapping[str, str], meaning: str) -> str:
        """Return the first non-empty cell of this meaning; empty if there is none."""
        return self.find(row, meaning)[1]

    def find(self, row: Mapping[str, str], meaning: str) -> tuple[str, str]:
        """Return the column and content of the first non-empty cell of this meaning; both empty if there is none."""
        return next(((column, row[column]) for column in self.columns.get(meaning, ()) if row.get(column)), ("", ""))


def find_columns(columns: Sequence[str]) -> MovieColumns | None:
    """Return the columns of a file by meaning; None if it is no file of films."""
    simple = {column: simple_name(column) for column in columns}
    names = set(simple.values())
    if [simple_name(column) for column in columns] == ["title", "date"]:
        return MovieColumns({"title": (columns[0],)}, NETFLIX_HISTORY)
    found = {}
    for meaning, known in NAMES.items():
        present = tuple(column for name in known.split() for column in columns if simple[column] == name)
        if present:
            found[meaning] = present
    form = _form(names)
    if "title" not in found or names & ARTISTS or (form is None and not any(meaning in found for meaning in EVIDENCE)):
        return None
    if form == TMDB:
        found["tmdb_id"] = tuple(column for column in columns if simple[column] == "id")
    elif form in (LETTERBOXD, IMDB_LIST):  # descriptions and tags are the user's, on other things than the story
        found = {meaning: own for meaning, own in found.items() if meaning not in ("text", "words")}
    if "any_rating" in found:
        # A rating beside votes or a description is the public's, and without them the user's.
        is_own = form in (LETTERBOXD, TRAKT) or not ({"votes", "text", "certificate"} & set(found))
        meaning = "own_rating" if is_own else "rating"
        found[meaning] = (*found.get(meaning, ()), *found["any_rating"])
        found["certificate"] = (*found.get("certificate", ()), *found["any_rating"])
    return MovieColumns(found, form or f"a list of films: title from {found['title'][0]!r}")


def _form(names: Collection[str]) -> str | None:
    return next((name for name, required in KNOWN_FORMS if required <= set(names)), None)
