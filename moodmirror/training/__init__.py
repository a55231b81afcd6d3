"""Training and evaluation. Serving never imports this package."""
