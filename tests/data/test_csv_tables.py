"""CSV files as tables: every form that spreadsheets write, and one line with the place of what is wrong."""

from pathlib import Path

import numpy as np
import pytest

from clearance.data.csv_tables import read_csv
from clearance.data.datasets import load
from clearance.errors import FileError, InputError, PickleRefusedError

WINE = "alcohol,acid,kind\n13.2,1,red\n12.5,2,white\n"


def write(folder: Path, text: str | bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


class TestForms:
    @pytest.mark.parametrize(
        "text",
        [
            WINE,
            WINE.replace(",", ";"),
            WINE.replace(",", "\t"),
            WINE.replace("\n", "\r\n"),
            WINE.rstrip(),
            WINE.replace("\n", "\n\n"),
            "alcohol, acid ,kind\n 13.2,1,red\n12.5 ,2, white\n",
            '"alcohol","acid","kind"\n"13.2","1","red"\n"12.5","2","white"\n',
            WINE.encode("utf-8-sig"),
            WINE.encode("utf-16"),
        ],
    )
    def test_the_same_table(self, tmp_path: Path, text: str | bytes):
        found = load(write(tmp_path, text))
        np.testing.assert_allclose(found.images, [[13.2, 1], [12.5, 2]], rtol=1e-6)
        assert found.feature_names == ("alcohol", "acid") and found.class_names == ("red", "white")
        assert found.labels.tolist() == [0, 1] and found.name == "a"

    def test_quoted_line_ends_and_separators(self, tmp_path: Path):
        table = read_csv(write(tmp_path, 'a,"b\nc"\n"1,5;",x\n2,"y\n""z"""\n3,w\n'))
        assert table.names == ("a", "b\nc") and table.texts("a") == ["1,5;", "2", "3"]
        assert table.texts("b\nc") == ["x", 'y\n"z"', "w"] and list(table.lines) == [3, 4, 6]

    def test_thousands_of_columns(self, tmp_path: Path):
        names = [f"x{place}" for place in range(5000)]
        rows = [",".join(map(str, range(row, row + 5000))) + f",{row}" for row in (0, 1)]
        found = load(write(tmp_path, "\n".join([",".join([*names, "y"]), *rows])))
        assert found.images.shape == (2, 5000) and found.images[1, -1].item() == 5000
        assert len(found.feature_names) == 5000


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "expected a line of column names, got an empty file"),
            ("a,b\n", "expected a line of values below the column names, got none"),
            ("1,2\n3,4\n", "line 1: expected a line of column names, got numbers"),
            ("a,,b\n1,2,3\n", "line 1: expected a name for each column, got none for column 2"),
            ("a,b,a\n1,2,3\n", "line 1: expected each column name once, got 'a' again"),
            ("a,b\n1,2\n3\n", "line 3: expected 2 values, one for each column, got 1"),
            ('a,b\n"1\n",2\n3,4,5\n', "line 4: expected 2 values, one for each column, got 3"),
            ('a,b\n1,"2\n', r"line 2: expected values with commas between them \(unexpected end of data\)"),
            ('a,b\n1,"2"x\n', "line 2: expected values with commas"),
            ("a,b\n1,2\n" + "x" * 200_000 + ",2\n", "line 3: expected values with commas .*field larger than"),
            ("a,b\n1,é\n".encode("latin-1"), "line 2: expected text in UTF-8, got the byte e9"),
            (b"PK\3\4" + bytes(range(256)), "line 2: expected text in UTF-8, got the byte 80"),
        ],
    )
    def test_one_line_with_file_and_place(self, tmp_path: Path, text: str | bytes, message: str):
        with pytest.raises(FileError, match=message) as caught:
            read_csv(write(tmp_path, text))
        assert "a.csv" in str(caught.value) and "\n" not in str(caught.value)

    def test_a_pickle_under_the_name_of_a_table(self, tmp_path: Path):
        with pytest.raises(PickleRefusedError, match=r"a\.csv: is a pickle"):
            load(write(tmp_path, b"\x80\x04K\x01."))

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("a,y\n1,0\n,1\n", r"a\.csv, line 3: expected a value in the column 'a', got none"),
            ("a,y\n1,0\nNA,1\n", r"line 3: expected a value in the column 'a', got 'NA', a missing one"),
            ("a,y\n1,0\nnan,1\n", r"got 'nan', a missing one"),
            ("a,y\n1,0\nx,1\n", r"line 3: expected a number in the column 'a', got 'x'"),
            ("a;y\n1;0\n1,5;1\n", r"line 3: expected a number in the column 'a', got '1,5'"),
            ("a,y\n1,0\ninf,1\n", r"got 'inf'"),
            ("a,y\n1,0\n1e99,1\n", r"line 3: expected a finite number in the column 'a', got 1e\+99"),
            (
                "a,y\nx,0\nz,1\n",
                r"line 2: expected numbers in the column 'a', got text such as 'x'; write it",
            ),
            ("a,y\n1,0\n2,\n", r"line 3: expected a value in the column 'y', got none"),
            ("a,y\n1,0\n2,-1\n", r"line 3: expected class indices >= 0 in the column 'y', got -1"),
            ("a,y\n1,0\n2,0.5\n", r"expected class indices or names in the column 'y', got other numbers"),
        ],
    )
    def test_values_that_are_no_numbers(self, tmp_path: Path, text: str, message: str):
        with pytest.raises(InputError, match=message):
            load(write(tmp_path, text))
