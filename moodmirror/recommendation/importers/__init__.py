"""Bring real catalogues in: songs, movies, food and activities from the files in which people have them.

:mod:`songs`, :mod:`movies` and :mod:`things` tell a file's form by its columns and read it into entries; each then makes
rows of entries, with a mood that is measured as well as the form allows. :mod:`table` keeps the rows: one CSV file a kind,
in the format of data/, to which an entry is added once however often it is imported.
"""
