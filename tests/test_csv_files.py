"""Tests of CSV files as different programs write them: every reader gets the same cells from each."""

import csv
import io
import itertools

import pandas as pd
import pytest

from moodmirror.csv_files import CsvFileError, detect_dialect, parse_decimal, read_records
from moodmirror.recommendation.importers.source_files import FAULT, SourceError, read_csv
from moodmirror.training.corpora import CorpusError, read_table

pytestmark = pytest.mark.unit

COLUMNS = ["title", "artist", "tempo", "note"]
RECORDS = [
    ["Über den Hügeln", "Erfundene; Band | 2, Die", "118.5", "one line\nand another"],
    ['Said "twice"', "Niño – Café", "90.25", ""],
    ["Plain", "A;B", "7.5", "x;y;z|q"],
]


def csv_text(separator=",", line_end="\r\n", records=(COLUMNS, *RECORDS)):
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=separator, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows(records)
    return file.getvalue()


def rows_of(path):
    columns, rows = read_csv(path)
    return columns, [list(row.values()) for row in rows]


class TestDialects:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
    @pytest.mark.parametrize(
        ("separator", "line_end"), list(itertools.product([",", ";", "\t", "|"], ["\n", "\r\n", "\r"])), ids=repr
    )
    def test_the_cells_are_the_same_in_every_encoding_and_with_every_separator(
        self, tmp_path, encoding, separator, line_end
    ):
        path = tmp_path / "songs.csv"
        for first_line in ("", f"sep={separator}{line_end}"):
            path.write_bytes((first_line + csv_text(separator, line_end)).encode(encoding))
            assert rows_of(path) == (COLUMNS, RECORDS)
            table = read_table(path, keep_default_na=False)
            assert table["tempo"].tolist() == [118.5, 90.25, 7.5]
            assert table["title"].tolist() == [record[0] for record in RECORDS]

    @pytest.mark.parametrize("separator", [";", "\t", ","])
    def test_decimal_commas_are_numbers(self, tmp_path, separator):
        path = tmp_path / "songs.csv"
        records = [[*record[:2], record[2].replace(".", ","), record[3]] for record in RECORDS]
        path.write_text(csv_text(separator, records=(COLUMNS, *records)), encoding="utf-8")
        assert detect_dialect(path).decimal_mark == ","
        assert read_table(path)["tempo"].tolist() == [118.5, 90.25, 7.5]
        assert [parse_decimal(row["tempo"]) for row in read_csv(path)[1]] == [118.5, 90.25, 7.5]

    @pytest.mark.parametrize(
        ("cell", "number"),
        [("0,676", 0.676), ("-6,746", -6.746), ("−6.5", -6.5), ("1.234,5", 1234.5), ("1,234.5", 1234.5), ("1,5e-3", 0.0015),
         ("1,234,567", 1234567), ("2\u202f343,5", 2343.5)],
    )  # fmt: skip
    def test_numbers_are_parsed(self, cell, number):
        assert parse_decimal(cell) == pytest.approx(number)

    @pytest.mark.parametrize("cell", ["", "fast", "1,2,3.4.5"])
    def test_other_cells_are_no_numbers(self, cell):
        with pytest.raises(ValueError, match="could not convert"):
            parse_decimal(cell)

    def test_semicolons_within_cells_do_not_separate(self, tmp_path):
        path = tmp_path / "songs.csv"
        path.write_text('title,artists,"tags;genres"\n' + "Song,A;B;C,x;y\n" * 50, encoding="utf-8")
        assert rows_of(path) == (["title", "artists", "tags;genres"], [["Song", "A;B;C", "x;y"]] * 50)

    def test_separators_in_the_header_alone_do_not_separate(self, tmp_path):
        path = tmp_path / "songs.csv"
        path.write_text("title,roles (singer;band;guest)\nSong,A;B\nWake,C\n", encoding="utf-8")
        assert rows_of(path) == (["title", "roles (singer;band;guest)"], [["Song", "A;B"], ["Wake", "C"]])

    def test_a_wrong_declaration_of_the_separator_is_ignored(self, tmp_path):
        path = tmp_path / "songs.csv"
        path.write_text("sep=;\n" + csv_text(), encoding="utf-8")
        assert rows_of(path) == (COLUMNS, RECORDS)

    def test_commas_in_a_file_of_one_column_are_text(self, tmp_path):
        path = tmp_path / "songs.csv"
        path.write_text('title\nYes, No\n"Bread, Butter"\nOne, Two\n', encoding="utf-8")
        assert rows_of(path) == (["title"], [["Yes, No"], ["Bread, Butter"], ["One, Two"]])

    def test_lines_above_the_header_are_skipped(self, tmp_path):
        path = tmp_path / "songs.csv"
        path.write_text("Invented Library\n\n" + csv_text(), encoding="utf-8")
        assert rows_of(path) == (COLUMNS, RECORDS)

    def test_the_middle_of_a_long_file_is_read_like_its_beginning(self, tmp_path):
        path = tmp_path / "songs.csv"
        path.write_text(csv_text(";", records=(COLUMNS, *RECORDS * 5000)), encoding="cp1252", newline="")
        assert rows_of(path) == (COLUMNS, RECORDS * 5000)

    def test_a_damaged_character_does_not_change_the_encoding(self, tmp_path):
        path = tmp_path / "songs.csv"
        path.write_bytes(csv_text().encode().replace(b"Plain", b"Pl\xffin"))
        assert rows_of(path)[1][0][0] == "Über den Hügeln"

    @pytest.mark.parametrize("encoding", ["cp1251", "shift_jis"])
    def test_another_eight_bit_encoding_is_refused_rather_than_garbled(self, tmp_path, encoding):
        path = tmp_path / "songs.csv"
        text = {"cp1251": "Выдуманная песня,Группа", "shift_jis": "夜の歌うたえば,ひとびと"}[encoding]
        path.write_bytes(("title,artist\n" + f"{text}\n" * 5).encode(encoding))
        with pytest.raises(CsvFileError, match="neither UTF-8 nor Windows-1252"):
            detect_dialect(path)
        with pytest.raises(CorpusError, match="Save it as CSV in UTF-8"):
            read_table(path)

    def test_a_spreadsheet_is_named_as_such(self, tmp_path):
        path = tmp_path / "songs.xlsx"
        path.write_bytes(b"PK\x03\x04" + bytes(200))
        with pytest.raises(SourceError, match="archive or a spreadsheet"):
            read_csv(path)

    def test_an_empty_file_has_no_records(self, tmp_path):
        path = tmp_path / "songs.csv"
        path.write_bytes(b"")
        assert list(read_records(path, detect_dialect(path))) == []
        with pytest.raises(CorpusError, match="can't be read as a table"):
            read_table(path)


