"""`flask check-camera`: open the server's camera and report its status and faces."""

from typing import Final

import click
from flask.cli import with_appcontext

from moodmirror.services import current_services

CHECKED_FRAMES: Final = 10  # a webcam's first frames are still dark


@click.command("check-camera")
@with_appcontext
def check_camera() -> None:
    """Open the camera that CAMERA names, and report its status and the faces it sees. Nothing is stored."""
    services = current_services()
    camera, source = services.camera, services.config.camera
    click.echo(f"Trying {source.name} (CAMERA={source.kind}) …")
    live_frames = 0
    for _ in camera.watch():
        live_frames += camera.status.state == "live"
        if live_frames == CHECKED_FRAMES or camera.status.state not in ("idle", "starting", "live"):
            break
    status, faces = camera.status, camera.faces
    camera.close()
    click.echo(f"{status.message} {status.advice}".strip())
    if status.state != "live":
        raise SystemExit(1)
    labels = ", ".join(
        f"{face.label} {face.confidence:.0%}" if face.label else f"unreadable ({face.quality_issue})" for face in faces
    )
    click.echo(f"Faces: {labels}" if labels else "No face found. Sit in front of the camera, with light on your face.")
