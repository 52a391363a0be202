"""Tables of scores: floats come back to the last digit, damage is refused by file and row."""

import ast
from pathlib import Path

import pytest

from musicssl.artefacts import table
from musicssl.artefacts.table import Gain, StudyRow, SummaryRow, read_rows, study_path, summary_path, write_rows
from musicssl.runtime import UserError

NAMES = {"model": 'a,"b"', "role": "model", "task": "gs-key", "metric": "", "status": "ok"}
FULL = StudyRow(**NAMES, mean=0.1 + 0.2, std=1e-17, low=-1 / 3, high=2 / 3, num_test=120, seeds=3, trivial=0.0,
                paper=0.19, reference="r", gain=-0.0, gain_low=-0.1, gain_high=0.1, digest="0123456789")  # fmt: skip
BARE = StudyRow(**NAMES | {"status": "not run"})


def test_rows_come_back_to_the_last_digit(tmp_path) -> None:
    path = study_path(tmp_path, "table1")
    write_rows(path, StudyRow, [FULL, BARE])
    assert path == tmp_path / "studies/table1/table.csv"
    assert read_rows(path, StudyRow) == [FULL, BARE]
    first = path.read_bytes()
    write_rows(path, StudyRow, read_rows(path, StudyRow))
    assert path.read_bytes() == first


def test_an_empty_table_is_a_table(tmp_path) -> None:
    path = summary_path(tmp_path, "mfcc")
    write_rows(path, SummaryRow, [])
    assert path.read_text().startswith("model,task,metric,mean,std,low,high,num_test,seeds,floor_constant,")
    assert read_rows(path, SummaryRow) == []


def test_missing_is_none_and_zero_is_not() -> None:
    assert FULL.over_reference() == Gain("r", -0.0, -0.1, 0.1)
    assert FULL.over_untrained() is None
    zero = StudyRow(**NAMES, baseline="b", over_baseline=0.0, over_baseline_low=0.0, over_baseline_high=0.0)
    assert zero.over_untrained() == Gain("b", 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("mean", "mena", ": found other columns than expected .they differ in mean, mena"),
        ("0.19", "nan", "row 2: paper: found 'nan', expected a number"),
        ("0.19", "19 %", "row 2: paper: found '19 %', expected a number"),
        ("120", "1.5", "row 2: num_test: found '1.5', expected a number"),
        (",0.1,,", ",0.1,", "row 2: found 21 cells, expected 22"),
    ],
)
def test_damaged_tables_are_refused_by_row(tmp_path, old, new, sentence) -> None:
    path = tmp_path / "table.csv"
    write_rows(path, StudyRow, [FULL, BARE])
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(UserError, match=rf"^{path}.*{sentence}.*run the workflow again$"):
        read_rows(path, StudyRow)


def test_an_empty_file_is_refused(tmp_path) -> None:
    (tmp_path / "table.csv").touch()
    with pytest.raises(UserError, match="found other columns"):
        read_rows(tmp_path / "table.csv", StudyRow)


def test_what_is_no_number_is_not_written(tmp_path) -> None:
    with pytest.raises(ValueError, match="found nan"):
        write_rows(tmp_path / "table.csv", StudyRow, [StudyRow(**NAMES, mean=float("nan"))])
    assert not list(tmp_path.iterdir())


def test_tables_need_no_numpy() -> None:
    names = {
        alias.name.split(".")[0]
        for node in ast.walk(ast.parse(Path(table.__file__).read_text()))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert not names & {"numpy", "pandas", "torch"}
