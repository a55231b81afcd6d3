"""The WSGI application: `gunicorn app:app` in production, `python app.py` for development, `flask …` for its commands."""

import os
import sys

from moodmirror.app_factory import close_app, create_app, start_app
from moodmirror.config import Config, ConfigError, stored_secret
from moodmirror.recommendation.catalogue import CatalogueError
from moodmirror.server.development import serve
from moodmirror.server.process_setup import limit_library_threads

limit_library_threads()
try:
    config = Config.from_environment(os.environ)
    app = create_app(config, secret_key=config.secret_key or stored_secret(config.instance))
except (ConfigError, CatalogueError) as error:
    sys.exit(f"Mood Mirror can't start: {error}")

if __name__ == "__main__":
    serve(app, config, start_app, close_app)
