# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Why a registry did not do what was asked, and the next step, in words."""

from __future__ import annotations

import json
from typing import Any

import urllib3


class RegistryError(Exception):
    """The registry refused; the text says what and the next step."""


class Unreachable(RegistryError):
    """Nothing answers there."""


def broken(address: str, error: Exception) -> RegistryError:
    """Return the error for a request that got no answer."""
    if not isinstance(error, urllib3.exceptions.SSLError):
        return Unreachable(f"{address} does not answer ({error}). Start the registry or correct reference.")
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        reason = getattr(error.args[0], "verify_message", "") or text
        return RegistryError(
            f"{address} has a certificate that is not trusted: {reason}. Set ca_path to the certificate of its CA."
        )
    if "WRONG_VERSION_NUMBER" in text or "RECORD_LAYER_FAILURE" in text:
        return RegistryError(f"{address} does not speak TLS. If plain HTTP is meant, set insecure: true.")
    return RegistryError(f"{address} ended the TLS handshake: {text}. Look at the registry's log.")


def refused(address: str, request: str, answer: Any, username: str) -> RegistryError:
    """Return the error for an answer that is no success."""
    who = f"username '{username}'" if username else "a request without login"
    text = f"{address} answers {answer.status} {answer.reason or ''}".rstrip() + f" to {request}"
    if detail := _detail(answer.data):
        text += f" ({detail})"
    challenge = answer.headers.get("WWW-Authenticate", "")
    if answer.status == 401 and challenge.lower().startswith("bearer"):
        step = "it wants a token (Bearer), which is not supported: use a registry with basic authentication"
    elif answer.status == 401:
        step = f"{who} is not let in. {'Correct' if username else 'Set'} username and password"
    elif answer.status == 403:
        step = f"{who} may not do this. Give it the right to push to this repository"
    elif answer.status == 404:
        step = "this is no registry, or it does not know the repository. Correct reference, or make the repository"
    elif answer.status == 405:
        step = "this address only reads. Use the registry's address for pushes"
    elif answer.status == 400 and address.startswith("http:"):
        step = "if it speaks TLS, remove insecure: true"
    else:
        step = "look at the registry's log"
    return RegistryError(f"{text}: {step}.")


def _detail(body: bytes) -> str:
    """Return the registry's own words, as the distribution specification has them."""
    try:
        return "; ".join(each["message"] for each in json.loads(body)["errors"] if each.get("message"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
