import re
from datetime import timedelta

import pytest

from support_copilot.domain.errors import Conflict, InvalidInput, NotFound, NotSignedIn
from support_copilot.domain.identity import Identity, Role

PASSWORD = "correct horse battery"


async def test_a_key_is_recognised_and_its_secret_not_stored(service):
    key, secret = await service.create_api_key("shop", Role.INTEGRATION)
    assert re.fullmatch(r"sc_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}", secret)
    identity = await service.authenticate_token(secret)
    assert identity == Identity(f"key:{key.prefix}", Role.INTEGRATION, "api-key")
    stored = await service.api_keys()
    assert secret not in repr(stored)
    assert secret.split("_")[2] not in repr(stored)


async def test_when_a_key_was_used_is_kept_within_the_hour(service, clock):
    _, secret = await service.create_api_key("shop", Role.INTEGRATION)
    first = clock.now()
    await service.authenticate_token(secret)
    clock.advance(minutes=30)
    await service.authenticate_token(secret)
    assert [key.last_used_at for key in await service.api_keys()] == [first]
    clock.advance(minutes=31)
    await service.authenticate_token(secret)
    assert [key.last_used_at for key in await service.api_keys()] == [clock.now()]


async def test_revoked_and_expired_keys_are_refused(service, clock):
    key, secret = await service.create_api_key("a", Role.LEAD)
    await service.revoke_api_key(key.id)
    with pytest.raises(NotSignedIn):
        await service.authenticate_token(secret)
    with pytest.raises(NotFound):
        await service.revoke_api_key(key.id)
    expires_at = clock.now() + timedelta(days=1)
    _, short = await service.create_api_key("b", Role.LEAD, expires_at)
    await service.authenticate_token(short)
    clock.advance(days=1)
    with pytest.raises(NotSignedIn):
        await service.authenticate_token(short)


async def test_keys_nobody_should_have_are_not_made(service, clock):
    with pytest.raises(InvalidInput, match="role"):
        await service.create_api_key("visitor", Role.CUSTOMER)
    with pytest.raises(InvalidInput, match="expires_at"):
        await service.create_api_key("late", Role.LEAD, clock.now())


async def test_garbled_tokens_are_refused(service):
    _, secret = await service.create_api_key("shop", Role.INTEGRATION)
    for token in ("", "x", secret[:-1], secret + "x", secret.swapcase(), "scs_" + "a" * 43, "ä"):
        with pytest.raises(NotSignedIn):
            await service.authenticate_token(token)


async def test_signing_in_and_out(service, clock):
    await service.create_user("ada", "Ada", Role.LEAD, PASSWORD)
    session, token, user = await service.sign_in("ada", PASSWORD)
    assert user.name == "Ada"
    assert token not in repr(session)
    assert await service.authenticate_token(token) == Identity("ada", Role.LEAD, "session")
    await service.sign_out(token)
    with pytest.raises(NotSignedIn):
        await service.authenticate_token(token)
    session, token, _ = await service.sign_in("ada", PASSWORD)
    clock.moment = session.expires_at
    with pytest.raises(NotSignedIn):
        await service.authenticate_token(token)


async def test_a_wrong_name_looks_like_a_wrong_password(service):
    await service.create_user("ada", "Ada", Role.LEAD, PASSWORD)
    messages = set()
    for username, password in (("ada", "wrong password"), ("bob", PASSWORD), ("ada", "")):
        with pytest.raises(NotSignedIn) as refusal:
            await service.sign_in(username, password)
        messages.add(refusal.value.detail)
    assert len(messages) == 1


async def test_an_unknown_name_costs_a_verification_too(service, monkeypatch):
    await service.create_user("ada", "Ada", Role.LEAD, PASSWORD)
    verified = []
    verify = service._passwords.verify
    monkeypatch.setattr(
        service._passwords, "verify", lambda *given: verified.append(given) or verify(*given)
    )
    for username in ("ada", "nobody"):
        with pytest.raises(NotSignedIn):
            await service.sign_in(username, "wrong password")
    assert len(verified) == 2


async def test_passwords_are_argon2id_hashes_and_long_enough(service):
    user = await service.create_user("ada", "Ada", Role.LEAD, PASSWORD)
    assert user.password_hash.startswith("$argon2id$")
    with pytest.raises(InvalidInput, match="12"):
        await service.create_user("bob", "Bob", Role.LEAD, "short")
    with pytest.raises(Conflict, match="ada"):
        await service.create_user("ada", "Ada", Role.ADMIN, PASSWORD)


async def test_a_new_password_signs_out_everywhere(service):
    await service.create_user("mira", "Mira", Role.EXECUTIVE, "correct horse battery")
    _, token, _ = await service.sign_in("mira", "correct horse battery")
    await service.set_password("mira", "another horse battery")
    with pytest.raises(NotSignedIn):
        await service.authenticate_token(token)
    with pytest.raises(NotSignedIn):
        await service.sign_in("mira", "correct horse battery")
    await service.sign_in("mira", "another horse battery")
    with pytest.raises(NotFound):
        await service.set_password("nobody", "another horse battery")
    with pytest.raises(InvalidInput):
        await service.set_password("mira", "short")
