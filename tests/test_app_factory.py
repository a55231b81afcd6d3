"""What a server prepares when it starts."""

import threading

import pytest

from moodmirror.app_factory import close_app, create_app, start_app
from moodmirror.config import CameraSource, Config
from moodmirror.live.preferences import read_text_query
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.services import EXTENSION, Services

pytestmark = pytest.mark.unit


def test_what_the_first_text_query_needs_is_loaded_when_the_server_starts(tmp_path, monkeypatch):
    loads = []
    load = TextEmotionRecognizer.load

    def count_and_load():
        loads.append(1)
        return load()

    monkeypatch.setattr("moodmirror.app_factory.TextEmotionRecognizer.load", count_and_load)
    app = create_app(Config(camera=CameraSource("off", "off"), instance=tmp_path))
    try:
        assert loads == []  # a command that needs no model does not wait for one
        start_app(app)
        for thread in threading.enumerate():
            if thread.name == "preload":
                thread.join()
        services: Services = app.extensions[EXTENSION]
        assert loads == [1]
        query = read_text_query(services, "something short and funny with dogs")
        assert services.recommender.recommend(None, "movies", 3, text_query=query)
        assert loads == [1]
    finally:
        close_app(app)
