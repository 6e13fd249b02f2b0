# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The browser of the e2e layer, against a page of its own."""

import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

import browser

# For a browser that is not there yet.
pytestmark = pytest.mark.timeout(900)
PAGE = b"""<!DOCTYPE html><title>A page</title><input id=name><button onclick="
  setTimeout(() => { document.body.append('Hello ' + document.getElementById('name').value) }, 300)">Go</button>
  <a href=/next>on</a>"""
NEXT = b"<!DOCTYPE html><title>Next</title>Here we are"


class Handler(BaseHTTPRequestHandler):
    """Two pages."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(NEXT if self.path == "/next" else PAGE)

    def log_message(self, *_message: object) -> None:
        """Quiet."""


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://page.localhost:{server.server_port}"
        server.shutdown()


def test_a_person_types_clicks_and_sees(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODP_SCREENSHOTS", str(tmp_path / "kept"))
    with browser.browser() as tab:
        tab.open(f"{address}/")
        tab.type("#name", "world")
        tab.click("button")
        tab.see("Hello world")
        page = tab.page(tmp_path / "page.png")
        assert (page.url, page.title) == (f"{address}/", "A page")
        assert page.picture.read_bytes().startswith(b"\x89PNG")
        assert (tmp_path / "kept/page.png").read_bytes() == page.picture.read_bytes()
        tab.click("a")
        tab.see("Here we are")
        assert tab.url == f"{address}/next"


def test_what_does_not_come_is_told_with_what_is_there(address: str) -> None:
    with browser.browser(seconds=10) as tab:
        tab.open(f"{address}/next")
        tab.see("Here")
        tab.limit(1)
        with pytest.raises(AssertionError, match=r"not in 1 s: .*includes\(\"there\"\); .*/next shows: Here we are"):
            tab.see("there")


def test_an_address_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as once:
        port = once.getsockname()[1]
    with browser.browser() as tab, pytest.raises(AssertionError, match="does not open: net::ERR_CONNECTION_REFUSED"):
        tab.open(f"http://127.0.0.1:{port}/")


def test_a_condition_that_is_no_javascript_does_not_wait_for_ever(address: str) -> None:
    with browser.browser(seconds=10) as tab:
        tab.open(f"{address}/next")
        tab.limit(1)
        with pytest.raises(AssertionError, match="not in 1 s: this is no code"):
            tab.wait("this is no code")


def test_without_chromium_the_test_says_what_was_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _program: None)
    with (
        pytest.raises(pytest.skip.Exception, match=r"no page was checked, .* apt-get install chromium"),
        browser.browser(),
    ):
        pass
