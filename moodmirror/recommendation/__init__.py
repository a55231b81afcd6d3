"""Recommend songs, movies, food and activities for a mood."""

from moodmirror.recommendation.recommender import Recommendation, Recommender

__all__ = ["Recommendation", "Recommender"]
