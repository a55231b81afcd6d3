"""The help notice in a terminal, for a text that states suicidality or self-harm."""

import os

import click

from moodmirror.help_lines import country_of_locale, help_notice


def terminal_country() -> str | None:
    """Return the country of the terminal's locale, from the environment as the C library reads it; None if unknown."""
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    return country_of_locale(next((os.environ[name] for name in names if os.environ.get(name)), ""))


def print_help_notice() -> None:
    """Print the notice to standard error, so that it stands before the results and changes no machine-readable output."""
    click.secho(f"\n{help_notice(terminal_country())}\n", err=True, bold=True)
