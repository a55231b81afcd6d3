"""The HTTP interface against its own description, with questions that Schemathesis makes up."""

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import positive_data_acceptance

from app import app


@schemathesis.serializer("audio/*", "video/*")
def serialize_bytes(_context, value):
    """A file's bytes as they are."""
    return value


schema = schemathesis.openapi.from_wsgi("/openapi.json", app)


@schema.parametrize()
@settings(max_examples=6, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
def test_the_interface_keeps_what_its_description_promises(case):
    # Bytes that are described as a picture's need not be one, nor every string a genre: to refuse them is no fault.
    case.call_and_validate(excluded_checks=[positive_data_acceptance])
