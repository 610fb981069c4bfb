"""What people decide reaches subscribers and brokers: one event for each act, with who signed it and what it is about."""

from __future__ import annotations

import json
import re
from datetime import datetime

import pytest
from jsonschema import Draft202012Validator

from ledger.writing import BYTES
from noa_mlops.audit.cloud_events import cloud_event
from noa_mlops.ledger import policy_digest
from noa_mlops.lifecycle.history import told_of
from noa_mlops.records.documents import sha256
from trust.deciding import changing, new_key, with_key
from trust.test_deployments import deployed
from trust.test_incidents import REPORT
from trust.test_order_of_the_rollout import Rollout, walk
from trust.test_overrides import overriding, within
from trust.test_redaction import redacting
from trust.test_rollback import rolling_back

TEXT = {"type": "string", "minLength": 1}
CLOUD_EVENT = Draft202012Validator(
    {
        "type": "object",
        "required": ["specversion", "id", "source", "type"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": TEXT,
            "source": {**TEXT, "pattern": r"^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$"},
            "type": TEXT,
            "subject": TEXT,
            "time": {**TEXT, "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"},
            "datacontenttype": {**TEXT, "pattern": "^[a-z]+/[a-z0-9.+-]+$"},
            "dataschema": TEXT,
            "data": {},
            "data_base64": {"type": "string", "contentEncoding": "base64"},
        },
        "propertyNames": {"pattern": "^([a-z0-9]{1,20}|data_base64)$"},
        "not": {"required": ["data", "data_base64"]},
        "additionalProperties": {"type": ["string", "boolean", "integer"], "minimum": -(2**31), "maximum": 2**31 - 1},
    }
)
"""The rules of the JSON event format for CloudEvents 1.0: attributes, their names and values, and the place of the data."""


@pytest.fixture
def decided(ledger):
    """The newest entry of each kind of act, of a lifecycle that went through all of them."""
    rollout = Rollout(ledger)
    operator, root, fresh = rollout.operator, ledger.keys.signing_key("root"), new_key()
    walk(rollout, "block look hold enable measure_the_champion block measure_the_champion")
    ends = within(hours=1)
    ledger.append(overriding(2, operator, expires=ends))
    ledger.append(rolling_back(1, operator))
    ledger.append(deployed(1, operator))
    ledger.append(redacting("c" * 64, operator))
    policy = with_key(ledger.state.policy, "operator", fresh)
    ledger.append(changing(policy, root, fresh))
    entries = {entry.type: entry for entry, _ in ledger.entries() if "act" in entry.predicate}
    return entries, ends, policy, operator.public.keyid


def test_each_act_is_an_event_that_says_who_and_what(decided):
    entries, ends, policy, operator = decided
    told = {kind: told_of(entry) for kind, entry in entries.items()}
    assert {kind: event.name for kind, event in told.items()} == {kind: kind for kind in entries}
    assert len(told) == 7
    assert (told["Investigated"].incident, told["Investigated"].report) == (5, REPORT)
    assert (told["RolloutEnabled"].version, told["RolloutEnabled"].checksum) == (2, BYTES)
    assert (told["Overridden"].version, told["Overridden"].expires) == (2, ends)
    assert (told["RolledBack"].version, told["RolledBack"].lifecycle_id) == (1, "rain")
    assert (told["Deployed"].version, told["Deployed"].target) == (1, "production")
    assert told["Redacted"].object == "c" * 64
    assert told["PolicyChanged"].policy == policy_digest(policy)
    assert (told["PolicyChanged"].lifecycle_id, told["Redacted"].version) == ("", 0)
    assert all(event.by == (operator,) for kind, event in told.items() if kind != "PolicyChanged")
    assert {event.seq for event in told.values()} == {entry.seq for entry in entries.values()}


def test_each_act_is_a_cloud_event(decided, ledger):
    for kind, entry in decided[0].items():
        event = json.loads(json.dumps(cloud_event(ledger.origin, entry)))
        check_cloud_event(event)
        assert event["type"] == f"noa.lifecycle.{kind}"
        assert event["data"]["by"]
        assert event["data"]["line"] == sha256(entry.line)
        assert event.get("subject") == (None if entry.lifecycle_id is None else f"rain@{entry.version}")
        assert event["data"]["lifecycle_id"] == entry.lifecycle_id


@pytest.mark.parametrize(
    "harm",
    [
        {"specversion": "0.3"},
        {"id": ""},
        {"subject": ""},
        {"noaSeq": "1"},
        {"sequence": None},
        {"sequence": {}},
        {"time": "2026-11-28 12:00"},
        {"data_base64": "AA=="},
    ],
)
def test_these_rules_can_be_broken(decided, ledger, harm):
    event = cloud_event(ledger.origin, decided[0]["Deployed"])
    assert not CLOUD_EVENT.is_valid({**event, **harm})


def check_cloud_event(event):
    """Hold an event against the rules, and the time against the calendar."""
    CLOUD_EVENT.validate(event)
    assert datetime.fromisoformat(event["time"]).utcoffset() is not None
    assert re.fullmatch(r"\d{20}", event["sequence"])
    assert event["datacontenttype"] == "application/json"
