"""Import songs, movies, food and activities from the files in which people have them.

:mod:`song_files`, :mod:`movie_files` and :mod:`generic_csv` detect a file's format by its columns and parse it to entries.
:mod:`songs`, :mod:`movies` and :mod:`generic_csv` make table rows of these, with a mood that is measured as well as the
format allows. :mod:`tag_lexicon` maps keywords to tags. :mod:`imported_table` stores the rows: one CSV file for each kind,
in the format of data/, to which an entry is added once, however often it is imported.
"""
