"""The command `mood-mirror`, and `python -m moodmirror`: the site, and the commands that `flask` has in a checkout."""

import os
import sys

import click
from flask.cli import FlaskGroup

from moodmirror.app_factory import close_app, create_app, start_app
from moodmirror.config import Config, ConfigError, stored_secret
from moodmirror.paths import IS_INSTALLED
from moodmirror.recommendation.catalogue import CatalogueError
from moodmirror.server.development import serve
from moodmirror.server.process_setup import limit_library_threads

HELP = """Mood Mirror: reads your mood from your face, your voice and your words, and recommends songs, movies, food and
activities for it.

\b
  mood-mirror run                              the site, at http://127.0.0.1:8000
  mood-mirror analyze "What a day!" party.mp4  moods of texts, recordings, pictures and clips
  mood-mirror recommend --mood sad             what to hear, watch, eat and do

Settings are environment variables, such as CAMERA=off PORT=9000. What you like and import is stored in INSTANCE:

\b
  {instance}
"""


def main() -> None:
    """Run the command line."""
    limit_library_threads()
    try:
        config = Config.from_environment(os.environ)
        app = create_app(config, secret_key=config.secret_key or stored_secret(config.instance))
    except (ConfigError, CatalogueError) as error:
        sys.exit(f"Mood Mirror can't start: {error}")
    commands = FlaskGroup(
        name="mood-mirror",
        create_app=lambda: app,
        help=HELP.format(instance=config.instance),
        add_default_commands=False,
        add_version_option=False,
        set_debug_flag=False,
    )
    commands.params = []  # which application to load
    for command in app.cli.commands.values():
        _name_program(command)

    @commands.command("run")
    def run() -> None:
        """Serve the site, until Ctrl-C."""
        # Where it is set, Flask-SocketIO leaves serving to Flask's own `run`.
        os.environ.pop("FLASK_RUN_FROM_CLI", None)
        serve(app, config, start_app, close_app)

    if IS_INSTALLED:
        click.version_option(package_name="mood-mirror")(commands)
    commands.main(prog_name="mood-mirror")


def _name_program(command: click.Command) -> None:
    """Name this program in the help of a command, which says `flask`."""
    for attribute in ("help", "epilog", "short_help"):
        if text := getattr(command, attribute):
            setattr(command, attribute, text.replace("flask ", "mood-mirror "))
    if isinstance(command, click.Group):
        for each in command.commands.values():
            _name_program(each)


if __name__ == "__main__":
    main()
