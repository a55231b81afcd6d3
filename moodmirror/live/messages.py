"""What the page and programs are told, as JSON: moods, faces, voices, words, recommendations, the camera's status."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import numpy as np

from moodmirror.emotions import EMOTIONS, MoodVector, valence_arousal
from moodmirror.fusion import Mood, Source
from moodmirror.media.analysis_result import Analysis, Segment
from moodmirror.recognition.audio import Samples
from moodmirror.recognition.face import Face, QualityIssue
from moodmirror.recognition.speech import SpeechReading
from moodmirror.recognition.text import TextReading
from moodmirror.recommendation import Recommendation, Recommender
from moodmirror.recommendation.catalogue import KINDS, Item
from moodmirror.recommendation.filters import Filters
from moodmirror.recommendation.text_query import TextQuery
from moodmirror.services import CameraStatus

ROWS: Final = 10  # of each table on the page
DECIMALS: Final = 4  # of shares: finer than a bar can show
QUIETEST: Final = -96.0  # dB of full scale: one step of a 16-bit sample
MOST_WORDS: Final = 12  # that are told to have weighed most
LEAST_WORD: Final = 0.02  # of the leading emotion's share, that a told word moves

# Why a face can't be read, and what to do.
QUALITY_ISSUE_MESSAGES: Final[dict[QualityIssue, str]] = {
    "small": "Your face is too small to read: come closer.",
    "blurred": "The picture is too blurred to read: hold still, or turn on a light.",
    "turned": "Your face is turned away or covered: look at the camera.",
}

# Where people look such things up: the service's name, and its search address up to the words to search for.
SEARCHES: Final = {
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
    """A mood; its label is null when nothing is known.

    `name` is what to call it, and `mixed` the two emotions of sources that contradict each other strongly, else null.
    `sources` are their shares in it; `said` is what each of them says, how far it is trusted, and when it last spoke. Times
    are in seconds by the server's clock, which began at any time.
    """
    if mood is None:
        return {**reading_message(None), "name": None, "mixed": None, "sources": {}, "said": {}, "at": None}
    return {
        **reading_message(mood.vector),
        "label": mood.label,
        "confidence": _rounded(mood.confidence),
        "sources": _shares(mood.sources),
        "name": mood.name,
        "mixed": list(mood.mixed) if mood.mixed else None,
        "said": {
            source: {
                "label": said.label,
                "confidence": _rounded(said.confidence),
                "weight": _rounded(said.weight),
                "at": round(said.at, 2),
            }
            for source, said in mood.contributions.items()
        },
        "at": round(mood.at, 2),
    }


def reading_message(vector: MoodVector | None) -> dict[str, Any]:
    """What a mood vector, float32 [7], says; None is nothing: a label of null, and zeros."""
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
        "vector": {e: _rounded(share) for e, share in zip(EMOTIONS, vector, strict=True)},
        "valence": _rounded(valence),
        "arousal": _rounded(arousal),
    }


def _rounded(number: float | np.floating[Any]) -> float:
    return round(float(number), DECIMALS)


def face_message(face: Face) -> dict[str, Any]:
    """A face: its number, its box as [x, y, width, height] in pixels of the frame, its label and confidence.

    Of one that can't be read the label is null, and `obstacle` says why and what to do.
    """
    return {
        "number": face.number,
        "box": list(face.box),
        "label": face.label,
        "confidence": _rounded(face.confidence),
        "obstacle": QUALITY_ISSUE_MESSAGES[face.quality_issue] if face.quality_issue else None,
    }


def faces_message(faces: list[Face]) -> dict[str, Any]:
    """What there is to say of the faces before the server's camera: how many, and what keeps the nearest from being read."""
    return {"count": len(faces), "obstacle": face_message(faces[0])["obstacle"] if faces else None}


def speech_message(reading: SpeechReading | None) -> dict[str, Any]:
    """What is heard in one window; its label is null where nobody speaks."""
    if reading is None:
        return reading_message(None)
    return {
        **reading_message(reading.vector),
        "snr_db": round(reading.snr_db, 1),
        "weight": _rounded(reading.weight),
    }


def hearing_message(packet: Samples, state: str, reading: SpeechReading | None = None) -> dict[str, Any]:
    """The answer to a packet of sound, samples float32 [n] in −1…1.

    `level` is its root mean square in dB of full scale; `state` is ``listening`` before the first reading, ``silence`` or
    ``speech``; `reading` is there when there is a new one.
    """
    rms = float(np.sqrt(np.mean(np.square(packet, dtype=np.float64))))
    level = 20 * float(np.log10(max(rms, 10 ** (QUIETEST / 20))))
    return {"level": round(level, 1), "state": state} | ({"reading": speech_message(reading)} if reading else {})


