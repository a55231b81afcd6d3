"""How gunicorn serves the site: the worker, limits on WebSockets, connections that close without losing data."""
