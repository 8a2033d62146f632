import json
import os
import signal
import socket
import subprocess
import sys

import pytest
import typer

from support_copilot.cli.app import app


def commands(group=None, path=()):
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_help_has_examples(cli, path) -> None:
    result = cli(*path, "--help")
    assert result.exit_code == 0
    assert f"Examples:\n    support-copilot {' '.join(path)}" in result.stdout


def test_help_and_version_load_nothing_heavy(cli) -> None:
    heavy = {"fastapi", "sqlalchemy", "numpy", "onnxruntime", "pydantic", "rich", "pyarrow"}
    code = (
        "import sys; from support_copilot.cli.app import app;"
        "app(['--help'], standalone_mode=False);"
        f"print('loaded:', {heavy!r} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "api-keys" in done.stdout
    assert "loaded: set()" in done.stdout
    assert cli("--version").stdout.startswith("support-copilot ")


def test_a_mistyped_command_or_option_is_answered_with_the_likeliest(cli) -> None:
    assert "Did you mean 'import'" in cli("imprt").stderr
    assert "--pretty" in cli("triage", "--prety", "x").stderr
    unknown = cli("api-keys", "create", "--role", "leed", "--name", "x")
    assert unknown.exit_code == 2
    assert "Did you mean 'lead'" in unknown.stderr
    assert "customer" not in unknown.stderr


def test_a_key_is_alone_on_standard_output_and_can_be_revoked(cli) -> None:
    made = cli("api-keys", "create", "--role", "integration", "--name", "shop")
    timed = cli("api-keys", "create", "--role", "lead", "--name", "r", "--expires-days", 30)
    assert made.exit_code == timed.exit_code == 0
    assert len(made.stdout.split()) == 1
    listed = cli("api-keys", "list").stdout
    assert made.stdout.strip() not in listed
    key_id = next(line.split("\t")[0] for line in listed.splitlines() if "shop" in line)
    assert cli("api-keys", "revoke", key_id).exit_code == 0
    again = cli("api-keys", "revoke", key_id)
    assert again.exit_code == 1
    assert "no active API key" in again.stderr
    assert cli("api-keys", "revoke", "nonsense").exit_code == 1


def test_users_get_a_password_or_bring_one(cli) -> None:
    made = cli("users", "create", "--username", "mira", "--role", "executive")
    brought = cli(
        "users",
        "create",
        "--username",
        "helen",
        "--role",
        "lead",
        "--password-stdin",
        stdin="correct horse battery\n",
    )
    assert len(made.stdout.strip()) >= 16
    assert (brought.exit_code, brought.stdout) == (0, "")
    taken = cli("users", "create", "--username", "mira", "--role", "lead")
    assert (taken.exit_code, "taken" in taken.stderr) == (1, True)
    short = cli(
        "users", "create", "--username", "x", "--role", "lead", "--password-stdin", stdin="short\n"
    )
    assert (short.exit_code, "12 characters" in short.stderr) == (1, True)
    assert "helen\thelen\tlead" in cli("users", "list").stdout


def test_a_new_password_replaces_the_old_one_and_the_first_file(cli) -> None:
    cli("users", "create", "--username", "admin", "--role", "admin")
    first = cli.data_dir / "initial-admin-password"
    first.write_text("old")
    changed = cli("users", "set-password", "admin")
    assert len(changed.stdout.strip()) >= 16
    assert not first.exists()
    unknown = cli("users", "set-password", "nobody")
    assert (unknown.exit_code, "no user nobody" in unknown.stderr) == (1, True)
    short = cli("users", "set-password", "admin", "--password-stdin", stdin="short\n")
    assert (short.exit_code, "12 characters" in short.stderr) == (1, True)


def test_triage_answers_one_json_line_a_text_and_stores_nothing(cli, tmp_path) -> None:
    tickets = tmp_path / "t.jsonl"
    tickets.write_text('{"id": 1, "title": "Router", "body": "The router blinks red."}\n')
    cli("import", tickets)

    one = json.loads(cli("triage", "My router blinks red since noon").stdout)
    lines = cli("triage", stdin='I smell gas\n\n{"title": "Hi", "description": "thanks"}\n').stdout
    tickets.write_text("first text\nsecond text\n")
    of_file = cli("triage", "--file", tickets).stdout

    assert set(one) == {"text", "severity", "similar", "degraded"}
    assert one["similar"][0]["title"] == "Router"
    assert one["degraded"] == ["severity", "similar"]
    first, second = map(json.loads, lines.splitlines())
    assert first["severity"]["level"] == "HIGH"
    assert second["text"] == "Hi\nthanks"
    assert len(of_file.splitlines()) == 2
    assert "SC-" in cli("triage", "--pretty", "My router blinks red").stdout
    assert "\nstored\t0" in cli("import", tmp_path / "t.jsonl", "--dry-run").stdout.replace(
        "would be stored", "stored"
    )
    assert json.loads(cli("doctor", "--json").stdout)
    assert cli("triage", "x", "--file", tickets).exit_code == 2


def test_the_schema_is_told_and_upgraded(cli) -> None:
    before = cli("db", "status")
    upgraded = cli("db", "upgrade")
    after = cli("db", "status")
    assert (before.exit_code, after.exit_code) == (1, 0)
    assert "db upgrade" in before.stdout
    assert "upgraded from nothing" in upgraded.stdout
    assert "up to date" in cli("db", "upgrade").stdout


def test_rules_are_checked_with_every_mistake(cli, tmp_path) -> None:
    cli("db", "upgrade")
    assert "no mistakes" in cli("rules", "check", cli.data_dir / "severity_rules.toml").stdout
    path = tmp_path / "rules.toml"
    path.write_text('[[rule]]\nname = "x"\neffect = "flor"\n')
    result = cli("rules", "check", path)
    assert result.exit_code == 1
    assert "rules.toml" in result.stderr


def test_queues_are_listed_and_settled(cli) -> None:
    listed = cli("queues", "ls").stdout
    assert "recommendation_generation\t0\t0\t0" in listed
    assert json.loads(cli("queues", "ls", "--json").stdout)["outbox"] == 0
    assert cli("queues", "dead", "notification").stdout.startswith("message\t")
    assert "0 messages" in cli("queues", "retry", "notification").stdout
    assert "--yes" in cli("queues", "purge", "notification").stderr
    assert "0 messages" in cli("queues", "purge", "notification", "--yes").stdout
    assert "Did you mean 'notification'" in cli("queues", "dead", "notifications").stderr


def test_the_doctor_finds_a_desk_well(cli) -> None:
    result = cli("doctor", "--json", SUPPORT_COPILOT_PORT="0")
    findings = json.loads(result.stdout)
    assert result.exit_code == 0
    assert {one["state"] for one in findings} == {"OK"}
    assert not cli.data_dir.exists()
    cli("db", "upgrade")
    checks = {one["check"] for one in json.loads(cli("doctor", "--json").stdout)}
    assert {"database", "outbox", "queue notification", "model severity", "disk", "clock"} <= checks


def test_the_doctor_says_what_is_wrong_and_what_to_do(cli) -> None:
    cli("db", "upgrade")
    (cli.data_dir / "severity_rules.toml").write_text("[[rule]]\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = cli("doctor", SUPPORT_COPILOT_PORT=str(taken.getsockname()[1]))
    assert result.exit_code == 1
    failed = [line for line in result.stdout.splitlines() if line.startswith("FAIL")]
    assert any("severity_rules.toml" in line for line in failed)
    assert any("SUPPORT_COPILOT_PORT" in line for line in failed)
    broken = cli("doctor", SUPPORT_COPILOT_PORT="many")
    assert broken.exit_code == 1
    assert "SUPPORT_COPILOT_PORT" in broken.stdout


def test_broken_settings_are_named_by_every_command(cli) -> None:
    result = cli("queues", "ls", SUPPORT_COPILOT_PORT="many", SUPPORT_COPILOT_THREADS="0")
    assert result.exit_code == 1
    assert "SUPPORT_COPILOT_PORT" in result.stderr
    assert "SUPPORT_COPILOT_THREADS" in result.stderr


def test_run_serves_until_told_to_stop_while_commands_work_beside_it(cli) -> None:
    environment = os.environ | cli.environment | {"SUPPORT_COPILOT_PORT": "0"}
    command = [sys.executable, "-m", "support_copilot"]
    with subprocess.Popen(
        [*command, "run"], env=environment, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            ready = server.stdout.readline()
            sign_in = server.stdout.readline()
            made = cli("api-keys", "create", "--role", "lead", "--name", "beside")
            twin = subprocess.run(
                [*command, "serve"], env=environment, capture_output=True, text=True, check=False
            )
            doctor = cli("doctor").stdout
        finally:
            server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
    assert ready.startswith("Support Copilot is ready: http://127.0.0.1:")
    assert sign_in.startswith("Sign in as admin with ")
    assert made.exit_code == 0
    assert twin.returncode == 1
    assert "SUPPORT_COPILOT_DATA_DIR" in twin.stderr
    assert f"process {server.pid} runs" in doctor
