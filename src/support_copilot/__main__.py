"""``python -m support_copilot`` and the command ``support-copilot``."""

from __future__ import annotations


def main() -> None:
    from support_copilot.cli.app import app

    app(prog_name="support-copilot")


if __name__ == "__main__":
    main()
