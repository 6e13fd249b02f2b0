# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What needs no registry: the same bytes for the same files, names, what may be shown."""

import gzip
import io
import json
import tarfile
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.oci import archive as oci_archive
from ansible_collections.opendata.platform.plugins.module_utils.oci import artifact as oci_artifact
from hypothesis import given, settings
from hypothesis import strategies as some

SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": "very-secret"}}
PART = some.sampled_from(["a", "a.b", "-", "ä", "platform", "manifests.yaml", "n" * 120])
PATH = some.lists(PART, min_size=1, max_size=4).map("/".join)
FILES = some.dictionaries(PATH, some.text(max_size=50), min_size=1, max_size=8)


def test_the_digest_is_the_same_on_every_machine() -> None:
    artifact = oci_artifact.flux({"services/dagster/manifests.yaml": "kind: Namespace\n", "platform/ä.yaml": "{}\n"})
    assert artifact.manifest.digest == "sha256:e9717dcdb94acbc2b3cc67181466e03c71156447f54ac873abcb96fcbd65b743"


def test_the_manifest_is_what_flux_makes() -> None:
    artifact = oci_artifact.flux({"a.yaml": "a: 1\n"})
    manifest = json.loads(artifact.manifest.data)
    config, layer = artifact.blobs
    assert manifest == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.cncf.flux.config.v1+json",
            "size": len(config.data),
            "digest": config.digest,
        },
        "layers": [
            {
                "mediaType": "application/vnd.cncf.flux.content.v1.tar+gzip",
                "size": len(layer.data),
                "digest": layer.digest,
            }
        ],
    }
    [diff_id] = json.loads(config.data)["rootfs"]["diff_ids"]
    assert diff_id == oci_artifact.Blob("", gzip.decompress(layer.data)).digest


def test_nothing_of_the_machine_is_in_the_layer() -> None:
    layer = oci_artifact.flux({"b": "2", "a/b": "1"}).blobs[1].data
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        entries = archive.getmembers()
    assert [entry.name for entry in entries] == ["a/b", "b"]
    assert {(e.mtime, e.uid, e.gid, e.uname, e.gname, e.mode) for e in entries} == {(0, 0, 0, "", "", 0o644)}


@settings(deadline=None)  # the machine may be busy
@given(FILES, some.randoms(use_true_random=False))
def test_the_order_of_the_files_does_not_matter(files: dict[str, str], random: Any) -> None:
    shuffled = list(files.items())
    random.shuffle(shuffled)
    artifact = oci_artifact.flux(files)
    assert oci_artifact.flux(dict(shuffled)) == artifact
    unpacked = oci_archive.unpack(artifact.blobs[1].data)
    assert {path: data.decode() for path, data in unpacked.items()} == files


@pytest.mark.parametrize("size", [1, 65535, 65536, 200000])
def test_gzip_can_be_read_by_others(size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    assert gzip.decompress(oci_archive.gzip(data)) == data


@pytest.mark.parametrize(
    ("files", "findings"),
    [
        ({"a/b.yaml": "", "a.b/c": ""}, []),
        ({}, ["files is empty: Flux would prune all that it applied before. Set at least one file"]),
        ({"/a": ""}, ["files: '/a' is absolute: write it relative to the root of the tree"]),
        ({"../x": ""}, ["files: '../x' leaves the tree: write it without .."]),
        ({"a/../../x": ""}, ["files: 'a/../../x' leaves the tree: write it without .."]),
        ({"a../x": ""}, ["files: 'a../x' leaves the tree: write it without .."]),
        ({"a/..": ""}, ["files: 'a/..' does not name a file"]),
        ({"..": ""}, ["files: '..' leaves the tree: write it without .."]),
        ({"": ""}, ["files: '' does not name a file"]),
        ({"a/": ""}, ["files: 'a/' does not name a file"]),
        ({"a\\b": ""}, ["files: 'a\\b' is not a path: use printable characters and / between folders"]),
        ({"a\n": ""}, ["files: 'a\n' is not a path: use printable characters and / between folders"]),
        ({"a": {"b": 1}}, ["files: 'a' is not text but dict"]),
        ({"./a": ""}, ["files: './a' is not in its shortest form: write 'a'"]),
        ({"./a": "", "a": ""}, ["files: './a' and 'a' are the same file: keep one of them"]),
        ({"a": "", "a/b/c": ""}, ["files: 'a' is both a file and the folder of 'a/b/c': rename one"]),
        (
            {"/a": "", "./b": ""},
            [
                "files: '/a' is absolute: write it relative to the root of the tree",
                "files: './b' is not in its shortest form: write 'b'",
            ],
        ),
    ],
)
def test_what_cannot_be_published(files: dict[str, Any], findings: list[str]) -> None:
    assert oci_archive.findings(files) == findings


def test_what_is_no_archive() -> None:
    with pytest.raises(ValueError, match="is not a gzipped tar"):
        oci_archive.unpack(b"kind: Namespace")
    with pytest.raises(ValueError, match="is not a gzipped tar"):
        oci_archive.unpack(oci_archive.gzip(oci_archive.tar({"a": b"x" * 9000}))[:5000])


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("127.0.0.1:5001/odp/local/north:latest", ("127.0.0.1:5001", "odp/local/north", "latest")),
        ("[::1]:5001/a:b", ("[::1]:5001", "a", "b")),
        (
            "registry.example.org/charts/cilium:1.20.2+build.1",
            ("registry.example.org", "charts/cilium", "1.20.2_build.1"),
        ),
    ],
)
def test_a_reference(text: str, parts: tuple[str, str, str]) -> None:
    assert oci_artifact.reference(text) == parts


@pytest.mark.parametrize("text", ["a/b", "oci://a/b:c", "a/B:c", "a:c", "a/b:c@sha256:0", "a//b:c", "a/b:-c", ""])
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(ValueError, match="is not host:port/repository:tag: write it without oci:// and digest"):
        oci_artifact.reference(text)


def test_the_diff_shows_what_changes_and_no_secret() -> None:
    other = {**SECRET, "stringData": {"password": "other-secret"}}
    same = "kind: Namespace\n"
    [gone, made, secret] = oci_archive.diff(
        {"gone": "a: 1\n", "same": same, "secret": f"---\n{same}---\n{yaml.safe_dump(SECRET)}"},
        {"made": "b: 1 # why\n", "same": same, "secret": yaml.safe_dump({"kind": "List", "items": [other]})},
    )
    assert gone == {"before_header": "gone", "after_header": "gone", "before": "a: 1\n", "after": ""}
    assert (made["before"], made["after"]) == ("", "b: 1 # why\n")
    assert "password: sha256:" in secret["before"] and "password: sha256:" in secret["after"]
    assert secret["before"].split("password: ")[1] != secret["after"].split("password: ")[1]
    assert "very-secret" not in str(secret) and "other-secret" not in str(secret)


@pytest.mark.parametrize("text", ["kind: Secret\ndata: [very-secret]\n", "kind: Secret\n\tdata: very-secret\n"])
def test_what_cannot_be_judged_is_not_shown(text: str) -> None:
    [entry] = oci_archive.diff({}, {"a": text})
    assert entry["after"].startswith("not valid YAML, not shown, sha256:")