def analysis_message(analysis: Analysis) -> dict[str, Any]:
    """What a file or a text was read as: one shape for all kinds, with None or nothing for what a kind does not have."""
    weighty = _weighty(analysis.words)
    return {
        "kind": analysis.kind,
        **reading_message(analysis.vector),
        "sources": _shares(analysis.sources or {}),
        "share": _rounded(analysis.leading_share),
        "width": analysis.width,
        "height": analysis.height,
        "seconds": None if analysis.seconds is None else round(analysis.seconds, 2),
        "course": [_segment_message(segment) for segment in analysis.segments],
        "faces": [{**face_message(face), **reading_message(face.vector)} for face in analysis.faces],
        "words": weighty,
        "language_known": analysis.language_known,
        "weight": None if analysis.weight is None else _rounded(analysis.weight),
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


def words_message(reading: TextReading | None, words: Sequence[tuple[int, int, float]] = ()) -> dict[str, Any]:
    """What a text says, sentence by sentence in `course`, and which of its `words` weighed most, in their order.

    Places are counted in Unicode characters from 0, the end not included. The label is null where there is no text.
    """
    if reading is None:
        return {**reading_message(None), "language_known": True, "weight": 0.0, "course": [], "words": []}
    return {
        **reading_message(reading.vector),
        "language_known": reading.language_known,
        "weight": _rounded(reading.weight),
        "course": [{"start": start, "end": end, **reading_message(vector)} for start, end, vector in reading.sentences],
        "words": _weighty(words),
    }


def _weighty(words: Sequence[tuple[int, int, float]]) -> list[dict[str, Any]]:
    """Those of a text's words that weighed most, in their order."""
    weighty = sorted((word for word in words if word[2] >= LEAST_WORD), key=lambda word: -word[2])[:MOST_WORDS]
    return [{"start": start, "end": end, "weight": _rounded(weight)} for start, end, weight in sorted(weighty)]


def camera_message(status: CameraStatus) -> dict[str, str]:
    """The status of the server's camera."""
    return {"state": status.state, "message": status.message, "advice": status.advice}


def recommendations_message(
    recommender: Recommender,
    mood: Any,
    mode: str = "match",
    k: int = ROWS,
    filters: Filters | None = None,
    *,
    towards: str | None = None,
    seed: int = 0,
    text_query: TextQuery | None = None,
) -> dict[str, Any]:
    """The `k` best rows of each table for a mood vector, or None. Raises ValueError as Recommender.recommend_each does."""
    tables = recommender.recommend_each(mood, KINDS, k, mode, filters, towards=towards, seed=seed, text_query=text_query)
    return {kind: rows_message(kind, rows) for kind, rows in tables.items()}


def rows_message(kind: str, rows: Sequence[Recommendation]) -> list[dict[str, Any]]:
    """The rows of one table."""
    return [
        {
            **item_message(kind, row.item),
            "why": row.why,
            "details": list(row.details),
            "score": _rounded(row.score),
            "liked": row.liked,
        }
        for row in rows
    ]


def item_message(kind: str, item: Item) -> dict[str, Any]:
    """An item, and where to look it up."""
    words = quote(_search_words(kind, item), safe="")  # in a path, too, a + is a plus
    return {
        "id": item.id,
        "title": item.title,
        "about": _about(kind, item),
        "line": item.line,
        "links": [{"name": name, "url": address + words} for name, address in SEARCHES[kind]],
    }


def _search_words(kind: str, item: Item) -> str:
    further = {"songs": "artist", "movies": "year"}.get(kind)
    return f"{item.title} {item.facts[further].replace('|', ' ')}".strip() if further else item.title


def _about(kind: str, item: Item) -> str:
    """Who or what, when, how long: one short line under a title."""
    facts = item.facts
    match kind:
        case "songs":
            parts = [facts["artist"].replace("|", ", "), facts["year"], *facts["genres"].split("|")[:1]]
        case "movies":
            parts = [facts["director"].replace("|", ", "), facts["year"], *facts["genres"].split("|")[:1]]
        case "food":
            eaters = [diet for diet in facts["diet"].split("|") if diet in ("vegan", "vegetarian", "pescatarian")]
            parts = [facts["cuisine"].title(), *eaters[:1], _duration(facts["minutes"])]
        case _:
            parts = [facts["place"].replace("|", " or "), facts["company"].replace("|", " or ")]
            parts += [
                _duration(facts["minutes"]),
                f"{facts['cost']} cost" if facts["cost"] not in ("", "free") else facts["cost"],
            ]
    return " · ".join(filter(None, parts))  # what an imported row does not know is empty


def _duration(minutes: str) -> str:
    if not minutes:
        return ""
    number = int(minutes)
    if number < 120:
        return f"{number} min"
    hours = number / 60
    return f"{round(2 * hours) / 2:g} h" if hours < 24 else f"{round(hours / 24)} {'day' if hours < 36 else 'days'}"
