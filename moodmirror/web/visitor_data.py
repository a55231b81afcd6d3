"""Who a visitor is to the mirror, an anonymous id in a signed cookie; and what is kept of them: to download or to delete."""

import json
from typing import Any, Final

from flask import Response, request, session
from flask_openapi3 import APIBlueprint

from moodmirror.services import current_services
from moodmirror.storage.database import DatabaseUnavailableError
from moodmirror.visitor_identity import greet_visitor, visitor_id
from moodmirror.web import schemas
from moodmirror.web.problem_details import problem

# A page of another site can't send this header without asking first, and is not answered when it asks.
HEADER: Final = "X-Mood-Mirror"

_away: Any = schemas.problem_answer("The database is away.")
_header: Any = {"parameters": [{"name": HEADER, "in": "header", "required": True, "schema": {"const": "1"}}]}

bp = APIBlueprint("my_data", __name__, url_prefix="/api/my-data", abp_responses={429: schemas.TOO_OFTEN})


@bp.get("", responses={200: schemas.MyData, 503: _away})
def download() -> Response:
    """All that is kept of the visitor, as a JSON file."""
    visitor, site = visitor_id(), current_services()
    try:
        data: dict[str, Any] = site.database.export_visitor(visitor) if visitor else {}
    except DatabaseUnavailableError as error:
        return problem(503, "Not available", str(error))
    for entry in (*data.get("opinions", ()), *data.get("saved", ())):
        item = site.recommender.item(entry["kind"], entry["item"])
        entry["title"] = item.title if item else None
    content = json.dumps(data or {"visitor": None, "opinions": [], "saved": []}, indent=2, ensure_ascii=False)
    headers = {"Content-Disposition": 'attachment; filename="mood-mirror.json"', "Cache-Control": "no-store"}
    return Response(content, mimetype="application/json", headers=headers)


@bp.delete(
    "",
    responses={204: None, 403: schemas.problem_answer("It was not asked by the site's own page."), 503: _away},
    openapi_extensions=_header,
)
def forget() -> Response:
    """Delete all that is kept of the visitor, and give them another id."""
    if request.headers.get(HEADER) != "1":
        return problem(
            403, "Not from this site's page", f"Only the site's own page may ask this, with the header {HEADER}: 1."
        )
    visitor, site = visitor_id(), current_services()
    if visitor:
        try:
            site.database.delete_visitor(visitor)
        except DatabaseUnavailableError as error:
            return problem(503, "Not available", f"{error} Nothing was deleted: try again later.")
        session.clear()
        greet_visitor()
        for tell in site.on_forgotten:
            tell(visitor)
    return Response(status=204)
