import pytest

from moodmirror.config import CameraSource, Config, ConfigError, stored_secret
from tests.conftest import ROOT

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("auto", "auto"),
        ("", "auto"),
        ("off", "off"),
        ("0", "index"),
        ("12", "index"),
        ("rtsp://user:word@cam.local/1", "url"),
        ("HTTP://cam.local/video", "url"),
        ("clips/face.mp4", "file"),
        ("published", "published"),
    ],
)
def test_the_camera_kind_is_parsed_from_the_text(text, kind):
    assert CameraSource.parse(text).kind == kind


def test_a_camera_name_never_shows_its_url():
    assert "word" not in CameraSource.parse("rtsp://user:word@cam.local/1").name


def test_the_defaults_serve_this_computer_only():
    config = Config.from_environment({})
    assert (config.host, config.port, config.camera.kind) == ("127.0.0.1", 8000, "auto")
    assert config.database == f"sqlite:///{ROOT / 'instance' / 'mood_mirror.sqlite3'}"


def test_host_names_have_no_case():
    config = Config.from_environment({"TRUSTED_HOSTS": "Mirror.Example, www.MIRROR.example"})
    assert config.trusted_hosts == ("mirror.example", "www.mirror.example")


def test_a_missing_key_is_generated_once_and_readable_by_its_owner_only(tmp_path):
    first = stored_secret(tmp_path / "instance")
    assert len(first) >= 32
    assert stored_secret(tmp_path / "instance") == first
    assert stored_secret(tmp_path / "other") != first
    [path] = (tmp_path / "instance").iterdir()
    assert path.stat().st_mode & 0o077 == 0


def test_every_invalid_setting_is_named_at_once_and_no_secret_is_shown():
    with pytest.raises(ConfigError) as caught:
        Config.from_environment(
            {"PORT": "http", "MAX_VIEWERS": "-1", "SECRET_KEY": "hunter2", "DATABASE_URL": "mysql://me:hunter2@host/db"}
        )
    message = str(caught.value)
    assert "PORT='http'" in message
    assert "MAX_VIEWERS" in message
    assert "SECRET_KEY" in message
    assert "DATABASE_URL" in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "address", ["redis:hunter2", "http://:hunter2@host", "redis://:hunter2@host:port", "redis://:hunter2@"]
)
def test_an_invalid_redis_url_is_named_and_not_shown(address):
    with pytest.raises(ConfigError, match="REDIS_URL: must be a URL such as redis:") as caught:
        Config.from_environment({"REDIS_URL": address})
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(Config(redis_url=address))


def test_a_published_camera_needs_redis():
    with pytest.raises(ConfigError, match="needs REDIS_URL"):
        Config.from_environment({"CAMERA": "published"})
    assert Config.from_environment({"CAMERA": "published", "REDIS_URL": "redis://host"}).camera.kind == "published"


def test_open_streams_and_websockets_leave_threads_for_requests():
    config = Config(max_viewers=30, max_visitors=50)
    assert config.server_threads > 30 + 50 + 10
