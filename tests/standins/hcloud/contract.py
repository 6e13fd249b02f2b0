# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Checks the requests to the stand-in for Hetzner Cloud, and its answers, against the provider's OpenAPI document."""

import json
from functools import cache
from typing import Any
from urllib.parse import urlencode

from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from werkzeug.datastructures import Headers, ImmutableMultiDict

from repository import TESTS
from standins.hcloud.server import Exchange

DOCUMENT = TESTS / "fixtures/contracts/hcloud.json"


def findings(exchanges: list[Exchange]) -> list[str]:
    """What the document does not allow, one sentence for each such exchange."""
    return [found for one in exchanges if (found := finding(one))]


def finding(one: Exchange) -> str:
    """What is wrong with one exchange, or an empty text. What was refused may have been wrong, by design."""
    try:
        if one.status < 400:
            document().validate_request(Sent(one))
        document().validate_response(Sent(one), Received(one))
    except OpenAPIError as error:
        causes = getattr(error.__cause__, "schema_errors", [])
        words = "; ".join(f"{list(each.absolute_path)}: {each.message[:200]}" for each in causes)
        return f"{one.method} {one.path} {one.body.decode()[:300]}: {words or error.__cause__ or error}"
    return ""


@cache
def document() -> OpenAPI:
    """The document, with two of its habits put as OpenAPI 3.0 has them: 4xx for 4XX, and what may be null."""
    return OpenAPI.from_dict(_nullable(json.loads(DOCUMENT.read_text().replace('xx":', 'XX":'))))


def _nullable(node: Any) -> Any:
    """A schema without a type of its own that may be null: OpenAPI 3.0 heeds nullable beside a type only."""
    if isinstance(node, list):
        return [_nullable(each) for each in node]
    if not isinstance(node, dict):
        return node
    found = {key: _nullable(value) for key, value in node.items()}
    if found.get("nullable") is True and "type" not in found:
        rest = {key: value for key, value in found.items() if key != "nullable"}
        return {"anyOf": [rest, {"type": "object", "nullable": True, "maxProperties": 0}]}
    return found


def _texts(body: bytes) -> bytes:
    """A body with numbers as texts where the document has a text, "ID or name", and hetzner.hcloud sends a number."""
    found = json.loads(body or b"{}")
    for key in found.keys() & {"server_type", "image", "location", "load_balancer_type", "ssh_keys"}:
        value = found[key]
        found[key] = [str(each) for each in value] if isinstance(value, list) else str(value)
    return json.dumps(found).encode() if found else body


class Sent:
    """A request as openapi_core reads it."""

    host_url = "https://api.hetzner.cloud"
    content_type = "application/json"

    def __init__(self, one: Exchange) -> None:
        pairs = [(key, value) for key, values in one.query.items() for value in values]
        self.path, self.method, self.body = one.path, one.method.lower(), _texts(one.body) or None
        self.parameters = RequestParameters(query=ImmutableMultiDict(pairs), header=Headers(one.headers))
        self.full_url_pattern = f"{self.host_url}{one.path}?{urlencode(pairs)}"


class Received:
    """An answer as openapi_core reads it."""

    content_type = "application/json"

    def __init__(self, one: Exchange) -> None:
        self.status_code, self.data, self.headers = one.status, one.answer or None, Headers()
