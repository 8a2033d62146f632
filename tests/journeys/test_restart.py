"""A desk that starts again finds what it knew, without reading a single text anew."""

from __future__ import annotations

from support_copilot import bootstrap
from support_copilot.issues.intake import NewIssue
from support_copilot.settings import Settings

KETTLE = NewIssue("ada@example.com", "Ada", "Kettle leaks", "The copper kettle leaks on my desk.")
LAMP = NewIssue("ben@example.com", "Ben", "Lamp flickers", "The green lamp flickers at night.")


async def test_similar_issues_are_found_after_a_restart_and_the_erased_stay_forgotten(
    tmp_path, monkeypatch
):
    settings = Settings(data_dir=tmp_path, encoder="off")
    async with bootstrap.build(settings) as services, bootstrap.background(services):
        kettle = await services.intake.accept(KETTLE)
        lamp = await services.intake.accept(LAMP)
        await services.relay.drain()
        while await services.analysis.indexed() < 2:
            await services.index.catch_up()
        await services.desk.erase(lamp.issue_id)

    async with bootstrap.build(settings, load_index=False) as services:

        async def prepare(_texts):
            raise AssertionError("a text was read anew")

        monkeypatch.setattr(services.analysis, "prepare", prepare)
        assert await services.index.catch_up() == 1
        assert await services.index.repair() == 0
        found = await services.analysis.similar("", "My copper kettle is leaking")
        assert [hit.issue_id for hit in found] == [kettle.issue_id]
        assert await services.analysis.similar("", "the green lamp flickers") == []
