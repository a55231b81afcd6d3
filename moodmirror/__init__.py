"""Mood Mirror: reads the mood in a face and recommends songs, movies, food and activities for it."""
