# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Each fault of a description is told in these words."""

from typing import Any
from unittest.mock import ANY

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.service.tree import render

from service_examples import CONTEXT, case, charts, entry, findings, notebook, provider

KNOWN = (
    "Known: backup, bucket, chart, clients, database, manifests, monitoring, name, namespace, overrides, pod_security, "
    "requires, route, secrets, timeout, values."
)
CHART = {"repo": "oci://example.org/charts", "name": "notebook", "version": "1.2.3"}
ROUTE = {"port": 80, "sso": "native"}


def of_chart(**changes: str) -> dict[str, Any]:
    return notebook(manifests=None, chart={**CHART, **changes})


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": (
        notebook(databse=True),
        f"databse: is not a known key (role notebook). Did you mean database? {KNOWN}",
    ),
    "no name": (
        notebook(name=None, route={**ROUTE, "service": "notebook"}),
        "name: is missing (role notebook). Set it to a string.",
    ),
    "bad name": (
        notebook(name="Note_book"),
        "name: 'Note_book' is not a valid name (role notebook). Use at most 53 characters a-z, 0-9 and '-'.",
    ),
    "taken name": (
        notebook(name="platform", route={**ROUTE, "service": "notebook"}),
        "name: 'platform' is reserved for the platform (role notebook). Choose another name.",
    ),
    "bad namespace": (
        notebook(namespace="note.book"),
        "namespace: 'note.book' is not a valid name (role notebook). Use at most 53 characters a-z, 0-9 and '-'.",
    ),
    "namespace of the cluster": (
        notebook(namespace="kube-system"),
        "namespace: 'kube-system' is a namespace of the cluster itself (role notebook). "
        "Remove it: the service's name is the default.",
    ),
    "wrong kind": (
        notebook(database="yes"),
        "database: 'yes' is not true or false (role notebook). Set it to true or false.",
    ),
    "wrong kinds": (
        notebook(bucket="notebook"),
        "bucket: 'notebook' is not true or false or a list (role notebook). Set it to true or false or a list.",
    ),
    "truth is no number": (
        notebook(timeout=True),
        "timeout: True is not an integer (role notebook). Set it to an integer.",
    ),
    "neither chart nor manifests": (
        notebook(manifests=None),
        ": has neither chart nor manifests (role notebook). "
        "Set exactly one: chart for an upstream chart, manifests for a template of the role.",
    ),
    "chart and manifests": (
        notebook(chart=CHART),
        ": has both chart and manifests (role notebook). "
        "Set exactly one: chart for an upstream chart, manifests for a template of the role.",
    ),
    "key of a chart": (
        of_chart(versoin="1"),
        "chart.versoin: is not a known key (role notebook). Did you mean version? Known: name, repo, version.",
    ),
    "range of charts": (
        of_chart(version="1.x"),
        "chart.version: '1.x' is not an exact version (role notebook). "
        "Pin one, such as 1.2.3: a range resolves to another version over time.",
    ),
    "place of charts": (
        of_chart(repo="http://example.org"),
        "chart.repo: 'http://example.org' is not a chart repository (role notebook). Set an address oci://… or https://…",
    ),
    "chart without version": (
        notebook(manifests=None, chart={"repo": CHART["repo"], "name": "notebook"}),
        "chart.version: is missing (role notebook). Set it to a string.",
    ),
    "route without sso": (notebook(route={"port": 80}), "route.sso: is missing (role notebook). Set it to a string."),
    "unknown sso": (
        notebook(route={**ROUTE, "sso": "natvie"}),
        "route.sso: 'natvie' is unknown (role notebook). Did you mean native? Known: native, none, proxy.",
    ),
    "no sso without reason": (
        notebook(route={"port": 80, "sso": "none"}),
        "route.reason: is missing (role notebook). State why no sign-on is needed.",
    ),
    "no port": (
        notebook(route={**ROUTE, "port": 70000}),
        "route.port: 70000 is not a port (role notebook). Set a port of the Service, from 1 to 65535.",
    ),
    "bad host": (
        notebook(route={**ROUTE, "host": "note.book"}),
        "route.host: 'note.book' is not a DNS label (role notebook). "
        "Set one label below the fleet's domain: a-z, 0-9 and '-'.",
    ),
    "port of no Service": (
        notebook(route={**ROUTE, "port": 81}),
        "route: no Service in its manifests has port notebook:81 (role notebook). "
        "Did you mean notebook:80? Known: notebook:80.",
    ),
    "bad bucket": (
        notebook(bucket=["Data"]),
        "bucket: 'Data' is not a valid bucket name (role notebook). Use 3 to 63 characters a-z, 0-9 and '-'.",
    ),
    "Secret of ours": (
        notebook(secrets={"database": {"x": "y"}}),
        "secrets.database: is not a valid name of a Secret (role notebook). "
        "Use a-z, 0-9 and '-'; database and bucket are reserved.",
    ),
    "Secret without keys": (
        notebook(secrets={"admin": "x"}),
        "secrets.admin: 'x' is not a mapping (role notebook). Set the Secret's keys, each with its value.",
    ),
    "number as a value": (
        notebook(secrets={"admin": {"port": 1234567}}),
        "secrets.admin.port: a value of type int is neither a string nor a rule (role notebook). "
        "Set a string, or {length: 32} for a generated value.",
    ),
    "short password": (
        notebook(secrets={"admin": {"password": {"length": 8}}}),
        "secrets.admin.password.length: 8 is out of range (role notebook). Set a number from 16 to 1024.",
    ),
    "unknown characters": (
        notebook(secrets={"admin": {"password": {"length": 16, "characters": "hx"}}}),
        "secrets.admin.password.characters: 'hx' is unknown (role notebook). Did you mean hex? Known: hex, letters.",
    ),
    "requirement without a name": (
        notebook(requires=[1]),
        "requires: 1 is not a string (role notebook). List names of services of this cluster.",
    ),
    "requirement switched off": (
        notebook(requires=["postgers"]),
        "requires: 'postgers' is not enabled (role notebook). Add it to cluster_services of north. "
        "Did you mean postgres? Known: garage, notebook, postgres.",
    ),
    "unknown level": (
        notebook(pod_security="strict"),
        "pod_security: 'strict' is unknown (role notebook). Did you mean restricted? "
        "Known: baseline, privileged, restricted.",
    ),
    "unknown word for clients": (
        notebook(clients="fleets"),
        "clients: 'fleets' is unknown (role notebook). Did you mean fleet? Known: all, fleet.",
    ),
    "word among clients": (
        notebook(clients=["all"]),
        "clients: 'all' is not a namespace (role notebook). "
        "List namespaces, or set 'all' or 'fleet' in place of the list.",
    ),
    "monitoring without port": (
        notebook(monitoring={"path": "/"}),
        "monitoring.port: is missing (role notebook). Set it to a string.",
    ),
    "no time": (
        notebook(timeout=0),
        "timeout: 0 is out of range (role notebook). Set 1 to 3600 seconds.",
    ),
    "long timeout": (
        notebook(timeout=9999),
        "timeout: 9999 is out of range (role notebook). Set 1 to 3600 seconds.",
    ),
    "circle of one": (
        notebook(requires=["notebook"]),
        "requires: is circular: notebook -> notebook (role notebook). Remove one of these requirements.",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault(name: str) -> None:
    faulty, expected = FAULTS[name]
    subject = faulty["release"].get("name", "notebook")
    prefix = f"{subject}: service_release" + ("" if expected.startswith(":") else ".")
    assert findings([faulty, provider("postgres"), provider("garage")], CONTEXT) == [prefix + expected]


def test_an_override_that_the_template_does_not_know() -> None:
    faulty = notebook(values={"replicas": 1, "limits": {}}, overrides={"repliccas": 2, "limits": {"cpu": 1}})
    words = (
        "'repliccas' is not a value of this service (role notebook). Did you mean replicas? Known: limits, replicas."
    )
    assert findings([faulty], CONTEXT) == [f"notebook: notebook_values: {words}"]


@pytest.mark.parametrize(("key", "needed"), [("chart", ["name", "repo", "version"]), ("route", ["port", "sso"])])
def test_an_empty_mapping_lacks_everything(key: str, needed: list[str]) -> None:
    found = findings([notebook(**{"manifests": None, "chart": CHART, key: {}})], CONTEXT)
    assert [line.split(": ")[1] for line in found] == [f"service_release.{key}.{each}" for each in needed]


def test_a_chart_takes_any_override() -> None:
    assert findings([notebook(manifests=None, chart=CHART, overrides={"anything": 1})], CONTEXT) == []


@pytest.mark.parametrize(("noun", "provider_name"), [({"database": True}, "postgres"), ({"bucket": True}, "garage")])
def test_a_noun_needs_what_provides_it(noun: dict[str, Any], provider_name: str) -> None:
    [found] = findings([notebook(**noun)], CONTEXT)
    assert found == (
        f"notebook: service_release.requires: '{provider_name}' is not enabled (role notebook). "
        "Add it to cluster_services of north. Known: notebook."
    )
    assert findings([notebook(**noun), provider(provider_name)], CONTEXT) == []


def test_what_two_services_may_not_share() -> None:
    other = {"namespace": "notebook", "bucket": ["data"], "route": {**ROUTE, "host": "notebook", "service": "notebook"}}
    twin = notebook(name="twin", **other)
    twin["role"] = "twin"
    assert findings([twin, notebook(bucket=["data"]), provider("garage")], CONTEXT) == [
        f"twin: service_release.{key}: '{value}' is already used by notebook (role notebook) (role twin). "
        "Give each service its own."
        for key, value in (("namespace", "notebook"), ("route.host", "notebook"))
    ]


def test_two_services_of_one_name() -> None:
    twins = [entry(role, provider("one")["rendered"], name="one", manifests="x.yml.j2") for role in ("b", "a")]
    assert findings(twins, CONTEXT) == [
        f"one: service_release.{key}: 'one' is already used by one (role a) (role b). Give each service its own."
        for key in ("name", "namespace")
    ]


def test_a_circle_is_told_once_from_its_least_name() -> None:
    # Found from a, which is no part of it.
    needs = {"a": ["d"], "d": ["c"], "c": ["b"], "b": ["d"]}
    found = findings([provider(name, requires=requires) for name, requires in needs.items()], CONTEXT)
    assert found == [
        "b: service_release.requires: is circular: b -> d -> c -> b (role b). Remove one of these requirements."
    ]


def test_a_route_without_its_proxy_is_refused_only_where_there_is_a_gateway() -> None:
    guarded = notebook(route={"port": 80, "sso": "proxy"})
    assert findings([guarded], CONTEXT) == []
    assert findings([guarded], {**CONTEXT, "gateway": True}) == [
        "notebook: service_release.route.sso: there is no authenticating proxy yet "
        "(role notebook). Use native where the service authenticates users itself, or remove the route."
    ]


def test_what_differs_from_the_declaration_of_the_role() -> None:
    others = [provider("postgres"), provider("garage")]
    known = [{"name": name, "features": []} for name in ("postgres", "garage")]
    context = {**CONTEXT, "declared": [*known, {"name": "notebook", "features": ["bucket"]}]}
    assert findings([notebook(bucket=True), *others], context) == []
    assert findings([notebook(database=True), *others], context) == [
        "notebook: service_release.database: is not declared (role notebook). "
        "Add database to features in meta/service.yml of the role."
    ]
    assert findings([notebook(), *others], {**CONTEXT, "declared": [*known, {"name": "notes", "features": []}]}) == [
        "notebook: service_release.name: no role of this cluster declares 'notebook' (role notebook). "
        "Set name in meta/service.yml of the role. Did you mean notes? Known: garage, notes, postgres."
    ]


def test_all_findings_of_all_services_at_once_in_a_stable_order() -> None:
    releases = [notebook("kind: [", pod_security="strict", timeout=0), *charts(), provider("postgres", requires=["x"])]
    releases.append(entry("broken", "a: b", name="broken", manifests="broken.yml.j2"))
    found = findings(releases, CONTEXT)
    assert [line.split(":")[0] for line in found] == ["broken", "notebook", "notebook", "postgres"]
    assert findings(releases[::-1], CONTEXT) == found
    assert render(releases, CONTEXT) == {"files": {}, "secrets": [], "namespaces": [], "findings": ANY}


def test_the_examples_are_sound() -> None:
    for name in ("local", "cloud"):
        assert findings(*case(name)) == []
