"""Recognisers: from pictures to mood vectors. They know nothing of the web."""
