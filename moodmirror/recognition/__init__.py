"""Emotion recognition: maps pictures, speech and text to mood vectors. Independent of the web server."""
