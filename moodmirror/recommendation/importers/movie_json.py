"""Rows of films in JSON: answers of the APIs of TMDB, OMDb and Trakt, and lists of objects."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from moodmirror.recommendation.importers.source_files import is_missing

_LISTS: Final = ("results", "items", "movies", "films", "shows", "series", "Search", "data", "cast", "crew", "parts")
_PARTS: Final = ("movie", "show")  # in an object of Trakt's, beside the user's rating and plays
_NAMES_OF_TITLE: Final = ("title", "name", "Title", "original_title", "original_name", "movie", "show")

# https://developer.themoviedb.org/reference/genre-movie-list and genre-tv-list
TMDB_GENRES: Final[Mapping[int, str]] = {
    28: "Action", 12: "Adventure", 16: "Animation", 35: "Comedy", 80: "Crime", 99: "Documentary", 18: "Drama",
    10751: "Family", 14: "Fantasy", 36: "History", 27: "Horror", 10402: "Music", 9648: "Mystery", 10749: "Romance",
    878: "Science Fiction", 10770: "TV Movie", 53: "Thriller", 10752: "War", 37: "Western", 10759: "Action & Adventure",
    10762: "Kids", 10763: "News", 10764: "Reality", 10765: "Sci-Fi & Fantasy", 10766: "Soap", 10767: "Talk",
    10768: "War & Politics",
}  # fmt: skip


def json_rows(node: Any) -> Iterator[dict[str, str]]:
    """Yield the films in a JSON document, as rows of cells."""
    pending = [node]
    while pending:  # not recursive, because a document may be nested deeply
        node = pending.pop()
        if isinstance(node, list):
            pending += reversed(node)
        elif isinstance(node, dict):
            lists = [node[name] for name in _LISTS if isinstance(node.get(name), list)]
            if any(node.get(name) for name in _NAMES_OF_TITLE):
                yield _row(node)
            elif lists:
                pending += reversed(lists)


def _row(node: Mapping[str, Any]) -> dict[str, str]:
    part = next((name for name in _PARTS if isinstance(node.get(name), dict)), None)
    if part is not None:
        kind = "episode" if isinstance(node.get("episode"), dict) and "rating" in node else part
        own = {"yourRating": node.get("rating"), "plays": node.get("plays"), "type": kind}
        own["plays"] = own["plays"] or (1 if "watched_at" in node else None)  # an entry of the history
        # Trakt's public rating is beside the film's title.
        return _row(node[part]) | {name: _cell(value) for name, value in own.items()}
    row: dict[str, str] = {}
    for name, value in node.items():
        if name in ("ids", "external_ids") and isinstance(value, dict):
            row |= {f"{site}_id" if site in ("imdb", "tmdb") else site: _cell(identity) for site, identity in value.items()
                    if site in ("imdb", "tmdb", "imdb_id", "trakt")}  # fmt: skip
        elif name == "genre_ids" and isinstance(value, list):
            row["genre_ids"] = _cell([TMDB_GENRES.get(number) for number in value if isinstance(number, int)])
            row.setdefault("genres", row["genre_ids"])
        elif name == "credits" and isinstance(value, dict):
            row["director"] = _cell(_directors(value.get("crew")))
        elif name == "keywords" and isinstance(value, dict):
            row["keywords"] = _cell(value.get("keywords") or value.get("results"))
        elif name == "episode_run_time" and isinstance(value, list):
            row[name] = _cell(value[0] if value else None)
        else:
            row[name] = _cell(value)
    if "first_air_date" in row and "media_type" not in row:
        row["media_type"] = "tv"
    return row


def _directors(crew: Any) -> list[Any]:
    members = crew if isinstance(crew, list) else []
    return [member.get("name") for member in members if isinstance(member, dict) and member.get("job") == "Director"]


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, str) and is_missing(value.strip())):
        return ""
    return value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
