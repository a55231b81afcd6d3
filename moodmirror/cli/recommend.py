"""flask recommend: print recommendations for a mood, a text query, or both."""

from collections.abc import Callable

import click
from flask.cli import with_appcontext

from moodmirror.emotions import EMOTIONS, mood_vector
from moodmirror.live.preferences import read_text_query
from moodmirror.recommendation.catalogue import KINDS
from moodmirror.recommendation.filters import FILTERS
from moodmirror.recommendation.ranking_modes import MODES
from moodmirror.services import current_services


def _filter_options(command: Callable[..., None]) -> Callable[..., None]:
    for name, meaning in reversed(list(FILTERS.items())):
        command = click.option(f"--{name}", help=f"{meaning[0].upper()}{meaning[1:]}.")(command)
    return command


@click.command("recommend")
@click.option("--mood", type=click.Choice(EMOTIONS), help="The mood to recommend for; not needed with a wish.")
@click.option(
    "--mode",
    type=click.Choice(MODES),
    default="match",
    show_default=True,
    help="match: as it is; lift: toward a better one; journey: step by step to another; surprise: what fits unexpectedly.",
)
@click.option("--towards", type=click.Choice(EMOTIONS), help="Where a journey leads.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Another surprise for another number.")
@click.option("--kind", type=click.Choice(KINDS), multiple=True, help="Which tables (default: all).")
@click.option("-k", type=click.IntRange(1, 100), default=5, show_default=True, help="Rows of each.")
@click.option("--wish", default="", help="A wish in your own words: counts beside the mood, or alone without one.")
@_filter_options
@with_appcontext
def recommend(
    *,
    mood: str | None,
    mode: str,
    towards: str | None,
    seed: int,
    kind: tuple[str, ...],
    k: int,
    wish: str,
    **filters: str | None,
) -> None:
    """Print what suits a mood, a wish, or both. A filter narrows the tables that know it.

    \b
      flask recommend --mood sad --mode lift --decade 1970
      flask recommend --wish "something short and funny with dogs"
    """  # noqa: D301 - click's mark for lines that it must not join
    if mood is None and not wish.strip():
        raise click.UsageError('Say what to go by: --mood sad, --wish "a bowl of soup", or both.')
    given = {name: value for name, value in filters.items() if value is not None}
    kinds = tuple(dict.fromkeys(kind)) or KINDS
    try:
        site = current_services()
        tables = site.recommender.recommend_each(
            mood_vector({mood: 1}) if mood else None,
            kinds,
            k,
            mode,
            given,
            towards=towards,
            seed=seed,
            text_query=read_text_query(site, wish),
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    for name, rows in tables.items():
        click.secho(name.capitalize(), bold=True)
        for row in rows:
            click.echo(f"  {row.score:.2f}  {row.item.title}: {row.item.line}\n        {row.why}")
        if not rows:
            click.echo("  Nothing passes these filters.")
