"""What the page is told, as JSON: moods, faces, recommendations, the camera's status."""

from typing import Any, Final
from urllib.parse import quote_plus

from moodmirror.emotions import EMOTIONS
from moodmirror.fusion import Mood
from moodmirror.recognition.face import Face, Obstacle
from moodmirror.recommendation import Recommendation, Recommender
from moodmirror.recommendation.catalogue import KINDS, Item
from moodmirror.recommendation.filters import Filters
from moodmirror.web.site import CameraStatus

ROWS: Final = 10  # of each table on the page
DECIMALS: Final = 4  # of shares: finer than a bar can show

# Why a face can't be read, and what to do.
OBSTACLES: Final[dict[Obstacle, str]] = {
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
    """A mood; its label is null when nothing is known."""
    if mood is None:
        return {"label": None, "confidence": 0.0, "vector": dict.fromkeys(EMOTIONS, 0.0), "sources": {}}
    return {
        "label": mood.label,
        "confidence": round(mood.confidence, DECIMALS),
        "vector": {e: round(float(share), DECIMALS) for e, share in zip(EMOTIONS, mood.vector, strict=True)},
        "valence": round(mood.valence, DECIMALS),
        "arousal": round(mood.arousal, DECIMALS),
        "sources": {source: round(share, DECIMALS) for source, share in mood.sources.items()},
    }


def face_message(face: Face) -> dict[str, Any]:
    """A face: its number, its box as [x, y, width, height] in pixels of the frame, its label and confidence.

    Of one that can't be read the label is null, and `obstacle` says why and what to do.
    """
    return {
        "number": face.number,
        "box": list(face.box),
        "label": face.label,
        "confidence": round(face.confidence, DECIMALS),
        "obstacle": OBSTACLES[face.obstacle] if face.obstacle else None,
    }


def faces_message(faces: list[Face]) -> dict[str, Any]:
    """What there is to say of the faces before the server's camera: how many, and what keeps the nearest from being read."""
    return {"count": len(faces), "obstacle": face_message(faces[0])["obstacle"] if faces else None}


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
) -> dict[str, Any]:
    """The `k` best rows of each table for a mood vector. Raises ValueError as Recommender.recommend_each does."""
    tables = recommender.recommend_each(mood, KINDS, k, mode, filters, towards=towards, seed=seed)
    return {kind: [_row(kind, recommendation) for recommendation in rows] for kind, rows in tables.items()}


def _row(kind: str, recommendation: Recommendation) -> dict[str, Any]:
    item = recommendation.item
    words = quote_plus(_search_words(kind, item))
    return {
        "id": item.id,
        "title": item.title,
        "about": _about(kind, item),
        "line": item.line,
        "why": recommendation.why,
        "score": round(recommendation.score, DECIMALS),
        "links": [{"name": name, "url": address + words} for name, address in SEARCHES[kind]],
    }


def _search_words(kind: str, item: Item) -> str:
    further = {"songs": "artist", "movies": "year"}.get(kind)
    return f"{item.title} {item.facts[further]}" if further else item.title


def _about(kind: str, item: Item) -> str:
    """Who or what, when, how long: one short line under a title."""
    facts = item.facts
    match kind:
        case "songs":
            parts = [facts["artist"], facts["year"], *facts["genres"].split("|")[:1]]
        case "movies":
            parts = [facts["director"].replace("|", ", "), facts["year"], *facts["genres"].split("|")[:1]]
        case "food":
            eaters = [diet for diet in facts["diet"].split("|") if diet in ("vegan", "vegetarian", "pescatarian")]
            parts = [facts["cuisine"].title(), *eaters[:1], _duration(facts["minutes"])]
        case _:
            parts = [facts["place"].replace("|", " or "), facts["company"].replace("|", " or ")]
            parts += [_duration(facts["minutes"]), facts["cost"] if facts["cost"] == "free" else f"{facts['cost']} cost"]
    return " · ".join(parts)


def _duration(minutes: str) -> str:
    number = int(minutes)
    if number < 120:
        return f"{number} min"
    hours = number / 60
    return f"{hours:g} h" if hours < 24 else f"{round(hours / 24)} {'day' if hours < 36 else 'days'}"
