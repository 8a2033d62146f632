from datetime import UTC, datetime, timedelta

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from support_copilot.accounts.service import AccountService
from support_copilot.domain.identifiers import IdGenerator
from support_copilot.storage.migrate import upgrade
from support_copilot.storage.sqlite_engine import SqliteEngine
from support_copilot.storage.unit_of_work import SqlDatabase


class SettableClock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def advance(self, **kwargs: float) -> None:
        self.moment += timedelta(**kwargs)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
async def service(clock, tmp_path):
    engine = SqliteEngine(tmp_path / "accounts.db")
    await upgrade(engine)
    database = SqlDatabase(engine)
    # The weakest parameters argon2 takes: these tests are about accounts, not about its strength.
    quick = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
    yield AccountService(database, clock, IdGenerator(), passwords=quick)
    await database.close()
