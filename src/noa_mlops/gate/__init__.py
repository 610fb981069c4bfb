"""The gate: may this challenger replace the champion?

Everything here is a pure function over records. Nothing reads a file, a clock or the network, so a verdict can
be computed again from the ledger, years later, and must come out the same. `judge` holds measurements against
thresholds; `decide` adds what the plan says about its gate and where the rollout stands. Both fail closed:
silence, emptiness and anything that is not a number speak against the challenger.
"""

from noa_mlops.gate.certainty import error_at, error_of
from noa_mlops.gate.championship import against_champion, asked_of, compares
from noa_mlops.gate.decision import Gate, decide
from noa_mlops.gate.declared import declared_gate, threshold_document, thresholds
from noa_mlops.gate.equivalence import answered_alike, equivalent
from noa_mlops.gate.judgement import NO_GATE, held_against, judge, violation
from noa_mlops.gate.replay import (
    again_judged,
    comparison_recorded,
    decide_recorded,
    estimates_recorded,
    judge_recorded,
    must_compare_again,
    proven_recorded,
)

__all__ = [
    "NO_GATE",
    "Gate",
    "again_judged",
    "against_champion",
    "answered_alike",
    "asked_of",
    "compares",
    "comparison_recorded",
    "decide",
    "decide_recorded",
    "declared_gate",
    "equivalent",
    "error_at",
    "error_of",
    "estimates_recorded",
    "held_against",
    "judge",
    "judge_recorded",
    "must_compare_again",
    "proven_recorded",
    "threshold_document",
    "thresholds",
    "violation",
]
