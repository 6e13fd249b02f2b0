# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module flux_ready against a real API server with the real CRDs; a stand-in plays the controllers."""

import logging
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.flux import watch
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import ApiError

import flux_objects as flux
from api_server import ApiServer, free_port
from flux_objects import NEW, OLD

Run = Callable[..., dict[str, Any]]
POSTGRES, DAGSTER, ROOT = (flux.kustomization(name) for name in ("postgres", "dagster", "platform"))
ENDING = "Fix the first object above and run again; Flux keeps retrying meanwhile."
CHECKING = f"Running health checks for revision {NEW} with a timeout of 5m0s"


def states(result: dict[str, Any]) -> dict[str, str]:
    return {f"{each['kind']} {each['name']}": each["state"] for each in result["services"]}


def lines(result: dict[str, Any]) -> list[str]:
    return re.sub(r"after \d+ s", "after N s", result["msg"]).splitlines()


@pytest.fixture(scope="module")
def server(flux_server: ApiServer) -> ApiServer:
    """The API server of this file."""
    return flux_server


def test_all_gets_ready_by_watches_alone(run: Run, server: ApiServer, controllers: Any) -> None:
    controllers.make(flux.source(OLD), flux.applied(ROOT, OLD))
    release = flux.owned(flux.made("HelmRelease", "trino", "trino", interval="1h"), "Kustomization", "trino")
    release["spec"]["chartRef"] = {"kind": "OCIRepository", "name": "trino"}
    done = flux.condition("Ready", "True", "InstallSucceeded", "Helm install succeeded for release trino/trino.v1")
    history = {"name": "trino", "namespace": "trino", "chartName": "trino", "chartVersion": "9.0.0", "version": 1}
    history |= {"status": "deployed", "digest": "sha256:1", "configDigest": "sha256:1"}
    history |= {"firstDeployed": "2026-01-01T00:00:00Z", "lastDeployed": "2026-01-01T00:00:00Z"}
    trino = flux.kustomization("trino")
    controllers.later(
        0.2,
        lambda: controllers.say(flux.source()),
        lambda: controllers.make(POSTGRES, DAGSTER, trino),
        lambda: controllers.say(flux.applied(ROOT)),
        lambda: controllers.say(flux.unhealthy(POSTGRES, "Deployment/postgres/postgres")),
        lambda: controllers.make(release),
        lambda: controllers.say(flux.applied(POSTGRES), flux.applied(DAGSTER), flux.applied(trino)),
        lambda: controllers.say(flux.said(release, done, history=[history])),
    )
    before = len(server.requests())
    result = run("flux_ready", kubeconfig=str(server.kubeconfig), revision=NEW, wait_timeout=60)
    assert "failed" not in result and not result.get("changed") and result["reason"] == ""
    assert [(each["name"], each["ready"], each["revision"]) for each in result["services"]] == [
        ("dagster", True, NEW),
        ("platform", True, NEW),
        ("postgres", True, NEW),
        ("trino", True, NEW),
        ("trino", True, "9.0.0"),
        ("platform", True, NEW),
    ]
    assert all(0 < each["seconds"] < 60 for each in result["services"])
    # Of kinds that are new the API server refuses to list before its cache is filled (429).
    events = [event for event in server.requests()[before:] if event["responseStatus"]["code"] == 200]
    events = [event for event in events if "toolkit.fluxcd.io" in event["requestURI"]]
    asked = {(event["auditID"], event["verb"], event["requestURI"].partition("?")[0]) for event in events}
    listed, watched = ([path for _id, each, path in asked if each == verb] for verb in ("list", "watch"))
    assert len(set(watched)) == 7
    # Once for each watch, and once at the end; the server may close a watch.
    assert {path: listed.count(path) - watched.count(path) for path in watched} == dict.fromkeys(watched, 1)
    assert len(watched) < 20


def test_a_connection_that_breaks_is_made_again(run: Run, line: Any, controllers: Any) -> None:
    relay, kubeconfig = line
    controllers.make(flux.source(), flux.checking(POSTGRES))
    controllers.later(1, relay.cut, lambda: controllers.say(flux.applied(POSTGRES)))
    start = time.monotonic()
    result = run("flux_ready", kubeconfig=str(kubeconfig), revision=NEW, wait_timeout=30)
    # At the end of the time a last read would find it too.
    assert time.monotonic() - start < 25
    assert "failed" not in result and relay.cuts >= 7


