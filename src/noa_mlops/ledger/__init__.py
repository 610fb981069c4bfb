"""The ledger: the write-ahead log of every lifecycle, and the law of what may stand in it.

Each step of a lifecycle ends by appending an entry here. State is the fold of one pure function, `admit`, over
the lines; what comes before an entry is harmless when lost, what comes after it can be rebuilt.
"""

from noa_mlops.ledger.batch import Clock
from noa_mlops.ledger.entry import Draft, EntryInvalid, LedgerEntry, read_entry
from noa_mlops.ledger.freshness import check_age
from noa_mlops.ledger.heads import policy_problem, split_records
from noa_mlops.ledger.keystore import SCHEMES, KeyRing, KeyStore
from noa_mlops.ledger.law import (
    DECIDING,
    WRONG_SIGNATURE,
    Unsigned,
    admit,
    admit_sealed,
    examine_unsigned,
    follow_policy,
    head_keys,
    read_authentic,
)
from noa_mlops.ledger.ledger import Ledger
from noa_mlops.ledger.model_keys import model_keys
from noa_mlops.ledger.objects import get_object
from noa_mlops.ledger.pins import KnownLogs, Pin, pin_problem
from noa_mlops.ledger.projection import ledger_line, ledger_lines
from noa_mlops.ledger.reader import LedgerReader, read_lines
from noa_mlops.ledger.recorded import identity_of, plan_of, summary_digest
from noa_mlops.ledger.revocation import distrust
from noa_mlops.ledger.signers import Signers
from noa_mlops.ledger.state import LedgerState, LifecycleState, VersionState
from noa_mlops.ledger.trust_law import ACT, ACTS_OF, TRUST, policy_digest, signers_of, version_scope
from noa_mlops.ledger.version_law import Refusal, follow_version

__all__ = [
    "ACT",
    "ACTS_OF",
    "DECIDING",
    "SCHEMES",
    "TRUST",
    "WRONG_SIGNATURE",
    "Clock",
    "Draft",
    "EntryInvalid",
    "KeyRing",
    "KeyStore",
    "KnownLogs",
    "Ledger",
    "LedgerEntry",
    "LedgerReader",
    "LedgerState",
    "LifecycleState",
    "Pin",
    "Refusal",
    "Signers",
    "Unsigned",
    "VersionState",
    "admit",
    "admit_sealed",
    "check_age",
    "distrust",
    "examine_unsigned",
    "follow_policy",
    "follow_version",
    "get_object",
    "head_keys",
    "identity_of",
    "ledger_line",
    "ledger_lines",
    "model_keys",
    "pin_problem",
    "plan_of",
    "policy_digest",
    "policy_problem",
    "read_authentic",
    "read_entry",
    "read_lines",
    "signers_of",
    "split_records",
    "summary_digest",
    "version_scope",
]
