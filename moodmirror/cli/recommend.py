"""`flask recommend`: print recommendations for a mood, a text query, or both."""

from collections.abc import Callable

import click
from flask.cli import with_appcontext

from moodmirror.cli.emotion_choice import EmotionChoice
from moodmirror.cli.help_notice import print_help_notice
from moodmirror.emotions import mood_vector
from moodmirror.live.messages import item_fields
from moodmirror.live.preferences import read_text_query
from moodmirror.recognition.crisis_statements import is_crisis_statement
from moodmirror.recommendation.catalogue import KINDS
from moodmirror.recommendation.filters import FILTERS
from moodmirror.recommendation.ranking_modes import MODES
from moodmirror.recommendation.ratings import SORTS
from moodmirror.services import current_services


def _filter_options(command: Callable[..., None]) -> Callable[..., None]:
    for name, meaning in reversed(list(FILTERS.items())):
        command = click.option(f"--{name}", help=f"{meaning[0].upper()}{meaning[1:]}.")(command)
    return command


@click.command("recommend")
@click.option("--mood", type=EmotionChoice(), help="The mood to recommend for; optional with --wish.")
@click.option(
    "--mode",
    type=click.Choice(MODES),
    default="match",
    show_default=True,
    help="match: fits the mood; lift: leads to a better one; journey: leads to another one step by step; "
    "surprise: a less obvious fit.",
)
@click.option("--towards", type=EmotionChoice(), help="The emotion at the end of a journey.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Another number gives another surprise.")
@click.option(
    "--kind", type=click.Choice(KINDS), multiple=True, help="A table to recommend from; repeat for several (default: all)."
)
@click.option("-k", type=click.IntRange(1, 100), default=5, show_default=True, help="The number of rows per table.")
@click.option(
    "--sort",
    type=click.Choice(SORTS),
    default="match",
    show_default=True,
    help="rating: of the movies that fit, the best rated first.",
)
@click.option("--wish", default="", help="What you want, in your own words; counts in addition to the mood, or alone.")
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
    sort: str,
    wish: str,
    **filters: str | None,
) -> None:
    """Print recommendations for a mood, a text query, or both. A filter applies to the tables that have its property.

    \b
      flask recommend --mood sad --mode lift --decade 1970
      flask recommend --wish "something short and funny with dogs"
    """  # noqa: D301 - click's mark for lines that it must not join
    if mood is None and not wish.strip():
        raise click.UsageError('Give a mood, a wish, or both: --mood sad, --wish "a bowl of soup".')
    given_filters = {name: value for name, value in filters.items() if value is not None}
    kinds = tuple(dict.fromkeys(kind)) or KINDS
    states_crisis = is_crisis_statement(wish)
    if states_crisis:
        print_help_notice()
    try:
        services = current_services()
        tables = services.recommender.recommend_each(
            mood_vector({mood: 1}) if mood else None,
            kinds,
            k,
            mode,
            given_filters,
            towards=towards,
            seed=seed,
            text_query=None if states_crisis else read_text_query(services, wish),
            comforting=states_crisis,
            sort=sort,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    for name, rows in tables.items():
        click.secho(name.capitalize(), bold=True)
        for row in rows:
            fields = item_fields(name, row.item)
            click.echo(f"  {row.score:.2f}  {row.item.title}: {row.item.line}\n        {row.why}")
            if fields["rating"] is not None:
                click.echo(f"        {fields['about']}  {fields['links'][0]['url']}")
        if not rows:
            click.echo("  No item passes these filters. Remove one of them.")
