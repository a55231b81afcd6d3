"""The database of visitors' opinions and saved items, and its migrations."""
