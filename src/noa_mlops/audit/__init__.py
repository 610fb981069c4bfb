"""Looking back: does everything on disk still say what was signed? Read-only, always.

`verify` runs the law of the log over every line and follows each promise to the bytes it speaks of. It names
file, entry and reason for whatever does not hold, and what it cannot rule out without an anchor elsewhere.
"""

from noa_mlops.audit.doctor import diagnose, repair
from noa_mlops.audit.findings import Diagnosis, Finding, Verification
from noa_mlops.audit.verification import verify

__all__ = ["Diagnosis", "Finding", "Verification", "diagnose", "repair", "verify"]
