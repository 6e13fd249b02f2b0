# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Which encrypted files are refused, and what becomes of others. SOPS 3.11 wrote those of tests/fixtures/secrets."""

from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.flux import sops

from repository import TESTS

FIXTURES = TESTS / "fixtures/secrets"
GOOD = (FIXTURES / "warehouse.sops.yaml").read_text()
WHOLE = (FIXTURES / "whole-file-encrypted.sops.yaml").read_text()
KEY = (FIXTURES / "only-for-tests.age.key").read_text()
SECRETS = "/fleet/test/secrets"
ENCRYPT = "sops encrypt --in-place --age PUBLIC-KEY --encrypted-regex '^(data|stringData)$'"


def changed(**changes: Any) -> str:
    """The good file with other keys; None takes one away."""
    document = {**yaml.safe_load(GOOD), **changes}
    return yaml.safe_dump({key: value for key, value in document.items() if value is not None})


def findings(files: dict[str, str], key: str = KEY, namespaces: tuple[str, ...] = ("postgres",)) -> list[str]:
    paths = {f"{SECRETS}/{name}": text for name, text in files.items()}
    found = sops.findings(paths, key, [*namespaces], "/fleet/test/.state/age.key")
    return [str(each).replace(f"{SECRETS}/", "") for each in found]


def test_what_sops_wrote_is_accepted() -> None:
    assert findings({"warehouse.sops.yaml": GOOD}) == []
    assert findings({}, key="") == []
    other = changed(metadata={"name": "other", "namespace": "flux-system"})
    assert findings({"several.sops.yaml": f"{GOOD}---\n{other}"}) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (changed(sops=None), f"is not encrypted, it has no key sops. Run {ENCRYPT} a.sops.yaml"),
        ("just: [a, list]\n", f"is not encrypted, it has no key sops. Run {ENCRYPT} a.sops.yaml"),
        (f"{GOOD}---\n{changed(sops=None)}", f"is not encrypted, it has no key sops. Run {ENCRYPT} a.sops.yaml"),
        (
            WHOLE,
            "is not a Secret with apiVersion, kind and metadata in plain text. "
            f"Decrypt it, then run {ENCRYPT} a.sops.yaml",
        ),
        (changed(kind="ConfigMap"), "is not a Secret with apiVersion, kind and metadata in plain text"),
        (
            changed(data={"FILE": "aGVsbG8="}, stringData={"password": "word", "user": "ENC[AES256_GCM,data:x]"}),
            "data.FILE, stringData.password is in plain text. Replace values that others may have seen, then run "
            f"{ENCRYPT} a.sops.yaml",
        ),
        (
            changed(sops={"pgp": [{}], "age": []}),
            "is not encrypted for an age key, the only kind that Flux has. "
            "Run sops rotate --in-place --add-age PUBLIC-KEY a.sops.yaml",
        ),
        (
            changed(metadata={"name": "a", "namespace": "dagster"}),
            "this cluster has no namespace 'dagster' (default, flux-system, kube-system, postgres). "
            "Enable its service, or move the file to secrets/CLUSTER/ of the cluster that has the namespace.",
        ),
        (changed(metadata={"name": "a"}), "this cluster has no namespace ''"),
        ("{", "is not valid YAML. Write it again, and encrypt it."),
        ("", "is empty. Remove it."),
    ],
)
def test_what_cannot_be_published_is_refused(text: str, words: str) -> None:
    found = [each for each in findings({"a.sops.yaml": text}) if words in each]
    assert len(found) == 1 and found[0].startswith("a.sops.yaml: "), findings({"a.sops.yaml": text})


def test_a_value_in_clear_is_not_shown() -> None:
    assert "word" not in str(findings({"a.sops.yaml": changed(stringData={"key": "word"})})).replace("password", "")


def test_all_findings_are_told_at_once() -> None:
    files = {"b.sops.yaml": WHOLE, "a.sops.yaml": changed(sops=None), "plain.yaml": "kind: Secret\n"}
    found = findings(files, key="")
    assert [each.split(": ")[0] for each in found] == [
        "a.sops.yaml",
        "b.sops.yaml",
        "b.sops.yaml, a.sops.yaml, plain.yaml",
        "plain.yaml",
    ]
    assert (
        "there is no age key to decrypt them. Run age-keygen -o /fleet/test/.state/age.key, or set flux_age_key"
        in found[2]
    )
    assert "is not named *.sops.yaml. Encrypt it and name it *.sops.yaml" in found[3]


def test_a_key_that_is_none_is_not_shown() -> None:
    [found] = findings({"a.sops.yaml": GOOD}, key="age1abc")
    assert "the age key has no line AGE-SECRET-KEY-1" in found and "age1abc" not in found


def test_one_secret_stands_in_one_file() -> None:
    found = findings({"a.sops.yaml": GOOD, "b.sops.yaml": GOOD})
    words = f"b.sops.yaml: Secret default/warehouse is also in {SECRETS}/a.sops.yaml. Remove one of them."
    assert found == [words.replace(f"{SECRETS}/", "")]


def test_ciphertext_is_published_as_it_is_and_a_clusters_own_file_wins() -> None:
    own = changed(metadata={"name": "warehouse", "namespace": "flux-system"})
    files = {"/s/warehouse.sops.yaml": GOOD, "/s/readme": "no", "/s/north/warehouse.sops.yaml": own}
    assert sops.published(files, "kustomization\n") == {
        "platform/secrets.yaml": "kustomization\n",
        "services/secrets/warehouse.sops.yaml": own,
    }
    assert sops.published({"/s/warehouse.sops.yaml": GOOD}, "")["services/secrets/warehouse.sops.yaml"] == GOOD
    assert sops.published({}, "kustomization\n") == {}
    assert findings({"a.sops.yaml": changed(sops=None), "north/a.sops.yaml": GOOD}) == []