class TestRows:
    def read(self, tmp_path, text):
        path = tmp_path / "songs.csv"
        path.write_text(text, encoding="utf-8")
        return read_csv(path)[1]

    @pytest.mark.parametrize("missing", ["NA", "N/A", "NaN", "nan", "<NA>", "null", "NULL", "None", "-", "\\N", "#N/A"])
    def test_cells_that_state_a_missing_value_are_empty(self, tmp_path, missing):
        [row] = self.read(tmp_path, f"title,artist,year\n{missing},{missing},1999\n")
        assert row == {"title": "", "artist": "", "year": "1999"}
        [row] = self.read(tmp_path, f"title,artist,year\nSong,{missing},1999\n")
        assert row["artist"] == ""

    def test_a_title_may_be_such_a_word_if_nothing_else_is_missing(self, tmp_path):
        rows = self.read(tmp_path, "title,artist,year\nNone,A Band,1999\nNone,A Band,NA\nNaN,A Band,1999\n")
        assert [row["title"] for row in rows] == ["None", "", ""]
        assert self.read(tmp_path, "title,tags\nNone,\n") == [{"title": "", "tags": ""}]

    def test_empty_lines_are_no_rows(self, tmp_path):
        assert len(self.read(tmp_path, "a;b\n1;2\n\n\n3;4\n\n")) == 2

    def test_missing_cells_are_empty_and_surplus_ones_are_a_fault_of_their_row(self, tmp_path):
        rows = self.read(tmp_path, "a,b\n1\n1,2,\n1,2,3\n1,2\n")
        assert [row["b"] for row in rows] == ["", "2", "2", "2"]
        assert [FAULT in row for row in rows] == [False, False, True, False]

    def test_a_quotation_mark_that_is_never_closed_is_a_fault_of_its_row(self, tmp_path):
        rows = self.read(tmp_path, 'a,b\n1,2\n3,"4\n5,6\n7,8\n')
        assert "never closed" not in str(rows[0])
        rows = self.read(tmp_path, 'a,b,c\n1,2,3\n3,"4\n5,6\n7,8\n')
        assert rows[-1][FAULT].startswith("a quotation mark is never closed")


def test_a_column_name_with_surrounding_blanks_is_found(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("emotion, Usage , pixels\n1, a, 2\n", encoding="utf-8")
    pd.testing.assert_frame_equal(read_table(path), pd.DataFrame({"emotion": [1], "Usage": ["a"], "pixels": [2]}))
