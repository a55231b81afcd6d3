"""Command-line options for the settings of a training, from the dataclasses that declare them."""

import argparse
from dataclasses import fields
from typing import Any, TypeVar

Settings = TypeVar("Settings")


def add_options(parser: argparse.ArgumentParser, settings_type: type[Any]) -> None:
    """Add one option per field of a settings dataclass. The type of the default is the type of the option."""
    for field in fields(settings_type):
        option = field.metadata
        flag = option["flag"] or f"--{field.name.replace('_', '-')}"
        if isinstance(field.default, bool):
            parser.add_argument(flag, dest=field.name, action="store_true", help=option["help"])
            continue
        several = field.default == ()
        has_default = field.default not in ("", ())
        parser.add_argument(
            flag,
            dest=field.name,
            default=field.default,
            type=str if several else type(field.default),
            nargs="+" if several else None,
            metavar=option["metavar"],
            choices=option["choices"],
            help=f"{option['help']} (default: %(default)s)" if has_default else option["help"],
        )


def settings_from(options: argparse.Namespace, settings_type: type[Settings]) -> Settings:
    """Return the settings that the parsed options state."""
    names = [field.name for field in fields(settings_type)]  # type: ignore[arg-type]
    return settings_type(**{name: getattr(options, name) for name in names})
