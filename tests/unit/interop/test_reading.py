import contextlib
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support_copilot.interop.reading import Unreadable, count_records, read_records

ROWS = [
    {"id": "1", "title": "Ünïcode, with; commas", "body": 'two\nlines and "quotes"'},
    {"id": "2", "title": "second", "body": ""},
]


def values(path, *args):
    return [row.values for row in read_records(path, *args)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv_of_any_delimiter_with_quoted_line_ends(tmp_path, delimiter, mark) -> None:
    import csv
    import io

    text = io.StringIO()
    writer = csv.DictWriter(text, ["id", "title", "body"], delimiter=delimiter)
    writer.writeheader()
    writer.writerows(ROWS)
    path = tmp_path / "tickets.csv"
    path.write_bytes((mark + text.getvalue()).encode())

    rows = list(read_records(path))

    assert [row.values for row in rows] == ROWS
    assert [row.line for row in rows] == [2, 4]


def test_utf_16_csv_of_a_spreadsheet(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id\ttitle\r\n1\tGrüße\r\n", encoding="utf-16")
    assert values(path) == [{"id": "1", "title": "Grüße"}]


def test_one_broken_csv_row_spoils_no_other(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(
        b"id,title\n1,good\n2,too,many,cells\n3,latin \xe9\n4,also good\n\n5,\x00nul\n"
    )
    rows = list(read_records(path))
    assert [(row.line, row.error is None) for row in rows] == [
        (2, True),
        (3, False),
        (4, False),
        (5, True),
        (7, True),
    ]
    assert "header 2" in rows[1].error
    assert "--encoding" in rows[2].error
    assert [row.values["title"] for row in read_records(path, None, "cp1252") if not row.error][
        1
    ] == "latin é"


def test_json_lines_and_their_broken_lines(tmp_path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('\ufeff{"id": 1}\n\nnot json\n[1]\n{"id": 2}', encoding="utf-8")
    rows = list(read_records(path))
    assert [row.line for row in rows] == [1, 3, 4, 5]
    assert [row.error is None for row in rows] == [True, False, False, True]


@pytest.mark.parametrize(
    "document",
    [ROWS, {"tickets": ROWS, "count": 2}],
)
def test_json_arrays_bare_and_wrapped(tmp_path, document) -> None:
    path = tmp_path / "export.json"
    path.write_text(json.dumps(document, indent=1))
    assert values(path) == ROWS


def test_json_lines_in_a_file_called_json(tmp_path) -> None:
    path = tmp_path / "export.json"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    assert values(path) == ROWS


def test_parquet_row_group_by_row_group(tmp_path) -> None:
    path = tmp_path / "t.parquet"
    table = pa.table({"id": range(5), "turns": [[{"role": "customer", "text": "x"}]] * 5})
    pq.write_table(table, path, row_group_size=2)
    rows = list(read_records(path))
    assert [row.line for row in rows] == [1, 2, 3, 4, 5]
    assert rows[4].values == {"id": 4, "turns": [{"role": "customer", "text": "x"}]}
    assert count_records(path) == 5


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.parquet", b"PAR1 and then nothing of the kind"),
        ("t.json", b'{"broken": '),
        ("t.json", b'["text", 1'),
    ],
)
def test_what_cannot_be_read_at_all_says_so(tmp_path, name, content) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=name):
        list(read_records(path))


def test_a_missing_file_and_an_unknown_format(tmp_path) -> None:
    with pytest.raises(Unreadable, match="No such file"):
        list(read_records(tmp_path / "none.csv"))
    with pytest.raises(Unreadable, match="csv, jsonl"):
        list(read_records(tmp_path / "none.csv", "xml"))


@given(st.binary(max_size=300), st.sampled_from([".csv", ".jsonl", ".json", ".parquet", ".x"]))
def test_no_content_is_fatal(tmp_path_factory, content, suffix) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(content)
    with contextlib.suppress(Unreadable):
        for row in read_records(path):
            assert row.error is None or row.values == {}
