"""The versions of a lifecycle are a value: each change makes a new one, whatever their number."""

from __future__ import annotations

import pytest

from noa_mlops.ledger.state import Versions, VersionState


def version(number, status="submitted"):
    return VersionState(number, status, "command", f"rain-{number}", "0" * 64, None, (number,))


def grown(count):
    versions = Versions()
    for number in range(1, count + 1):
        versions = versions.put(version(number))
    return versions


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 1023, 1024, 1025, 33_000])
def test_each_version_stands_in_its_place_however_many_there_are(count):
    versions = grown(count)
    assert len(versions) == count
    assert [found.version for found in versions.values()] == list(range(1, count + 1))
    assert versions.get(0) is None
    assert versions.get(count + 1) is None


@pytest.mark.parametrize("number", [1, 32, 33, 1024, 1025, 1100])
def test_what_was_known_before_a_change_stays_as_it_was(number):
    before = grown(1100)
    after = before.put(version(number, "failed"))
    assert (before[number].status, after[number].status) == ("submitted", "failed")
    assert [other for other in before if before[other] is not after[other]] == [number]
