"""Render the model cards: Markdown text with figures, from the Jinja templates in ``templates/``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES: Final = Path(__file__).parent / "templates"


def percent(share: float, digits: int = 0) -> str:
    """Format a share, 0…1, as a percentage: 0.694 with one digit is ``69.4%``."""
    return f"{float(share):.{digits}%}"


def fixed(value: float, digits: int) -> str:
    """Format a number with a fixed count of digits after the point."""
    return f"{float(value):.{digits}f}"


def thousands(value: int) -> str:
    """Format a whole number with a comma between thousands."""
    return f"{int(value):,}"


def _environment() -> Environment:
    # A missing value raises an error instead of leaving a hole in the card; Markdown needs no HTML escaping.
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"percent": percent, "fixed": fixed, "thousands": thousands}
    return environment


def render(template_name: str, **values: Any) -> str:
    """Render a template of ``templates/`` with the given values. Raises UndefinedError if one that it needs is missing."""
    return _environment().get_template(template_name).render(**values)


def with_notices(card: str, notices: Sequence[str]) -> str:
    """Return a card with notices, such as that of a quick run, as quotations below its title."""
    title, _, text = card.partition("\n")
    quoted = "".join(f"\n> **{notice}**\n" for notice in notices)
    return f"{title}\n{quoted}{text}"
