"""Messages of the server, built through their schemas: moods, faces, speech, text, recommendations, the camera's status."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import numpy as np

from moodmirror.emotions import EMOTIONS, MoodVector, valence_arousal
from moodmirror.fusion import Mood, Source
from moodmirror.help_lines import DIRECTORY_URL, help_lines, help_notice
from moodmirror.live import message_schemas as schemas
from moodmirror.media.analysis_result import Analysis, Segment, combine
from moodmirror.recognition.audio import Samples
from moodmirror.recognition.face import Face, QualityIssue
from moodmirror.recognition.speech import SpeechReading
from moodmirror.recognition.text import TextReading
from moodmirror.recommendation import Recommendation, Recommender
from moodmirror.recommendation.catalogue import IMDB_ID, KINDS, RATING, TMDB_ID, VOTES, Item
from moodmirror.recommendation.filters import Filters
from moodmirror.recommendation.importers.imported_table import SPOTIFY_ID
from moodmirror.recommendation.importers.spotify_ids import track_id
from moodmirror.recommendation.text_query import TextQuery
from moodmirror.services import CameraStatus

ROWS_PER_TABLE: Final = 10  # on the page
DECIMALS: Final = 4  # of shares: finer than a bar can show
MIN_LEVEL_DB: Final = -96.0  # of full scale: one step of a 16-bit sample
MAX_INFLUENTIAL_WORDS: Final = 12
MIN_WORD_INFLUENCE: Final = 0.02  # how much of the leading emotion's share must depend on a word

# Why a face can't be read and what to do, for the user.
QUALITY_ISSUE_MESSAGES: Final[dict[QualityIssue, str]] = {
    "small": "Your face is too small to read: come closer.",
    "blurred": "The picture is too blurred to read: hold still, or turn on a light.",
    "turned": "Your face is turned away or covered: look at the camera.",
}

# The pages of items whose id on a site is known: the URL up to the id.
TRACK_PAGE: Final = "https://open.spotify.com/track/"
IMDB_PAGE: Final = "https://www.imdb.com/title/"
TMDB_PAGES: Final = {"film": "https://www.themoviedb.org/movie/", "series": "https://www.themoviedb.org/tv/"}
# Sites to search for an item, by kind: the site's name, and the URL of its search up to the query.
SEARCH_SITES: Final = {
    "songs": (
        ("Spotify", "https://open.spotify.com/search/"),
        ("YouTube", "https://www.youtube.com/results?search_query="),
    ),
    "movies": (
        ("IMDb", "https://www.imdb.com/find/?q="),
        ("YouTube", "https://www.youtube.com/results?search_query=trailer+"),
    ),
    "food": (
        ("Recipes", "https://www.allrecipes.com/search?q="),
        ("YouTube", "https://www.youtube.com/results?search_query=recipe+"),
    ),
    "activities": (
        ("Ideas", "https://duckduckgo.com/?q=how+to+"),
        ("YouTube", "https://www.youtube.com/results?search_query="),
    ),
}


def mood_message(mood: Mood | None) -> dict[str, Any]:
    """Return the `mood` message; its label is null when no mood is known.

    `name` is the display name, and `mixed` the two emotions of sources that contradict each other strongly, else null.
    `sources` are the shares of the sources; `said` holds the contribution of each: label, weight, and the time of its last
    reading. Times are in seconds on the server's monotonic clock.
    """
    if mood is None:
        fields = {**reading_message(None), "name": None, "mixed": None, "sources": {}, "said": {}, "at": None}
    else:
        fields = {
            **reading_message(mood.vector),
            "label": mood.label,
            "confidence": _rounded(mood.confidence),
            "sources": _shares(mood.sources),
            "name": mood.name,
            "mixed": mood.mixed and list(mood.mixed),
            "said": {
                source: {
                    "label": contribution.label,
                    "confidence": _rounded(contribution.confidence),
                    "weight": _rounded(contribution.weight),
                    "at": round(contribution.at, 2),
                }
                for source, contribution in mood.contributions.items()
            },
            "at": round(mood.at, 2),
        }
    return schemas.Mood.model_validate(fields).model_dump()


def combined_mood_message(analyses: Iterable[Analysis]) -> dict[str, Any]:
    """Return the `mood` message of what several files and texts say of one person: it has no time."""
    return mood_message(combine(analyses)) | {"at": None}


def reading_message(vector: MoodVector | None) -> dict[str, Any]:
    """Return the fields of a :class:`message_schemas.Reading`; for None a label of null, and zeros."""
    if vector is None:
        return {
            "label": None,
            "confidence": 0.0,
            "vector": dict.fromkeys(EMOTIONS, 0.0),
            "valence": 0.0,
            "arousal": 0.0,
        }
    valence, arousal = valence_arousal(vector)
    return {
        "label": EMOTIONS[int(vector.argmax())],
        "confidence": _rounded(vector.max()),
        "vector": {emotion: _rounded(share) for emotion, share in zip(EMOTIONS, vector, strict=True)},
        "valence": _rounded(valence),
        "arousal": _rounded(arousal),
    }


def _rounded(number: float | np.floating[Any]) -> float:
    return round(float(number), DECIMALS)


def tracked_face(face: Face) -> schemas.TrackedFace:
    """Return the message of a face: if it can't be read, the label is null, and `obstacle` says why and what to do."""
    return schemas.TrackedFace.model_validate(_face_fields(face))


