"""The gateway behind its real server, spoken to byte by byte."""

import asyncio
import json
import socket

import pytest
import uvicorn

from support_copilot.cache.rate_limits import WindowedRateLimiter
from support_copilot.domain.identity import Identity, Role
from support_copilot.gateway.app import build_gateway
from support_copilot.gateway.http_protocol import ProblemHttpProtocol
from support_copilot.web import deadline, request_id
from support_copilot.web.app_factory import create_app

SECRET = b"h" * 32


async def authenticator(_token: str) -> Identity:
    return Identity("key:abcd1234", Role.EXECUTIVE)


class AnnouncingServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets=None) -> None:
        await super().startup(sockets)
        self.ready.set()


@pytest.fixture
async def address():
    app = create_app("Echo", "1", SECRET)

    @app.post("/v1/echo")
    async def echo(body: dict[str, int]) -> dict[str, int]:
        return body

    @app.get("/v1/left")
    async def left() -> dict[str, float | str | None]:
        await asyncio.sleep(0.2)
        return {"left": deadline.remaining() + 0.2, "request_id": request_id.current()}

    routes = {"/v1/echo": app, "/v1/left": app}
    gateway = build_gateway(routes, authenticator, WindowedRateLimiter(), SECRET)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(gateway, http=ProblemHttpProtocol, log_config=None, access_log=False)
    server = AnnouncingServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await server.ready.wait()
    yield listener.getsockname()
    server.should_exit = True
    await serving


async def exchange(address, request: bytes) -> tuple[int, dict[str, str], bytes]:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    status, *lines = head.strip().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    body = await reader.readexactly(int(headers["content-length"]))
    writer.close()
    await writer.wait_closed()
    return int(status.split()[1]), headers, body


def post(*headers: str, body: bytes = b"") -> bytes:
    lines = ["POST /v1/echo HTTP/1.1", "Host: desk", "Authorization: Bearer k", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def test_a_request_passes(address):
    request = post("Content-Type: application/json", "Content-Length: 8", body=b'{"a": 1}')
    status, _, body = await exchange(address, request)
    assert (status, json.loads(body)) == (200, {"a": 1})


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"BREW /v1/echo HTTP/1.1\r\nHost: desk\r\n\r\n",
        post("Content-Length: abc"),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_what_is_no_http_is_answered_by_a_problem(address, request_bytes):
    status, headers, body = await exchange(address, request_bytes)
    assert (status, json.loads(body)["code"]) == (400, "malformed-request")
    assert headers["content-type"] == "application/problem+json"


async def test_pipelined_requests_share_neither_id_nor_deadline(address):
    reader, writer = await asyncio.open_connection(*address)
    request = b"GET /v1/left HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer k\r\n\r\n"
    writer.write(request * 3)
    answers = []
    for _ in range(3):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        answers.append(json.loads(await reader.readexactly(length)))
    writer.close()
    await writer.wait_closed()
    assert len({answer["request_id"] for answer in answers}) == 3
    assert all(answer["left"] > 14.9 for answer in answers)


async def test_a_body_beyond_the_limit_closes_the_connection(address):
    request = post("Content-Type: application/json", "Content-Length: 10485760", body=b"{")
    status, headers, body = await exchange(address, request)
    assert (status, json.loads(body)["code"]) == (413, "too-large")
    assert headers["connection"] == "close"
