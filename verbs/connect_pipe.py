# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Carries bytes between a client of `connect` and a pod, whose messages start with the number of their channel."""

import asyncio
import contextlib

import aiohttp

from connect_text import Refused

CHUNK = 64 * 1024
_DATA, _ERROR = 0, 1


async def pipe(
    head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pod: aiohttp.ClientWebSocketResponse
) -> None:
    """Carry bytes both ways until one side ends; Refused when the pod ends without a byte.

    A client that ends its side is gone: this protocol cannot pass on one half of an end.
    """
    sending = asyncio.create_task(_send(head, reader, pod))
    greeted, answered, error = set(), False, b""
    try:
        async for message in pod:
            if message.type is not aiohttp.WSMsgType.BINARY:
                break
            channel, data = message.data[0], message.data[1:]
            if channel not in greeted:
                # The first message of each channel is its port.
                greeted.add(channel)
            elif channel == _DATA:
                answered = True
                writer.write(data)
                await writer.drain()
            elif channel == _ERROR:
                error += data
        if not answered and not reader.at_eof():
            raise Refused(502, error.decode(errors="replace") or "it ended the connection without an answer.")
    finally:
        sending.cancel()
        await asyncio.gather(sending, pod.close(), return_exceptions=True)


async def _send(data: bytes, reader: asyncio.StreamReader, pod: aiohttp.ClientWebSocketResponse) -> None:
    with contextlib.suppress(ConnectionError):
        while data:
            await pod.send_bytes(bytes([_DATA]) + data)
            data = await reader.read(CHUNK)
        await pod.close()


async def linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Let the client read the page: to close with a request unread would reset the connection."""
    with contextlib.suppress(ConnectionError, TimeoutError):
        await writer.drain()
        writer.write_eof()
        async with asyncio.timeout(2):
            while await reader.read(CHUNK):
                pass
