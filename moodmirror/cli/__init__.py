"""The commands of `flask`: analyze, recommend, import, cluster, check-camera and spotify."""

from flask import Flask

from moodmirror.cli.analyze import analyze
from moodmirror.cli.check_camera import check_camera
from moodmirror.cli.cluster import cluster_group
from moodmirror.cli.import_catalogue import import_group
from moodmirror.cli.recommend import recommend
from moodmirror.cli.spotify import spotify_group
from moodmirror.config import Config


def register_commands(app: Flask, config: Config) -> None:
    """Add the commands to an application; `spotify` only if a Spotify app is configured."""
    for command in (analyze, check_camera, recommend, import_group, cluster_group):
        app.cli.add_command(command)
    if config.spotify:
        app.cli.add_command(spotify_group)
