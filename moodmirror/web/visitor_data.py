"""The data stored about a visitor: download it, or delete it."""

import json
from typing import Any, Final

from flask import Response, request, session
from flask_openapi3 import APIBlueprint

from moodmirror.services import current_services
from moodmirror.storage.database import DatabaseUnavailableError
from moodmirror.visitor_identity import ensure_visitor_id, visitor_id
from moodmirror.web import schemas
from moodmirror.web.problem_details import problem

# A page of another site can't send this header without a CORS preflight request, which is refused.
HEADER: Final = "X-Mood-Mirror"

_unavailable: Any = schemas.problem_response("The database is unavailable.")
_header: Any = {"parameters": [{"name": HEADER, "in": "header", "required": True, "schema": {"const": "1"}}]}

bp = APIBlueprint("my_data", __name__, url_prefix="/api/my-data", abp_responses={429: schemas.RATE_LIMITED})


@bp.get("", responses={200: schemas.MyData, 503: _unavailable})
def download() -> Response:
    """Download all data stored about the visitor as a JSON file."""
    visitor, services = visitor_id(), current_services()
    try:
        data: dict[str, Any] = services.database.export_visitor(visitor) if visitor else {}
    except DatabaseUnavailableError as error:
        return problem(503, "Database unavailable", str(error))
    for entry in (*data.get("opinions", ()), *data.get("saved", ())):
        item = services.recommender.item(entry["kind"], entry["item"])
        entry["title"] = item.title if item else None
    content = json.dumps(data or {"visitor": None, "opinions": [], "saved": []}, indent=2, ensure_ascii=False)
    headers = {"Content-Disposition": 'attachment; filename="mood-mirror.json"', "Cache-Control": "no-store"}
    return Response(content, mimetype="application/json", headers=headers)


@bp.delete(
    "",
    responses={
        204: None,
        403: schemas.problem_response("The request did not come from the site's own page."),
        503: _unavailable,
    },
    openapi_extensions=_header,
)
def delete() -> Response:
    """Delete all data stored about the visitor, and give them a new id."""
    if request.headers.get(HEADER) != "1":
        return problem(
            403, "Not from this site's page", f"Only the site's own page may delete data. It sends the header {HEADER}: 1."
        )
    visitor, services = visitor_id(), current_services()
    if visitor:
        try:
            services.database.delete_visitor(visitor)
        except DatabaseUnavailableError as error:
            return problem(503, "Database unavailable", f"{error} Nothing was deleted: try again later.")
        session.clear()
        ensure_visitor_id()
        for notify in services.on_visitor_deleted:
            notify(visitor)
    return Response(status=204)
