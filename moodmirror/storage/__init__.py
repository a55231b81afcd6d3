"""The database of what visitors like and save, and its migrations."""
