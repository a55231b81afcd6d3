"""The page's TypeScript types and the documentation of the Socket.IO events."""

import pytest
from pydantic import BaseModel

from moodmirror.live import page_types
from moodmirror.live.message_schemas import CLIENT_EVENTS, SERVER_EVENTS

pytestmark = pytest.mark.unit


def test_the_committed_types_are_up_to_date():
    assert page_types.TYPES_PATH.read_text(encoding="utf-8") == page_types.type_definitions(), "run `make types`"


def test_the_committed_documentation_is_up_to_date():
    assert page_types.DOCUMENTATION_PATH.read_text(encoding="utf-8") == page_types.documentation(), "run `make types`"


@pytest.mark.parametrize("event", [*CLIENT_EVENTS, *SERVER_EVENTS])
def test_every_event_is_typed_and_documented(event):
    assert f"\n  {event}: (" in page_types.type_definitions()
    assert f"\n### `{event}`\n" in page_types.documentation()


def test_a_schema_without_a_typescript_type_is_an_error():
    class Unsupported(BaseModel):
        """Two values."""

        pair: tuple[int, str]

    with pytest.raises(ValueError, match="no TypeScript type for the JSON schema"):
        page_types._declaration("Unsupported", Unsupported.model_json_schema(), ())
