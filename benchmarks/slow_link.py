# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A way to a port of loopback that takes as long as one to another place."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, seconds: float) -> None:
    """Deliver each piece so much later; what follows does not wait for it."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65536):
            loop.call_later(seconds, sink.write, data)
    loop.call_later(seconds, sink.close)


@contextlib.contextmanager
def slow_link(port: int, seconds: float) -> Iterator[int]:
    """Give a port that leads to this one, each direction so many seconds away, until the block ends."""

    async def join(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        # The kernel shakes hands at once; over a real distance that takes one round trip.
        await asyncio.sleep(2 * seconds)
        far_source, far_sink = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pump(source, far_sink, seconds), _pump(far_source, sink, seconds))

    ready: Future[int] = Future()
    over = threading.Event()

    async def serve() -> None:
        async with await asyncio.start_server(join, "127.0.0.1", 0) as listening:
            ready.set_result(listening.sockets[0].getsockname()[1])
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        yield ready.result()
    finally:
        over.set()
        thread.join()
