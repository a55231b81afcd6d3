"""A visitor's preferences for the tables: a mode, filters for each table, and a text query."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from moodmirror.live.message_schemas import MAX_QUERY_CHARACTERS, PreferencesPayload
from moodmirror.recognition.model_files import ModelError
from moodmirror.recognition.text import TextEncoder
from moodmirror.recognition.text_input import TextError
from moodmirror.recommendation.filters import Filters
from moodmirror.recommendation.text_query import TextQuery
from moodmirror.services import Services

LOGGER = logging.getLogger("moodmirror.preferences")


class PreferenceError(ValueError):
    """Preferences are invalid; the message says why."""


class TextQueryError(ValueError):
    """A text query is invalid; the message says why, for the user."""


@dataclass(frozen=True)
class Preferences:
    """How to make one visitor's tables. `filters` are by kind. The text query is stored in memory only.

    `sort` is the order of the movies. `song_list` is the name of the list of the visitor's own songs from which to
    recommend; empty stands for all songs.
    """

    mode: str = "match"
    towards: str | None = None
    seed: int = 0
    filters: Mapping[str, Filters] = field(default_factory=dict)
    text_query: TextQuery | None = None
    song_list: str = ""
    sort: str = "match"


def read_preferences(services: Services, payload: PreferencesPayload) -> Preferences:
    """Return the preferences of a validated message, with its text query encoded.

    Raises PreferenceError for filters that a table doesn't have, TextQueryError for an invalid text query.
    """
    for kind, values in payload.filters.items():
        try:
            services.recommender.check_filters(kind, values)
        except ValueError as error:
            raise PreferenceError(str(error)) from None
    filters: dict[str, Filters] = {kind: dict(values) for kind, values in payload.filters.items()}
    text_query = read_text_query(services, payload.wish)
    return Preferences(payload.mode, payload.towards, payload.seed, filters, text_query, payload.song_list, payload.sort)


def read_text_query(services: Services, text: str) -> TextQuery | None:
    """Return a text query with its sentence vector where that is available; None for an empty text.

    Raises TextQueryError for a text that is too long.
    """
    if len(text) > MAX_QUERY_CHARACTERS:
        raise TextQueryError(f"a wish may have at most {MAX_QUERY_CHARACTERS} characters, this one has {len(text)}")
    if not text.strip():
        return None
    try:
        [vector] = TextEncoder(services.text_recognizer().network).encode([text])
    except TextError:
        return TextQuery(text)  # nothing to encode, such as a lone emoji; keyword search finds nothing either
    except (ModelError, FileNotFoundError) as error:
        LOGGER.error("embeddings unavailable, using keyword search: %s", error)
        return TextQuery(text)
    return TextQuery(text, vector)
