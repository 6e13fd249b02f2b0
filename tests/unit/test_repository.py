# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Rules about every tracked file."""

import re
import subprocess

import pytest

from repository import ROOT

# Packages come from where the machine or the site says; container registries and release pages are part of a product.
PACKAGE_REGISTRY = re.compile(
    r"(?:[a-z0-9-]+\.)*debian\.(?:org|net)/debian|(?:deb|ftp|security|snapshot)\.debian\.org"
    r"|(?:archive|ports|security)\.ubuntu\.com|dl-cdn\.alpinelinux\.org"
    r"|(?:proxy|sum)\.golang\.org|goproxy\.(?:io|cn)"
    r"|pypi\.(?:org|python\.org)|pythonhosted\.org"
    r"|(?:index|static)\.crates\.io|crates\.io/api"
    r"|repo1?\.maven\.(?:org|apache\.org)|maven\.google\.com"
    r"|registry\.(?:npmjs\.org|yarnpkg\.com)|rubygems\.org|conda\.anaconda\.org|galaxy\.ansible\.com"
    r"|(?:GOPROXY|(?:extra-)?index-url|INDEX_URL|find-links)[\"']?[ =:]+[\"']?https?://"
    r"|\bdeb(?:-src)?\s+(?:\[[^]]*\]\s*)?https?://(?![\w.-]*example\.)"
)
# Sums and pins that tools write.
LOCKS = (".sum", ".lock", "requirements.txt")


def test_no_file_names_a_package_registry() -> None:
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = []
    for name in filter(None, tracked.split("\0")):
        path = ROOT / name
        if name.endswith(LOCKS) or path.is_symlink() or not path.is_file():
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            if match := PACKAGE_REGISTRY.search(line):
                found.append(f"{name}:{number}: {match[0]}: use the tool's own default, or a variable of the site")
    assert found == []


@pytest.mark.parametrize(
    "parts",
    # In parts, so that this file does not name one itself.
    [
        ("deb", " http://deb.debian", ".org/debian trixie main"),
        ("http://security.debian", ".org/debian-security"),
        ("GOPROXY", "=https://go.example.org"),
        ("pip install --index-url", " https://pip.example.org/simple"),
        ("https://proxy.", "golang.org/@v/list"),
        ("registry = https://registry.", "npmjs.org"),
        ("https://repo1.", "maven.org/maven2/"),
        ("deb", " [signed-by=/x] https://packages.local/debian trixie main"),
    ],
)
def test_addresses_of_the_kind_are_seen(parts: tuple[str, ...]) -> None:
    assert PACKAGE_REGISTRY.search("".join(parts))


@pytest.mark.parametrize(
    "line",
    [
        "deb http://mirror.example.org/debian trixie main",
        "registry.k8s.io/pause:3.10.2",
        "https://github.com/etcd-io/etcd/releases",
        "pip-compile --no-emit-index-url",
        "versions debian-trixie",
    ],
)
def test_names_of_images_and_releases_are_allowed(line: str) -> None:
    assert not PACKAGE_REGISTRY.search(line)
