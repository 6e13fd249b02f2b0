# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What a person sees of a service's page: a headless Chromium, spoken to by its own DevTools protocol."""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import pytest
import requests
import websocket

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--window-size=1400,900",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
)
# Asked in the page, at each of its frames.
WAIT = """new Promise((resolve) => {
  const look = () => { try { if (%s) return resolve(true) } catch (error) {} requestAnimationFrame(look) }
  look() })"""
FRAMES = "new Promise((resolve) => setTimeout(() => requestAnimationFrame(resolve), 250))"


class Page(NamedTuple):
    """A page as it stood when what was awaited was there."""

    url: str
    title: str
    text: str
    picture: Path


class Browser:
    """One tab."""

    def __init__(self, address: str, seconds: float) -> None:
        self._socket = websocket.create_connection(address, timeout=seconds, suppress_origin=True)
        self._numbers = itertools.count(1)
        self.limit(seconds)
        self._call("Page.enable")

    def limit(self, seconds: float) -> None:
        """Set what any wait may take."""
        self.seconds = seconds
        self._socket.settimeout(seconds)

    def open(self, url: str) -> None:
        """Go to a page; what it shows is there later: wait for it."""
        if failure := self._call("Page.navigate", url=url).get("errorText"):
            raise AssertionError(f"{url} does not open: {failure}")

    def wait(self, condition: str) -> None:
        """Return when the JavaScript condition holds, also on a page that the present one leads to.

        :raises AssertionError: with address and text of the page where it does not.
        """
        deadline = time.monotonic() + self.seconds
        try:
            # The page may be left while it is asked.
            while not self._evaluate(WAIT % condition):
                if time.monotonic() > deadline:
                    raise websocket.WebSocketTimeoutException
        except websocket.WebSocketTimeoutException:
            self._socket.settimeout(5)
            found = f"{self.url} shows: {self.text[:2000]}"
            raise AssertionError(f"not in {self.seconds:.0f} s: {condition}; {found}") from None

    def see(self, *texts: str) -> None:
        """Return when the page shows all texts."""
        for text in texts:
            self.wait(f"document.body.innerText.includes({json.dumps(text)})")

    def type(self, selector: str, text: str) -> None:
        """Type into a field, once it is there."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.wait(found)
        self._evaluate(f"{found}.focus()")
        self._call("Input.insertText", text=text)
        self.wait(f"{found}.value === {json.dumps(text)}")

    def click(self, selector: str) -> None:
        """Click, once it is there."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.wait(found)
        self._evaluate(f"{found}.click()")

    @property
    def url(self) -> str:
        """The page's address."""
        return self._evaluate("location.href")

    @property
    def text(self) -> str:
        """What the page shows, as text."""
        return self._evaluate("document.body.innerText")

    def page(self, picture: Path) -> Page:
        """Return the page as it stands once nothing on it moves, with a screenshot, also kept in ODP_SCREENSHOTS."""
        before, shot = "", self._picture()
        while shot != before:
            self._evaluate(FRAMES)
            before, shot = shot, self._picture()
        picture.write_bytes(base64.b64decode(shot))
        if kept := os.environ.get("ODP_SCREENSHOTS"):
            Path(kept).mkdir(parents=True, exist_ok=True)
            shutil.copy(picture, kept)
        return Page(self.url, self._evaluate("document.title"), self.text, picture)

    def _picture(self) -> str:
        return self._call("Page.captureScreenshot", captureBeyondViewport=True)["data"]

    def _evaluate(self, expression: str) -> Any:
        answer = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        return answer.get("result", {}).get("value")

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (answer := json.loads(self._socket.recv())).get("id") != number:
            pass  # An event.
        return answer.get("result", {})


@contextmanager
def browser(seconds: float = 60) -> Iterator[Browser]:
    """Start Chromium for one test; without it the test is skipped.

    :param seconds: what any wait may take.
    """
    program = _program()
    if not program:
        pytest.skip("no page was checked, because Chromium is not installed: apt-get install chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [program, *OPTIONS, f"--user-data-dir={profile}"]
        # Chromium's own sandbox refuses root.
        command += ["--no-sandbox"] if os.geteuid() == 0 else []
        with subprocess.Popen([*command, "about:blank"], stderr=subprocess.PIPE, text=True) as process:
            try:
                address = _address(process)
                tabs = requests.get(f"http://{address}/json/list", timeout=seconds).json()
                yield Browser(next(tab for tab in tabs if tab["type"] == "page")["webSocketDebuggerUrl"], seconds)
            finally:
                process.terminate()


def _program() -> str | None:
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def _address(process: subprocess.Popen[str]) -> str:
    """Address and port on which it takes commands: "DevTools listening on ws://127.0.0.1:PORT/devtools/browser/…"."""
    assert process.stderr
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith("DevTools listening"):
            # What else it says must not fill the pipe.
            Thread(target=process.stderr.read, daemon=True).start()
            return line.split("/")[2]
    raise AssertionError(f"Chromium does not start: {''.join(said)[-2000:]}")


def superset(tab: Browser, address: str, username: str, password: str, dashboard: str, *figures: str) -> None:
    """Log in to Superset and look at a dashboard until it shows the figures.

    :param address: of the service, such as ``http://superset.localhost:8080``.
    :param dashboard: its slug.
    """
    tab.open(f"{address}/login/")
    # A page that is still loading forgets what was typed.
    tab.wait("location.pathname.startsWith('/login') && document.readyState === 'complete'")
    tab.type("#username", username)
    tab.type("#password", password)
    tab.click("button[type=submit], input[type=submit]")
    tab.wait("!location.pathname.startsWith('/login')")
    tab.open(f"{address}/superset/dashboard/{dashboard}/")
    tab.see(*figures)


def dagster(tab: Browser, address: str, path: str, *texts: str) -> None:
    """Look at a page of Dagster, which asks nobody who he is, until it shows the texts."""
    tab.open(f"{address}{path}")
    tab.see(*texts)
