# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The rules of kind clusters and of the engine's JSON and archives."""

from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.container_engine import (
    cli as container_engine,
)
from ansible_collections.opendata.platform.plugins.module_utils.kind import config as kind_config
from hypothesis import given
from hypothesis import strategies as st

names = st.text("abcXYZ", min_size=1, max_size=4)
scalars = st.booleans() | st.integers() | names
configs = st.dictionaries(
    names, st.recursive(scalars, lambda each: st.lists(each, max_size=3) | st.dictionaries(names, each, max_size=3))
)


@given(configs, configs)
def test_keys_are_named_exactly_where_configs_differ(one: dict[str, Any], other: dict[str, Any]) -> None:
    # In YAML and for kind 1 is not true, in Python it is; so texts are compared.
    same = yaml.safe_dump(one, sort_keys=True) == yaml.safe_dump(other, sort_keys=True)
    assert (kind_config.changed_keys(one, other) == []) == same
    assert kind_config.changed_keys(one, other) == kind_config.changed_keys(other, one)


@given(configs)
def test_record_gives_the_config_back(config: dict[str, Any]) -> None:
    assert kind_config.Found(record=kind_config.text(config)).config() == config


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r")))
def test_archive_of_one_file_gives_its_text_back(text: str) -> None:
    assert (
        container_engine.only_file(container_engine.archive({"/etc/containerd/certs.d/quay.io/hosts.toml": text}))
        == text
    )


def test_archive_without_a_file_is_empty() -> None:
    assert container_engine.only_file(container_engine.archive({})) == ""


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("kindest/node:v1@sha256:01", "kindest/node@sha256:01"),
        ("registry.example.org:5000/node:v1@sha256:01", "registry.example.org:5000/node@sha256:01"),
        ("registry.example.org:5000/node@sha256:01", "registry.example.org:5000/node@sha256:01"),
        ("node:v1@sha256:01", "node@sha256:01"),
        ("kindest/node:v1", "kindest/node:v1"),
    ],
)
def test_digest_goes_before_the_tag(image: str, expected: str) -> None:
    assert container_engine.by_digest(image) == expected


def test_memory_and_ports_in_the_words_of_both_engines() -> None:
    assert container_engine.memory({"MemTotal": 5}) == container_engine.memory({"host": {"memTotal": 5}}) == 5
    bound = {"80/tcp": [{"HostIp": "", "HostPort": "8080"}], "443/tcp": None, "90/tcp": [{"HostPort": ""}]}
    assert container_engine.published([{"Name": "/web", "NetworkSettings": {"Ports": bound}}]) == {8080: "web"}
    assert container_engine.published([{"Name": "web", "NetworkSettings": {}}]) == {}


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (None, "1 node with all its pods and its volumes, which cannot be listed now"),
        ([], "1 node with all its pods, and no volumes"),
        (["a/b (1Gi)"], "1 node with all its pods and 1 volume: a/b (1Gi)"),
    ],
)
def test_loss_is_told(kept: list[str] | None, words: str) -> None:
    nodes = [kind_config.Node("a", "worker", True, ()), kind_config.Node("b", "external-load-balancer", True, ())]
    assert kind_config.loss(kind_config.Found(nodes), kept) == words
