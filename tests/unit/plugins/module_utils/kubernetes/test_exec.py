# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Commands in pods: what comes back, and every way in which nothing does. The kubelet is a stand-in."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.exec import Answer, ExecError, Pods
from kubernetes import client, config
from kubernetes.stream import stream

from api_server import free_port
from stand_in_kubelet import certificate, stand_in_kubelet


def pods(directory: Path, port: int, **cluster: Any) -> Pods:
    """A kubeconfig whose API server is the stand-in."""
    server = {"server": f"https://127.0.0.1:{port}", **cluster}
    config = {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": server}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    (directory / "config").write_text(yaml.safe_dump(config))
    return Pods(str(directory / "config"), None)


INSECURE = {"insecure-skip-tls-verify": True}


def run(directory: Path, answer: Any) -> Answer:
    with stand_in_kubelet(directory, lambda _command: answer) as port:
        return pods(directory, port, **INSECURE).run("kube-system", "cilium-x", "cilium-agent", ["cilium-dbg"], 5)


def test_output_of_many_messages_comes_back_whole(tmp_path: Path) -> None:
    text = json.dumps({"ü": "x" * 20000})
    assert run(tmp_path, (text, "note", 0)) == Answer(text, "note", 0)


def test_the_exit_status_comes_back(tmp_path: Path) -> None:
    assert run(tmp_path, ("", 'unknown command "kvstoremesh-dbg"', 1)).code == 1


def test_words_of_the_command_arrive_one_by_one(tmp_path: Path) -> None:
    with stand_in_kubelet(tmp_path, lambda command: ("|".join(command), "", 0)) as port:
        found = pods(tmp_path, port, **INSECURE).run("kube-system", "p", "c", ["status", "-o", "a b&c"], 5)
    assert found.stdout == "status|-o|a b&c"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (("", "", -1), "pod cilium-x: no such file or directory"),
        ((403, json.dumps({"message": "pods is forbidden"})), "pod cilium-x: pods is forbidden"),
        ((502, "bad gateway"), "pod cilium-x: bad gateway"),
        ((502, ""), "pod cilium-x: HTTP 502"),
    ],
)
def test_refusals_are_the_others_own_words(tmp_path: Path, answer: Any, words: str) -> None:
    with pytest.raises(ExecError) as error:
        run(tmp_path, answer)
    assert str(error.value) == words


def test_nobody_answers(tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(ExecError, match=f"pod p: https://127.0.0.1:{port} does not answer: .*Connection refused"):
        pods(tmp_path, port).run("kube-system", "p", "c", ["x"], 5)


def test_the_certificate_of_the_other_side_is_checked(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with stand_in_kubelet(tmp_path, lambda _command: ("", "", 0)) as port:
        with pytest.raises(ExecError, match="CERTIFICATE_VERIFY_FAILED"):
            pods(tmp_path, port, **{"certificate-authority": str(certificate(other))}).run("n", "p", "c", ["x"], 5)
        known = {"certificate-authority": str(tmp_path / "stand-in-kubelet.pem")}
        assert pods(tmp_path, port, **known).run("n", "p", "c", ["x"], 5).code == 0


def test_threads_cannot_share_a_client_with_the_stream_of_package_kubernetes(tmp_path: Path) -> None:
    """Why exec.py exists: all pods of a cluster are asked at once."""
    during = []

    def answer(_command: list[str]) -> tuple[str, str, int]:
        during.append(api.call_api)
        return "", "", 0

    with stand_in_kubelet(tmp_path, answer) as port:
        pods(tmp_path, port, **INSECURE)
        api = config.new_client_from_config(str(tmp_path / "config"))
        before = api.call_api
        core = client.CoreV1Api(api)
        stream(core.connect_get_namespaced_pod_exec, "p", "n", container="c", command=["x"], stdout=True, stderr=True)
    assert api.call_api == before and before not in during and len(during) == 1
