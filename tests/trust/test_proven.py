"""What was proven holds as long as the champion does that proved it, and ends with drift or an act of people."""

from __future__ import annotations

import pytest

from ledger.writing import decided, evaluated, scanned, submitted, trained
from noa_mlops.ledger import LedgerState, admit
from noa_mlops.records.proven import ProvenGain
from trust.test_incidents import enabled, investigated
from trust.test_rollback import rolling_back


def gain(limit, version):
    return {"roc_auc": {"limit": limit, "version": version}}


def add(ledger, proven, **changes):
    """One version more, with a decision that says what is proven once it is the champion."""
    version = ledger.append(submitted()).version
    for compose in (trained(version), evaluated(version)):
        ledger.append(compose)
    champion = ledger.state.lifecycle("rain").champion
    ledger.append(decided(version, replaces=champion, proven=proven, **changes))
    return version


def holds(ledger):
    proven = ledger.state.lifecycle("rain").proven
    return proven["roc_auc"] if proven else None


@pytest.fixture
def operator(ledger):
    return ledger.keys.signing_key("operator")


def test_what_the_champion_proved_holds_and_a_blocked_version_changes_nothing(ledger, layout):
    assert holds(ledger) is None
    assert ledger.state.lifecycle("rain").begins_anew
    add(ledger, gain(0.8, 1))
    assert holds(ledger) == ProvenGain(0.8, 1)
    assert not ledger.state.lifecycle("rain").begins_anew
    add(ledger, gain(0.9, 2))
    assert holds(ledger) == ProvenGain(0.9, 2)
    add(ledger, gain(0.1, 3), status="blocked", verdict="fail", reasons=["champion"])
    assert holds(ledger) == ProvenGain(0.9, 2)
    state = LedgerState()
    for line in layout.ledger.read_bytes().splitlines():
        state = admit(state, line)
    assert state == ledger.state


def test_a_decision_of_an_older_version_proves_nothing(ledger):
    add(ledger, None)
    assert holds(ledger) is None


def test_a_champion_that_is_brought_back_brings_back_what_held_then(ledger, operator):
    add(ledger, gain(0.8, 1))
    add(ledger, gain(0.9, 2))
    ledger.append(rolling_back(1, operator))
    assert holds(ledger) == ProvenGain(0.8, 1)


def test_nothing_holds_while_an_incident_is_open_and_what_is_enabled_after_it_begins_anew(ledger, operator):
    add(ledger, gain(0.9, 1))
    ledger.append(scanned(verdict="fail", certain=True, status="blocked"))
    assert holds(ledger) is None
    assert ledger.state.lifecycle("rain").begins_anew
    ledger.append(investigated(operator))
    version = add(ledger, gain(0.7, 2), status="blocked", reasons=["drift"])
    assert holds(ledger) is None
    ledger.append(enabled(version, operator))
    assert holds(ledger) == ProvenGain(0.7, 2)


def test_a_version_that_was_held_for_a_look_and_is_enabled_is_held_to_what_its_decision_says(ledger, operator):
    add(ledger, gain(0.9, 1))
    version = add(ledger, gain(0.9, 1), status="blocked", reasons=["champion", "approval"])
    ledger.append(enabled(version, operator))
    assert holds(ledger) == ProvenGain(0.9, 1)
