"""flask check-camera: open the server's camera and print what it sees."""

from typing import Final

import click
from flask.cli import with_appcontext

from moodmirror.services import current_services

FRAMES_TO_JUDGE: Final = 10  # a webcam's first ones are still dark


@click.command("check-camera")
@with_appcontext
def check_camera() -> None:
    """Open the camera that CAMERA names and say what it sees. Nothing is stored."""
    site = current_services()
    camera, source = site.camera, site.config.camera
    click.echo(f"Trying {source.name} (CAMERA={source.kind}) …")
    live_frames = 0
    pictures = camera.watch()
    for _ in pictures:
        live_frames += camera.status.state == "live"
        if live_frames == FRAMES_TO_JUDGE or camera.status.state not in ("idle", "starting", "live"):
            break
    status, faces = camera.status, camera.faces
    camera.close()
    click.echo(f"{status.message} {status.advice}".strip())
    if status.state != "live":
        raise SystemExit(1)
    labels = ", ".join(
        f"{face.label} {face.confidence:.0%}" if face.label else f"unreadable ({face.quality_issue})" for face in faces
    )
    click.echo(f"Faces: {labels}" if labels else "No face in the picture: sit in front of it, with light on you.")
