"""What a visitor wants to be offered: a mode, filters for each table, and a wish in own words."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moodmirror.emotions import EMOTIONS
from moodmirror.live.message_schemas import MAX_FILTER_CHARACTERS, MAX_QUERY_CHARACTERS, MAX_SEED
from moodmirror.recognition.model_files import ModelError
from moodmirror.recognition.text import TextEncoder
from moodmirror.recognition.text_input import TextError
from moodmirror.recommendation.catalogue import KINDS
from moodmirror.recommendation.filters import Filters
from moodmirror.recommendation.ranking_modes import MODES
from moodmirror.recommendation.text_query import TextQuery
from moodmirror.services import Services

LOGGER = logging.getLogger("moodmirror.preferences")


class PreferenceError(ValueError):
    """What was sent are no preferences; the message says why."""


class TextQueryError(ValueError):
    """A wish can't be read; the message says why, in words for the page."""


@dataclass(frozen=True)
class Preferences:
    """How one visitor's tables are made. `filters` are by kind. The wish is held in memory only."""

    mode: str = "match"
    towards: str | None = None
    seed: int = 0
    filters: Mapping[str, Filters] = field(default_factory=dict)
    wish: TextQuery | None = None


def read_preferences(site: Services, content: Any) -> Preferences:
    """Preferences as the page sends them: an object with any of mode, towards, seed, filters and wish.

    Raises PreferenceError or TextQueryError for anything else.
    """
    if not isinstance(content, dict) or not set(content) <= {"mode", "towards", "seed", "filters", "wish"}:
        raise PreferenceError("preferences take an object with any of mode, towards, seed, filters and wish")
    mode, towards, seed = content.get("mode", "match"), content.get("towards"), content.get("seed", 0)
    if not isinstance(mode, str) or mode not in MODES:
        raise PreferenceError(f"mode must be one of {', '.join(MODES)}")
    if (mode == "journey") != (towards is not None) or not (towards is None or towards in EMOTIONS):
        raise PreferenceError(f"towards must be one of {', '.join(EMOTIONS)} for a journey, and null for all else")
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= MAX_SEED:
        raise PreferenceError(f"seed must be a whole number from 0 to {MAX_SEED}")
    wish = content.get("wish", "")
    if not isinstance(wish, str):
        raise TextQueryError("a wish must be sent as a string")
    return Preferences(mode, towards, seed, _read_filters(site, content.get("filters", {})), read_text_query(site, wish))


def read_text_query(site: Services, words: str) -> TextQuery | None:
    """The wish that these words say, with its sentence vector where that can be had; None for no words."""
    if len(words) > MAX_QUERY_CHARACTERS:
        raise TextQueryError(f"a wish may have {MAX_QUERY_CHARACTERS} characters at most, this one has {len(words)}")
    if not words.strip():
        return None
    try:
        [vector] = TextEncoder(site.text_recognizer().network).encode([words])
    except TextError:
        return TextQuery(words)  # nothing that could be read, as a lone emoji; its words find nothing either
    except (ModelError, FileNotFoundError) as error:
        LOGGER.error("wishes are met by their words alone: %s", error)
        return TextQuery(words)
    return TextQuery(words, vector)


def _read_filters(site: Services, content: Any) -> dict[str, Filters]:
    if not isinstance(content, dict):
        raise PreferenceError("filters must be an object by table")
    filters: dict[str, Filters] = {}
    for kind, given in content.items():
        if kind not in KINDS or not isinstance(given, dict):
            raise PreferenceError(f"filters must have an object for any of {', '.join(KINDS)}")
        if not all(isinstance(value, str) and len(value) <= MAX_FILTER_CHARACTERS for value in given.values()):
            raise PreferenceError(f"a filter's value must be a string of at most {MAX_FILTER_CHARACTERS} characters")
        try:
            site.recommender.check_filters(kind, given)
        except ValueError as error:
            raise PreferenceError(str(error)) from None
        filters[kind] = dict(given)
    return filters
