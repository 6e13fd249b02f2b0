# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""From the kubeconfig that somebody has to the fleet's own."""

from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.existing.kubeconfig import chosen, own
from hypothesis import given
from hypothesis import strategies as st

PATH = "/home/me/.kube/config"
EXEC = {
    "apiVersion": "client.authentication.k8s.io/v1",
    "command": "aws",
    "args": ["eks", "get-token", "--cluster-name", "data"],
    "env": [{"name": "AWS_PROFILE", "value": "data"}],
    "interactiveMode": "IfAvailable",
}


def config(cluster: dict[str, Any], user: dict[str, Any], **more: Any) -> str:
    contexts = [
        {"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "team"}},
        {"name": "two", "context": {"cluster": "c", "user": "v"}},
    ]
    whole = {"apiVersion": "v1", "kind": "Config", "current-context": "one", "contexts": contexts}
    whole["clusters"] = [{"name": "c", "cluster": cluster}, {"name": "other", "cluster": {"server": "https://other"}}]
    whole["users"] = [{"name": "u", "user": user}, {"name": "v", "user": {"token": "of-v"}}]
    return yaml.safe_dump({**whole, **more})


def test_one_context_is_left_with_the_name_of_the_cluster() -> None:
    made = own(config({"server": "https://api:6443", "tls-server-name": "api"}, {"exec": EXEC}), PATH, "aws")
    assert made == {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "aws", "cluster": {"server": "https://api:6443", "tls-server-name": "api"}}],
        "users": [{"name": "aws", "user": {"exec": EXEC}}],
        "contexts": [{"name": "aws", "context": {"cluster": "aws", "user": "aws", "namespace": "team"}}],
        "current-context": "aws",
    }


def test_another_context_has_another_user() -> None:
    made = own(config({"server": "https://api"}, {"token": "of-u"}), PATH, "aws", "two")
    assert made["users"] == [{"name": "aws", "user": {"token": "of-v"}}]


def test_paths_start_at_the_given_files_folder() -> None:
    user = {"client-certificate": "me.crt", "client-key": "/etc/me.key", "tokenFile": "../token"}
    made = own(config({"server": "https://api", "certificate-authority": "pki/ca.crt"}, user), PATH, "aws")
    assert made["clusters"][0]["cluster"]["certificate-authority"] == "/home/me/.kube/pki/ca.crt"
    assert made["users"][0]["user"] == {
        "client-certificate": "/home/me/.kube/me.crt",
        "client-key": "/etc/me.key",
        "tokenFile": "/home/me/token",
    }


@pytest.mark.parametrize(
    ("command", "kept"), [("aws", "aws"), ("./login", "/home/me/.kube/login"), ("/opt/login", "/opt/login")]
)
def test_a_plugin_is_found_where_it_was(command: str, kept: str) -> None:
    made = own(config({"server": "https://api"}, {"exec": {**EXEC, "command": command}}), PATH, "aws")
    assert made["users"][0]["user"]["exec"] == {**EXEC, "command": kept}


@given(st.dictionaries(st.sampled_from(["token", "username", "client-key-data", "as"]), st.text(min_size=1)))
def test_the_fleets_own_made_from_itself_is_the_same(user: dict[str, str]) -> None:
    made = own(config({"server": "https://api"}, user), PATH, "aws")
    assert made["users"][0]["user"] == user
    assert own(yaml.safe_dump(made), "/state/kubeconfigs/aws", "aws") == made


@pytest.mark.parametrize(
    ("text", "context", "words"),
    [
        ("a: [", "", "is not YAML"),
        ("", "", "is not a kubeconfig: it has no contexts"),
        ("- a", "", "is not a kubeconfig: it has no contexts"),
        (config({"server": "https://api"}, {}), "three", "has no context 'three'. Known: one, two"),
        (
            config({"server": "https://api"}, {}, **{"current-context": ""}),
            "",
            "has no current context. Known: one, two",
        ),
        (config({"server": "https://api"}, {}, users=[]), "", "has no user 'u'. Known: none"),
        (config({"server": "https://api"}, {}, clusters=[]), "", "has no cluster 'c'. Known: none"),
        (config({}, {}), "", "has no server in its cluster 'c'"),
    ],
)
def test_what_is_wrong_is_said(text: str, context: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"^is|^has") as caught:
        chosen(text, context)
    assert str(caught.value) == words
