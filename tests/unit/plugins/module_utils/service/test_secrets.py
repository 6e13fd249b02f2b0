# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Values of Secrets come from the fleet's key and their path alone."""

import hashlib
import hmac
import string

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.service.secrets import bucket_of_peer, derived, secrets

from service_examples import CONTEXT, case, manifests, notebook, provider

KEY = "0123456789abcdef0123456789abcdef"


def hkdf(key: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 as it is written there, with no salt."""
    extracted = hmac.digest(bytes(hashlib.sha256().digest_size), key, "sha256")
    block, stream = b"", b""
    for counter in range(1, length // 32 + 2):
        block = hmac.digest(extracted, block + info + bytes([counter]), "sha256")
        stream += block
    return stream[:length]


def test_the_derivation_is_the_documented_one() -> None:
    alphabet = string.ascii_letters + string.digits
    number = int.from_bytes(hkdf(KEY.encode(), b"north/notebook/notebook-admin/password", 40), "big")
    expected = "".join(alphabet[number // 62**place % 62] for place in range(24))
    assert derived(KEY.encode(), "north/notebook/notebook-admin/password", {"length": 24}) == expected
    assert expected == "vOHosTSHGQlJ7fyWXaz4IlR7"


def test_hex_and_prefix() -> None:
    value = derived(KEY.encode(), "path", {"length": 24, "characters": "hex", "prefix": "GK"})
    assert value.startswith("GK") and len(value) == 26
    assert int(value[2:], 16)


def test_every_character_is_used_and_none_more_than_by_chance() -> None:
    value = derived(KEY.encode(), "path", {"length": 1024})
    counts = {each: value.count(each) for each in string.ascii_letters + string.digits}
    assert sum(counts.values()) == 1024
    # Expected 16.5 each; 45 would be seven standard deviations away.
    assert min(counts.values()) >= 1 and max(counts.values()) < 45


def test_each_part_of_the_path_makes_another_value() -> None:
    recipes = manifests(*case("local"))["secrets"]
    values = [
        text
        for key, cluster in ((KEY, "north"), (KEY, "south"), (KEY[::-1], "north"))
        for secret in secrets(recipes, key, cluster)
        # The copies beside the database and the store hold the same.
        if secret["metadata"]["namespace"] == "notebook"
        for name, text in secret["stringData"].items()
        if name in ("password", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    ]
    assert len(values) == len(set(values)) == 3 * 4


def test_the_provider_has_the_same_values_as_the_service() -> None:
    made = {
        (secret["metadata"]["namespace"], secret["metadata"]["name"]): secret["stringData"]
        for secret in secrets(manifests(*case("local"))["secrets"], KEY, "north")
    }
    assert made["notebook", "notebook-database"] == made["postgres", "notebook-database"]
    assert made["notebook", "notebook-bucket"] == made["garage", "notebook-bucket"]


@pytest.mark.parametrize(("name", "store"), [("local", "garage"), ("cloud", "minio")])
def test_a_peer_has_the_values_of_the_owners_own_namespace(name: str, store: str) -> None:
    own = next(
        secret
        for secret in secrets(manifests(*case(name))["secrets"], KEY, "north")
        if secret["metadata"] == {"name": "notebook-bucket", "namespace": "notebook"}
    )
    there = {"name": "notebook-bucket", "namespace": "elsewhere"}
    assert bucket_of_peer(store, KEY, "north", "notebook", "elsewhere") == {**own, "metadata": there}


def test_a_name_with_a_hyphen_is_a_role_without() -> None:
    releases = [notebook(name="note-book", namespace="notes", database=True, route=None), provider("postgres")]
    [own, _] = secrets(manifests(releases, CONTEXT)["secrets"], KEY, "north")
    data = own["stringData"]
    assert own["metadata"] == {"name": "note-book-database", "namespace": "notes"}
    assert (data["username"], data["database"]) == ("note_book", "note_book")
    assert data["uri"] == f"postgresql://note_book:{data['password']}@postgres.postgres:5432/note_book"


def test_line_ends_of_the_keys_file_do_not_matter() -> None:
    recipes = manifests(*case("local"))["secrets"]
    assert secrets(recipes, f"{KEY}\n", "north") == secrets(recipes, KEY, "north")


def test_a_key_that_can_be_guessed_is_refused_without_showing_it() -> None:
    with pytest.raises(ValueError, match="the fleet's key has 5 characters, it needs at least 32") as refused:
        secrets([], "short\n", "north")
    assert "short" not in str(refused.value)
