"""A small HTTP proxy that stands in front of an S3 server and does to its requests what networks do."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

ERROR = b"<Error><Code>InternalError</Code><Message>a fault was injected</Message></Error>"
TROUBLES = (
    "cut in mid-PUT",  # half of the body reaches the server, then both connections are cut
    "answer lost",  # the server did it, and the connection is cut before it can say so
    "500 before",  # the server never hears of the request
    "500 after",  # the server did it, and the client is told that it did not
    "timeout before",
    "timeout after",
    "cut in mid-GET",
    "slow",  # request and answer in small pieces
)


@dataclass(frozen=True, slots=True)
class Message:
    """One HTTP request or answer."""

    head: bytes
    body: bytes

    @property
    def method(self) -> str:
        return self.head.split(b" ", 1)[0].decode()


class Proxy:
    """Context manager: a proxy on a free port of loopback, in a thread of its own.

    Args:
        upstream: port of the real server on loopback.
        odds: probability of each trouble per request; those that make no sense for a request leave it alone.
        seed: decides which requests are hit.
        hang: seconds that a timeout lasts; longer than the client's patience.
    """

    def __init__(self, upstream: int, odds: Mapping[str, float], seed: int, hang: float) -> None:
        assert set(odds) <= set(TROUBLES)
        self.upstream, self.odds, self.hang = upstream, odds, hang
        self.done: Counter[str] = Counter()
        self._dice = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        starting = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self._server = starting.result(10)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        async def end() -> None:
            self._server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """All requests of one connection, until either side or a trouble ends it."""
        server, to_server = await asyncio.open_connection("127.0.0.1", self.upstream)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await self._pass_on(await _request(client, back), back, server, to_server):
                pass
        for writer in (back, to_server):
            writer.transport.abort()

    async def _pass_on(
        self,
        request: Message,
        back: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> bool:
        """One request and its answer, with or without trouble; whether the connection may go on."""
        trouble = self._trouble(request)
        self.done[trouble] += 1
        if trouble == "cut in mid-PUT":
            await _send(to_server, request.head + request.body[: len(request.body) // 2])
            await asyncio.sleep(0.05)  # let it arrive
            return False
        if trouble in ("500 before", "timeout before"):
            return await self._refuse(trouble, back)
        await _send(to_server, request.head + request.body, pieces=8 if trouble == "slow" else 1)
        answer = await _answer(server, request.method)
        if trouble in ("500 after", "timeout after"):
            return await self._refuse(trouble, back)
        if trouble == "answer lost":
            return False
        if trouble == "cut in mid-GET":
            await _send(back, answer.head + answer.body[: len(answer.body) // 2])
            return False
        await _send(back, answer.head + answer.body, pieces=8 if trouble == "slow" else 1)
        return True

    def _trouble(self, request: Message) -> str:
        drawn = self._dice.choices([*self.odds, "none"], [*self.odds.values(), 1 - sum(self.odds.values())])[0]
        fits = {
            "cut in mid-PUT": request.method == "PUT" and bool(request.body),
            "cut in mid-GET": request.method == "GET",
        }
        return drawn if fits.get(drawn, True) else "none"

    async def _refuse(self, trouble: str, back: asyncio.StreamWriter) -> bool:
        if trouble.startswith("timeout"):
            await asyncio.sleep(self.hang)
            return False
        await _send(back, b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: %d\r\n\r\n%s" % (len(ERROR), ERROR))
        return True


async def _request(reader: asyncio.StreamReader, back: asyncio.StreamWriter) -> Message:
    head = await reader.readuntil(b"\r\n\r\n")
    fields = _fields(head)
    if "expect" in fields:  # the server is not asked whether it wants the body
        back.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        head = b"\r\n".join(line for line in head.split(b"\r\n") if not line.lower().startswith(b"expect:"))
    return Message(head, await _body(reader, fields))


async def _answer(reader: asyncio.StreamReader, method: str) -> Message:
    head = await reader.readuntil(b"\r\n\r\n")
    bodiless = method == "HEAD" or head.split(b" ", 2)[1] in (b"204", b"304")
    return Message(head, b"" if bodiless else await _body(reader, _fields(head)))


async def _body(reader: asyncio.StreamReader, fields: Mapping[str, str]) -> bytes:
    if "chunked" not in fields.get("transfer-encoding", ""):
        return await reader.readexactly(int(fields.get("content-length", 0)))
    body = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        body += line + await reader.readexactly(size + 2)
        if size == 0:
            return body


def _fields(head: bytes) -> dict[str, str]:
    pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:] if b":" in line)
    return {name.decode().lower(): value.decode().strip() for name, _, value in pairs}


async def _send(writer: asyncio.StreamWriter, data: bytes, pieces: int = 1) -> None:
    step = -(-len(data) // pieces) or 1
    for at in range(0, len(data), step):
        if at:
            await asyncio.sleep(0.005)
        writer.write(data[at : at + step])
        await writer.drain()