def _face_fields(face: Face) -> dict[str, Any]:
    return {
        "number": face.number,
        "box": list(face.box),
        "label": face.label,
        "confidence": _rounded(face.confidence),
        "obstacle": QUALITY_ISSUE_MESSAGES[face.quality_issue] if face.quality_issue else None,
    }


def faces_message(faces: Sequence[Face]) -> dict[str, Any]:
    """Return the `faces` message: the number of faces, and why the nearest can't be read."""
    return schemas.FacesPayload(count=len(faces), obstacle=tracked_face(faces[0]).obstacle if faces else None).model_dump()


def audio_ack(packet: Samples, state: str, reading: SpeechReading | None = None) -> schemas.AudioAck:
    """Return the acknowledgement of an audio packet, samples float32 [n] in −1…1.

    `level` is the root mean square in dB of full scale; `state` is ``listening`` before the first reading, ``silence`` or
    ``speech``; `reading` is set if there is a new one.
    """
    rms = float(np.sqrt(np.mean(np.square(packet, dtype=np.float64))))
    level = 20 * float(np.log10(max(rms, 10 ** (MIN_LEVEL_DB / 20))))
    fields: dict[str, Any] = {"level": round(level, 1), "state": state}
    if reading is not None:
        fields["reading"] = {
            **reading_message(reading.vector),
            "snr_db": round(reading.snr_db, 1),
            "weight": _rounded(reading.weight),
        }
    return schemas.AudioAck.model_validate(fields)


def text_ack(reading: TextReading | None, words: Sequence[tuple[int, int, float]] = ()) -> schemas.TextAck:
    """Return the acknowledgement of a text: its emotions, sentence by sentence in `course`, and its most influential words.

    Positions count Unicode characters from 0, the end is exclusive. The label is null for an empty text (None).
    """
    if reading is None:
        fields = {
            **reading_message(None),
            "language": None,
            "language_known": True,
            "weight": 0.0,
            "course": [],
            "words": [],
            "states_crisis": False,
        }
    else:
        fields = {
            **reading_message(reading.vector),
            "language": reading.language,
            "states_crisis": reading.states_crisis,
            "language_known": reading.language_known,
            "weight": _rounded(reading.weight),
            "course": [{"start": start, "end": end, **reading_message(vector)} for start, end, vector in reading.sentences],
            "words": _influential(words),
        }
    return schemas.TextAck.model_validate(fields)


def help_message(country: str | None) -> dict[str, Any]:
    """Return the notice with the help lines of a country; without any for None."""
    lines = help_lines().get(country or "", ())
    fields = {
        "message": help_notice(country),
        "country": country if lines else None,
        "lines": [{name: getattr(line, name) for name in schemas.HelpLine.model_fields} for line in lines],
        "emergency": lines[0].emergency if lines else None,
        "directory": DIRECTORY_URL,
    }
    return schemas.HelpNotice.model_validate(fields).model_dump()


def analysis_message(analysis: Analysis, country: str | None = None) -> dict[str, Any]:
    """Return the analysis of a file or a text: one shape for all kinds, with None or empty for what a kind does not have.

    `country` is that of the help lines for a text that states a crisis.
    """
    return {
        "kind": analysis.kind,
        **reading_message(analysis.vector),
        "sources": _shares(analysis.sources or {}),
        "share": _rounded(analysis.leading_share),
        "width": analysis.width,
        "height": analysis.height,
        "seconds": None if analysis.seconds is None else round(analysis.seconds, 2),
        "course": [_segment_message(segment) for segment in analysis.segments],
        "faces": [{**_face_fields(face), **reading_message(face.vector)} for face in analysis.faces],
        "words": _influential(analysis.words),
        "language": analysis.language,
        "language_known": analysis.language_known,
        "weight": None if analysis.weight is None else _rounded(analysis.weight),
        "notices": list(analysis.notices),
        "readings": [
            {
                "source": reading.source,
                "vector": reading_message(reading.vector)["vector"],
                "weight": _rounded(reading.weight),
            }
            for reading in analysis.readings
        ],
        "help": help_message(country) if analysis.states_crisis else None,
    }


def _segment_message(segment: Segment) -> dict[str, Any]:
    return {
        "at": None if segment.at is None else round(segment.at, 2),
        "start": segment.start,
        "end": segment.end,
        **reading_message(segment.vector),
        "sources": _shares(segment.sources),
        "weight": None if segment.weight is None else _rounded(segment.weight),
        "snr_db": None if segment.snr_db is None else round(segment.snr_db, 1),
        "mixed": list(segment.mixed) if segment.mixed else None,
    }


def _shares(sources: Mapping[Source, float]) -> dict[Source, float]:
    return {source: _rounded(share) for source, share in sources.items()}


