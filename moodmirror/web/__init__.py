"""The HTTP side of the site: pages, the API, rate limits and security headers."""
