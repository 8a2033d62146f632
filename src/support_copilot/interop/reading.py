"""Reads the rows of a file, one at a time: CSV, JSON lines, JSON and Parquet."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

FORMATS = ("csv", "jsonl", "json", "parquet")
_BY_SUFFIX = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_DELIMITERS = ",;\t|"
_SNIFFED = 65_536
_CELL_MAX = 16 << 20
_PARQUET_ROWS = 1_000


class Unreadable(ValueError):
    """A file that cannot be read at all; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Row:
    """``line`` is the line a row begins on (in Parquet and JSON arrays its place), from 1.

    ``error`` tells why a row could not be read; its values are empty then.
    """

    line: int
    values: dict[str, Any] = field(default_factory=dict)
    error: str | None = None


def read_records(path: Path, fmt: str | None = None, encoding: str = "utf-8") -> Iterator[Row]:
    """Yield the rows of a file; one that cannot be parsed carries an error, the rest go on.

    ``fmt`` is one of FORMATS, found by name and content where it is None. Nested objects stay
    nested; CSV is read with the delimiter of its header line, ``encoding`` being that of its
    text. Memory does not grow with the file but for a JSON array. Raises Unreadable.
    """
    try:
        match fmt or detect(path):
            case "csv":
                yield from _csv(path, encoding)
            case "jsonl":
                yield from _json_lines(path)
            case "json":
                yield from _json(path)
            case "parquet":
                yield from _parquet(path)
            case other:
                raise Unreadable(f"{other!r} is no format; use one of {', '.join(FORMATS)}")
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror or error}") from error


def detect(path: Path) -> str:
    """Return the format of a file. Raises OSError."""
    with path.open("rb") as file:
        start = file.read(_SNIFFED)
    if start.startswith(b"PAR1"):
        return "parquet"
    if (by_name := _BY_SUFFIX.get(path.suffix.lower())) is not None:
        return by_name
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"["):
        return "json"
    if text.startswith(b"{"):
        return "jsonl" if _is_json(text.split(b"\n", 1)[0]) else "json"
    return "csv"


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _csv(path: Path, encoding: str) -> Iterator[Row]:
    csv.field_size_limit(_CELL_MAX)
    with path.open("rb") as raw:
        start = raw.read(4)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif encoding.lower().replace("_", "-") in {"utf-8", "utf8"}:
        encoding = "utf-8-sig"
    try:
        # Bytes of another encoding are kept recognisable, so that they spoil only their own row.
        with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
            header_line = file.readline(_SNIFFED)
            file.seek(0)
            yield from _csv_rows(csv.reader(file, delimiter=_delimiter(header_line)))
    except LookupError as error:
        raise Unreadable(f"{encoding!r} is no encoding; try utf-8 or cp1252") from error
    except UnicodeError as error:
        raise Unreadable(f"{path} is not {encoding} text: {error}") from error


def _delimiter(header: str) -> str:
    # The header alone decides: texts below are full of commas and semicolons.
    outside = "".join(header.split('"')[::2])
    return max(_DELIMITERS, key=outside.count)


def _csv_rows(reader: Any) -> Iterator[Row]:
    header: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(line, error=f"this is not CSV: {error}")
            continue
        if not any(cells):
            continue
        if header is None:
            header = [cell.strip() for cell in cells]
        elif len(cells) > len(header):
            yield Row(
                line,
                error=f"has {len(cells)} columns, the header {len(header)}: is a quote missing?",
            )
        elif (broken := _not_decoded(cells)) is not None:
            yield Row(line, error=f"byte 0x{broken:02X} is not UTF-8; give the file's --encoding")
        else:
            yield Row(line, dict(zip(header, cells, strict=False)))


def _not_decoded(cells: list[str]) -> int | None:
    for cell in cells:
        try:
            cell.encode()
        except UnicodeEncodeError as error:
            return ord(cell[error.start]) & 0xFF
    return None


def _json_lines(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if text.strip():
                yield _json_row(number, text)


def _json_row(number: int, text: bytes) -> Row:
    try:
        return _object_row(number, orjson.loads(text))
    except orjson.JSONDecodeError as error:
        return Row(number, error=f"this is not JSON: {error}")


def _object_row(number: int, value: Any) -> Row:
    if isinstance(value, dict):
        return Row(number, value)
    return Row(number, error='must be a JSON object, such as {"title": "…"}')


def _json(path: Path) -> Iterator[Row]:
    try:
        data = orjson.loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"{path} is not JSON: {error}") from error
    if isinstance(data, dict):
        # Desks wrap a list: {"tickets": […], "count": 2}. An object without one is one record.
        lists = [value for value in data.values() if _is_list_of_objects(value)]
        data = lists[0] if len(lists) == 1 and not {"title", "subject"} & data.keys() else [data]
    if not isinstance(data, list):
        raise Unreadable(f"{path} must hold a JSON array of objects")
    for number, value in enumerate(data, 1):
        yield _object_row(number, value)


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_PARQUET_ROWS):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(number, values)
    except pa.ArrowException as error:
        raise Unreadable(f"{path} is not a Parquet file: {error}") from error


def count_records(path: Path, fmt: str | None = None) -> int | None:
    """Return about how many rows there are where that is cheap to know, for a progress bar."""
    try:
        found = fmt or detect(path)
        if found == "parquet":
            import pyarrow.parquet as pq

            return int(pq.read_metadata(path).num_rows)
        if found == "jsonl":
            with path.open("rb") as file:
                return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
    except (OSError, ValueError):
        return None
    return None
