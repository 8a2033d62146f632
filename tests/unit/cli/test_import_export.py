import json
import os
import signal
import subprocess
import sys

import pytest

TICKETS = """Ticket ID;Subject;Body;Requester Email;Status;Priority;Created
1;No signal;Since noon the router blinks red.;ada@example.com;open;urgent;2026-01-05T09:00:00Z
2;Invoice;I was charged twice.;bob@example.com;solved;low;2026-01-06T09:00:00Z
3;Broken;Whatever;not@@an-address;open;low;2026-01-06T09:00:00Z
4;Unknown;Whatever;eve@example.com;sleeping;low;2026-01-06T09:00:00Z
"""


@pytest.fixture
def tickets(tmp_path):
    path = tmp_path / "tickets.csv"
    path.write_text(TICKETS)
    return path


def figures(result) -> dict[str, str]:
    return dict(line.split("\t") for line in result.stdout.splitlines())


def test_an_import_can_be_repeated_and_says_what_it_refused(cli, tickets, tmp_path) -> None:
    report = tmp_path / "refused.jsonl"
    first = cli("import", tickets, "--report", report)
    second = cli("import", tickets)

    assert first.exit_code == second.exit_code == 0
    assert (figures(first)["stored"], figures(first)["refused"]) == ("2", "2")
    assert (figures(second)["stored"], figures(second)["skipped, there already"]) == ("0", "2")
    refused = [json.loads(line) for line in report.read_text().splitlines()]
    assert [(one["line"], one["external_id"], one["field"]) for one in refused] == [
        (4, "3", "email"),
        (5, "4", "status"),
    ]
    assert "title from Subject" in first.stderr


def test_a_mapping_file_and_constants_mend_what_was_refused(cli, tickets, tmp_path) -> None:
    mapping = tmp_path / "desk.toml"
    mapping.write_text('source = "old"\n[status]\nsleeping = "IN_PROGRESS"\n')
    result = cli("import", tickets, "--mapping", mapping, "--map", "email==all@example.com")
    assert figures(result)["stored"] == "4"


def test_a_dry_run_stores_nothing(cli, tickets) -> None:
    assert figures(cli("import", tickets, "--dry-run"))["would be stored"] == "2"
    assert figures(cli("import", tickets, "--limit", 1))["stored"] == "1"
    assert figures(cli("import", tickets, "--dry-run"))["would be stored"] == "1"


def test_an_import_in_small_batches_with_rows_not_wanted(cli, tickets) -> None:
    result = cli("import", tickets, "--batch", 1, "--where", "priority=urgent")
    assert result.exit_code == 2 or "did you mean 'Priority'" in result.stderr
    result = cli("import", tickets, "--batch", 1, "--where", "Priority=urgent")
    assert (figures(result)["stored"], figures(result)["not wanted by --where"]) == ("1", "3")


def test_nothing_usable_is_a_failure(cli, tmp_path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('not json\n{"title": ""}\n')
    result = cli("import", path)
    assert result.exit_code == 1
    assert "Nothing could be imported" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--map", "titel=Subject"], "did you mean 'title'"),
        (["--map", "title=Subjekt"], "did you mean 'Subject'"),
        (["--map", "title"], "NAME=VALUE"),
        (["--format", "exel"], "Choose one of csv"),
        (["--encoding", "latin-99"], "no encoding"),
        (["--batch", "0"], "--batch"),
        (["--mapp", "x"], "--map"),
    ],
)
def test_mistakes_say_what_to_do(cli, tickets, arguments, says) -> None:
    result = cli("import", tickets, *arguments)
    assert result.exit_code in {1, 2}
    assert says in result.stderr
    assert "Traceback" not in result.output


def test_columns_that_nobody_knows_are_listed(cli, tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("foo,bar\n1,2\n")
    result = cli("import", path)
    assert result.exit_code == 1
    assert "--map description=COLUMN" in result.stderr
    assert "bar, foo" in result.stderr


def test_an_export_can_be_imported_elsewhere(cli, tickets, tmp_path) -> None:
    cli("import", tickets)
    out = tmp_path / "out.jsonl"
    assert cli("export", out).exit_code == 0
    again = cli("export", out)
    assert again.exit_code == 2
    assert "--force" in again.stderr
    assert cli("export", "--force", out).exit_code == 0
    assert cli("export", tmp_path / "out.csv").exit_code == 0
    assert cli("export", tmp_path / "out.xls").exit_code == 2

    elsewhere = cli("import", out, SUPPORT_COPILOT_DATA_DIR=str(tmp_path / "other"))

    assert figures(elsewhere)["stored"] == "2"
    assert figures(elsewhere)["refused"] == "0"


# More than are imported until the first line about the progress, five seconds after the start.
STOPPED = 1_500


@pytest.mark.parametrize(("stop", "status"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_an_import_that_was_stopped_goes_on_where_it_was(cli, tmp_path, stop, status) -> None:
    path = tmp_path / "many.jsonl"
    rows = ({"id": n, "title": f"Issue {n}", "email": f"p{n % 7}@x.org"} for n in range(STOPPED))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-m", "support_copilot", "import", str(path), "--batch", "1"]
    with subprocess.Popen(
        command,
        env=os.environ | cli.environment,
        stderr=subprocess.PIPE,
        text=True,
        # A shell lets what it starts in the background ignore SIGINT, tests run there included.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as first:
        assert first.stderr is not None
        while "rows," not in first.stderr.readline():
            assert first.poll() is None
        first.send_signal(stop)
        first.stderr.read()
        assert first.wait(20) == status

    second = figures(cli("import", path, "--batch", 500))

    assert int(second["skipped, there already"]) > 0
    assert int(second["skipped, there already"]) + int(second["stored"]) == STOPPED
    assert cli("export", tmp_path / "out.jsonl").exit_code == 0
    stored = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert sorted(int(one["external_id"]) for one in stored) == list(range(STOPPED))