def _influential(words: Sequence[tuple[int, int, float]]) -> list[dict[str, Any]]:
    """Return the most influential words of a text, (start, end, influence) each, in their order."""
    candidates = (word for word in words if word[2] >= MIN_WORD_INFLUENCE)
    strongest = sorted(candidates, key=lambda word: -word[2])[:MAX_INFLUENTIAL_WORDS]
    return [{"start": start, "end": end, "weight": _rounded(influence)} for start, end, influence in sorted(strongest)]


def camera_message(status: CameraStatus) -> dict[str, Any]:
    """Return the `camera` message: the status of the server's camera."""
    fields = {"state": status.state, "message": status.message, "advice": status.advice}
    return schemas.CameraPayload.model_validate(fields).model_dump()


def recommendations_message(
    recommender: Recommender,
    mood: Any,
    mode: str = "match",
    k: int = ROWS_PER_TABLE,
    filters: Filters | None = None,
    *,
    towards: str | None = None,
    seed: int = 0,
    text_query: TextQuery | None = None,
    comforting: bool = False,
    sort: str = "match",
) -> dict[str, Any]:
    """Return the `k` best rows of each table for a mood vector, or None, as the HTTP API sends them.

    Raises ValueError as Recommender.recommend_each does.
    """
    tables = recommender.recommend_each(
        mood, KINDS, k, mode, filters, towards=towards, seed=seed, text_query=text_query, comforting=comforting, sort=sort
    )
    return {kind: [row_fields(kind, row) for row in rows] for kind, rows in tables.items()}


def row_fields(kind: str, row: Recommendation) -> dict[str, Any]:
    """Return the fields of a :class:`message_schemas.Row`."""
    return {
        **item_fields(kind, row.item),
        "why": row.why,
        "details": list(row.details),
        "score": _rounded(row.score),
        "liked": row.liked,
    }


def item_fields(kind: str, item: Item) -> dict[str, Any]:
    """Return the fields of a :class:`message_schemas.Item`."""
    return {
        "id": item.id,
        "title": item.title,
        "about": _about(kind, item),
        "line": item.line,
        "links": _links(kind, item),
        "rating": float(item.facts[RATING]) if item.facts.get(RATING) else None,
        "votes": int(item.facts[VOTES]) if item.facts.get(VOTES) else None,
    }


def _links(kind: str, item: Item) -> list[dict[str, str]]:
    """Return the links to an item: its page on each site where its id is known, and else a search for it there."""
    query = quote(_search_query(kind, item), safe="")  # a + in a path is a plus sign
    urls = {name: url + query for name, url in SEARCH_SITES[kind]}
    if track := track_id(item.facts.get(SPOTIFY_ID, "")):
        urls["Spotify"] = TRACK_PAGE + track
    if imdb_id := item.facts.get(IMDB_ID):
        urls["IMDb"] = f"{IMDB_PAGE}{imdb_id}/"
    elif tmdb_id := item.facts.get(TMDB_ID):  # a title's own page is better than a search of IMDb
        del urls["IMDb"]
        urls = {"TMDB": TMDB_PAGES.get(item.facts["kind"], TMDB_PAGES["film"]) + tmdb_id, **urls}
    return [{"name": name, "url": url} for name, url in urls.items()]


def _search_query(kind: str, item: Item) -> str:
    further = {"songs": "artist", "movies": "year"}.get(kind)
    return f"{item.title} {item.facts[further].replace('|', ' ')}".strip() if further else item.title


def _about(kind: str, item: Item) -> str:
    """Return the line below a title: artist or cuisine, year, genre, duration."""
    facts = item.facts
    match kind:
        case "songs":
            parts = [facts["artist"].replace("|", ", "), facts["year"], *facts["genres"].split("|")[:1]]
        case "movies":
            parts = [facts["director"].replace("|", ", "), facts["year"], *facts["genres"].split("|")[:1], _rating(facts)]
        case "food":
            diets = [diet for diet in facts["diet"].split("|") if diet in ("vegan", "vegetarian", "pescatarian")]
            parts = [facts["cuisine"].title(), *diets[:1], _duration(facts["minutes"])]
        case _:
            parts = [facts["place"].replace("|", " or "), facts["company"].replace("|", " or ")]
            parts += [
                _duration(facts["minutes"]),
                f"{facts['cost']} cost" if facts["cost"] not in ("", "free") else facts["cost"],
            ]
    return " · ".join(filter(None, parts))  # columns that an imported table lacks are empty


def _rating(facts: Mapping[str, str]) -> str:
    """Return a rating with its number of votes, such as "★ 8.4 (34,495)"; empty if there is none."""
    if not facts.get(RATING):
        return ""
    votes = f"\N{NO-BREAK SPACE}({int(facts[VOTES]):,})" if facts.get(VOTES) else ""
    return f"★\N{NO-BREAK SPACE}{float(facts[RATING]):.1f}{votes}"


def _duration(minutes: str) -> str:
    if not minutes:
        return ""
    number = int(minutes)
    if number < 120:
        return f"{number} min"
    hours = number / 60
    return f"{round(2 * hours) / 2:g} h" if hours < 24 else f"{round(hours / 24)} {'day' if hours < 36 else 'days'}"