def test_a_watch_that_lags_does_not_end_the_wait(
    run: Run, server: ApiServer, controllers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    see, lags = watch.Flux._see, [True]

    def late(self: watch.Flux, kind: str, items: list[dict[str, Any]]) -> bool:
        return see(self, kind, [] if kind == "HelmRelease" and lags else items)

    monkeypatch.setattr(watch.Flux, "_see", late)
    release = flux.made("HelmRelease", "trino", "trino", interval="1h")
    release["spec"]["chartRef"] = {"kind": "OCIRepository", "name": "trino"}
    done = flux.said(release, flux.condition("Ready", "True", "InstallSucceeded", "done"))
    controllers.make(flux.source(), flux.applied(POSTGRES), release)
    controllers.later(1.5, lags.clear, lambda: controllers.say(done))
    result = run("flux_ready", kubeconfig=str(server.kubeconfig), revision=NEW, wait_timeout=60)
    assert states(result)["HelmRelease trino"] == "ready"


def test_an_api_that_went_away(run: Run, line: Any, controllers: Any) -> None:
    relay, kubeconfig = line
    controllers.make(flux.source(), flux.checking(POSTGRES))
    controllers.later(1, relay.close)
    result = run("flux_ready", kubeconfig=str(kubeconfig), revision=NEW, wait_timeout=3)
    assert result["failed"] and f"127.0.0.1:{relay.port} does not answer" in result["msg"]


def test_the_time_is_over(run: Run, server: ApiServer, controllers: Any) -> None:
    controllers.make(
        flux.source(), flux.checking(POSTGRES), flux.blocked(flux.kustomization("dagster", "postgres"), "postgres")
    )
    start = time.monotonic()
    result = run("flux_ready", kubeconfig=str(server.kubeconfig), revision=NEW, timeout=2)
    assert 1.5 < time.monotonic() - start < 10
    assert result["failed"] and lines(result) == [
        "Not all that Flux delivers is ready at revision latest@sha256:111111111111 after N s:",
        f"Kustomization flux-system/postgres: {CHECKING}",
        "Kustomization flux-system/dagster waits for Kustomization flux-system/postgres: "
        "dependency 'flux-system/postgres' is not ready",
        ENDING,
    ]
    assert states(result) == {
        "Kustomization dagster": "waiting",
        "Kustomization postgres": "waiting",
        "OCIRepository platform": "ready",
    }


def pod(name: str, node: str, waiting: dict[str, str], **status: Any) -> dict[str, Any]:
    containers = [{"name": "main", "image": "registry.example/x"}]
    state = {
        "name": "main",
        "image": "x",
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "state": {"waiting": waiting},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "postgres"},
        "spec": {"nodeName": node, "containers": containers},
        "status": {"phase": "Pending", "containerStatuses": [{**state, **status}]},
    }


def event(about: str, kind: str, reason: str, message: str, number: int) -> dict[str, Any]:
    involved = {"kind": kind, "namespace": "postgres", "name": about}
    metadata = {"name": f"{about}.{number}", "namespace": "postgres"}
    at = {"lastTimestamp": f"2026-01-01T00:00:0{number}Z", "type": "Warning"}
    what = {"reason": reason, "message": message, "involvedObject": involved}
    return {"apiVersion": "v1", "kind": "Event", "metadata": metadata, **at, **what}


