"""uvicorn's HTTP protocol, whose own refusals are problems too."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from support_copilot.web.problem_details import problem


class ProblemHttpProtocol(HttpToolsProtocol):
    """For ``uvicorn.Config(http=ProblemHttpProtocol)``.

    Bytes that are no HTTP request (an unknown method, a broken header) never reach the gateway:
    uvicorn answers them itself, as plain text unless told otherwise.
    """

    def send_400_response(self, msg: str) -> None:
        response = problem(
            400,
            "malformed-request",
            "Bad Request",
            f"{msg} Use a standard method and well-formed headers.",
            headers={"connection": "close"},
        )
        lines = [b"HTTP/1.1 400 Bad Request"]
        lines += [name + b": " + value for name, value in response.raw_headers]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + bytes(response.body))
        self.transport.close()
