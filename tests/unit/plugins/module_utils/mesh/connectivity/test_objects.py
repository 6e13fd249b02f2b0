# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Who answers a global Service: what is expected, how an answer reads, when it counts."""

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.mesh.connectivity import objects
from hypothesis import example, given
from hypothesis import strategies as st

BOTH = frozenset({"north", "south"})
ANSWERS = st.lists(st.sampled_from(["north", "south", "west", "error: timeout"]), max_size=40)


def judge(expected: frozenset[str], count: int, answers: list[str]) -> objects.Judge:
    """A judge that heard these answers, as long as it asked for more."""
    found = objects.Judge(expected, count)
    for answer in answers:
        if not found.done:
            found.hear(answer)
    return found


@pytest.mark.parametrize(
    ("mode", "names"),
    [("all", BOTH), ("local", {"north"}), ("remote", {"south"}), ("fallback", {"south"})],
)
def test_who_must_answer(mode: str, names: set[str]) -> None:
    assert objects.expected(mode, "north", ["south"]) == names
    assert objects.expected(mode, "north", ["north", "south"]) == names


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (("200 OK 3.303ms south pod=server-5b8-cm from=10.1.0.248:39072\n", "", 0), "south"),
        (("200 OK 1ms south pod=x from=[fd00::1]:39072\n", "", 0), "south"),
        (
            ("", 'testserver: Get "http://server/": dial tcp 10.2.0.1:80: connect: connection refused\n', 1),
            'error: Get "http://server/": dial tcp 10.2.0.1:80: connect: connection refused',
        ),
        (("503 Service Unavailable 1ms south pod=x from=y\n", "testserver: answered 503\n", 1), "error: answered 503"),
        (("200 OK 1ms hello\n", "", 0), "error: 200 OK 1ms hello"),
        (("", "", 137), "error: exit status 137"),
    ],
)
def test_an_answer_is_a_name_or_the_reason_for_none(answer: tuple[str, str, int], name: str) -> None:
    assert objects.said(*answer) == name


def test_wrong_answers_before_the_row_are_the_datapath_catching_up() -> None:
    found = judge(frozenset({"north"}), 3, ["south", "north", "error: x", "north", "south", *["north"] * 6])
    assert found.ok
    assert found.found == "north 3"
    assert found.wrong("local", "north", 1) == ""


def test_one_wrong_answer_while_confirming_is_one_too_many() -> None:
    found = judge(frozenset({"north"}), 3, [*["north"] * 4, "south", "north"])
    assert (found.done, found.ok) == (True, False)
    assert found.wrong("local", "north", 1) == (
        "cluster north, mode local: expected answers from north only after it had been right, found north 2, south 1"
    )


def test_a_cluster_that_never_answers_is_named() -> None:
    found = judge(BOTH, 3, ["north"] * 50)
    assert found.wrong("all", "north", 60) == (
        "cluster north, mode all: expected answers from north and south only in 60 s, found north 3; nothing from south"
    )


def test_errors_are_told_as_they_are() -> None:
    found = judge(frozenset({"south"}), 2, ["error: connection refused"] * 3)
    assert found.wrong("remote", "north", 60) == (
        "cluster north, mode remote: expected answers from south only in 60 s, found error: connection refused 2; "
        "nothing from south"
    )


def test_nothing_was_heard() -> None:
    assert objects.Judge(BOTH, 3).found == "nobody"


@given(expected=st.sampled_from([BOTH, frozenset({"north"})]), count=st.integers(1, 4), answers=ANSWERS)
@example(expected=BOTH, count=1, answers=["north", "south", "north"])
def test_well_means_a_complete_row_and_as_many_again_without_a_wrong_one(
    expected: frozenset[str], count: int, answers: list[str]
) -> None:
    found = judge(expected, count, answers)
    rows = (answers[:end] for end in range(len(answers) + 1))
    ends = [len(row) for row in rows if _complete(row, expected, count)]
    confirming = answers[ends[0] : ends[0] + count] if ends else []
    assert found.settled == bool(ends)
    assert found.done == (len(confirming) == count)
    assert found.ok == (found.done and {*confirming} <= expected)
    assert (found.wrong("all", "north", 1) == "") == found.ok


def _complete(row: list[str], expected: frozenset[str], count: int) -> bool:
    wrong = [number for number, answer in enumerate(row, start=1) if answer not in expected]
    good = row[wrong[-1] if wrong else 0 :]
    return len(good) >= count and {*good} == expected


def test_pods_of_the_test_may_do_nothing_but_serve_and_ask() -> None:
    namespace, deployment, _service, client = objects.manifests("north", "image:1", "none", 1)
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for pod in (deployment["spec"]["template"]["spec"], client["spec"]):
        assert pod["automountServiceAccountToken"] is False
        [container] = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert set(container["resources"]["limits"]) == {"cpu", "memory"}