def test_pods_that_fail(run: Run, server: ApiServer, controllers: Any, kubelet: int) -> None:
    address = {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]}
    endpoint = {"daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet}}}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "status": {**address, **endpoint}}
    ended = [{"type": "Ready", "status": "False", "reason": "PodCompleted"}]
    done = {**pod("postgres-init", "n1", {}), "status": {"phase": "Succeeded", "conditions": ended}}
    controllers.make(
        node,
        pod("postgres-a", "n1", {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}),
        pod("postgres-b", "n1", {"reason": "CrashLoopBackOff", "message": "back-off 10s"}, restartCount=3),
        pod("other", "n1", {"reason": "ImagePullBackOff", "message": "of something else"}),
        done,
        *[event("postgres-a", "Pod", "Failed", f"pull {number}: not found", number) for number in range(4)],
        flux.source(),
        flux.unhealthy(flux.kustomization("postgres", timeout="1s"), "Deployment/postgres/postgres"),
    )
    start = time.monotonic()
    result = run("flux_ready", kubeconfig=str(server.kubeconfig), revision=NEW, wait_timeout=60)
    assert 0.9 < time.monotonic() - start < 20
    path = "/containerLogs/postgres/postgres-b/main?previous=true&tailLines=8"
    details = [
        "pod postgres-a, container main: ImagePullBackOff (Back-off pulling image)",
        *[f"event: Failed: pull {number}: not found" for number in (1, 2, 3)],
        "pod postgres-b, container main: CrashLoopBackOff (back-off 10s)",
        f"log of main: {path}",
        "log of main: FATAL: no space left on device",
    ]
    assert result["details"] == details
    assert lines(result) == [
        "Not all that Flux delivers is ready at revision latest@sha256:111111111111 after N s:",
        "Kustomization flux-system/postgres: health check failed after 5m0s: "
        "timeout waiting for: [Deployment/postgres/postgres status: 'InProgress']",
        *[f"  {line}" for line in details],
        ENDING,
    ]
    assert states(result)["Kustomization postgres"] == "failed"


def test_pods_that_are_refused(run: Run, server: ApiServer, controllers: Any) -> None:
    text = 'pods "postgres-0" is forbidden: violates PodSecurity "restricted:latest"'
    item = flux.checking(flux.kustomization("postgres"), "postgres_postgres_apps_StatefulSet", "_postgres__Namespace")
    controllers.make(flux.source(), item, event("postgres", "StatefulSet", "FailedCreate", text, 1))
    result = run("flux_ready", kubeconfig=str(server.kubeconfig), revision=NEW, wait=False)
    assert lines(result) == [
        "Not all that Flux delivers is ready at revision latest@sha256:111111111111:",
        f"Kustomization flux-system/postgres: {CHECKING}",
        f"  event: FailedCreate: {text}",
        ENDING,
    ]


def test_a_chart_that_is_not_there(run: Run, server: ApiServer, controllers: Any) -> None:
    tag = "invalid chart reference: failed to get chart version for remote reference: no 'trino' chart found"
    inside = {"chart": "trino", "version": "9", "sourceRef": {"kind": "HelmRepository", "name": "trino"}}
    release = flux.made("HelmRelease", "trino", "trino", interval="1h", chart={"spec": inside})
    chart = flux.owned(
        flux.made("HelmChart", "trino-trino", "trino", interval="1h", **inside), "HelmRelease", "trino", "trino"
    )
    repository = flux.made("HelmRepository", "trino", "trino", type="oci", url="oci://registry.example/charts")
    broken = flux.failed(release, "SourceNotReady", f"HelmChart 'trino/trino-trino' is not ready: {tag}")
    member = "trino_trino_helm.toolkit.fluxcd.io_HelmRelease"
    service = flux.checking(flux.kustomization("trino"), member)
    controllers.make(flux.source(), service, repository, broken, flux.stalled(chart, "InvalidChartReference", tag))
    start = time.monotonic()
    result = run("flux_ready", kubeconfig=str(server.kubeconfig), revision=NEW, wait_timeout=60)
    assert time.monotonic() - start < 20
    assert lines(result)[1:-1] == [
        f"HelmChart trino/trino-trino: {tag}",
        f"Kustomization flux-system/trino waits for HelmChart trino/trino-trino: {CHECKING}",
        "HelmRelease trino/trino waits for HelmChart trino/trino-trino: "
        f"HelmChart 'trino/trino-trino' is not ready: {tag}",
    ]
    assert result["details"] == []


def test_a_source_that_cannot_be_pulled(run: Run, server: ApiServer, controllers: Any) -> None:
    text = "failed to determine artifact digest: GET http://registry.example/v2/: UNAUTHORIZED"
    controllers.make(flux.failed(flux.source(OLD), "OCIArtifactPullFailed", text), flux.applied(POSTGRES, OLD))
    result = run("flux_ready", kubeconfig=str(server.kubeconfig), revision=NEW, wait_timeout=2)
    assert lines(result)[1:-1] == [
        f"OCIRepository flux-system/platform: {text}",
        "Kustomization flux-system/postgres waits for OCIRepository flux-system/platform: "
        "is at revision latest@sha256:000000000000, not at latest@sha256:111111111111",
    ]


def test_what_is_suspended_is_shown_and_not_waited_for(run: Run, server: ApiServer, controllers: Any) -> None:
    controllers.make(flux.source(), flux.applied(DAGSTER), flux.applied(flux.kustomization("old", suspend=True), OLD))
    result = run("flux_ready", kubeconfig=str(server.kubeconfig), revision=NEW, wait_timeout=60)
    assert "failed" not in result
    assert states(result) == {
        "Kustomization dagster": "ready",
        "Kustomization old": "suspended",
        "OCIRepository platform": "ready",
    }


def test_one_read(run: Run, server: ApiServer, controllers: Any, tmp_path: Path) -> None:
    controllers.make(flux.source(), flux.checking(POSTGRES))
    wanted = {"kubeconfig": str(server.kubeconfig), "revision": NEW}
    expected = f"Kustomization flux-system/postgres: {CHECKING}"
    for result in (
        run("flux_ready", **wanted, wait=False, fail_when_unhealthy=False),
        run("flux_ready", True, **wanted),
    ):
        assert "failed" not in result and result["reason"] == expected
        assert states(result) == {"Kustomization postgres": "waiting", "OCIRepository platform": "ready"}
        assert "seconds" not in result["services"][0]
    absent = {"kubeconfig": str(tmp_path / "absent")}
    assert run("flux_ready", True, **absent)["services"] == []
    unknown = run("flux_ready", **absent)
    assert unknown["failed"] and unknown["msg"].startswith(f"kubeconfig {absent['kubeconfig']} cannot be used: ")


def test_who_may_not_read(run: Run, server: ApiServer, tmp_path: Path) -> None:
    (tmp_path / "nobody").write_text(server.kubeconfig.read_text().replace("token: secret", "token: ''"))
    result = run("flux_ready", kubeconfig=str(tmp_path / "nobody"), wait_timeout=60)
    assert result["failed"] and "forbidden" in result["msg"]


def test_an_api_that_does_not_answer(run: Run, server: ApiServer, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "dead").write_text(server.kubeconfig.read_text().replace(f":{server.port}", f":{port}"))
    result = run("flux_ready", kubeconfig=str(tmp_path / "dead"), wait=False, fail_when_unhealthy=False)
    assert "failed" not in result and result["services"] == []
    assert result["reason"].startswith(f"https://127.0.0.1:{port} does not answer: ")


def test_a_watch_that_is_refused_is_an_error(controllers: Any) -> None:
    path = "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations"
    with pytest.raises(ApiError, match=f"WATCH {path}: .*[Ii]nvalid"):
        next(controllers.cluster._watch(path, {"resourceVersion": "x"}, time.monotonic() + 5))


def test_progress(
    run: Run, server: ApiServer, controllers: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "SPEAK_SECONDS", 0.3)
    monkeypatch.setattr(watch.PROGRESS, "propagate", True)
    controllers.make(flux.source(), POSTGRES)
    broken = flux.failed(POSTGRES, "BuildFailed", "no such file")
    tried = [lambda: controllers.say(broken), lambda: controllers.say(flux.checking(POSTGRES))]
    controllers.later(0.15, *[lambda: None] * 5, *tried * 5, lambda: controllers.say(flux.applied(POSTGRES)))
    with caplog.at_level(logging.INFO, watch.PROGRESS.name):
        run("flux_ready", kubeconfig=str(server.kubeconfig), revision=NEW, wait_timeout=60)
    assert [record.getMessage() for record in caplog.records if record.name == watch.PROGRESS.name] == [
        "1 of 2 ready; waits for: postgres (its last change has not been observed yet)",
        "1 of 2 ready; waits for: postgres (no such file)",
    ]
