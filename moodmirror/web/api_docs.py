"""The documentation of the HTTP API at /api/docs: Swagger UI over /openapi.json, with files of this site only."""

from flask import Blueprint, render_template

bp = Blueprint("api_docs", __name__)


@bp.get("/api/docs")
def docs() -> str:
    """Return the page that lists the operations of the HTTP API and can send requests to them."""
    return render_template("api_docs.html")
