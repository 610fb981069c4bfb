"""Looking back: does everything on disk still say what was signed? Read-only, always.

`verify` runs the law of the log over every line and follows each promise to the bytes it speaks of. It names
file, entry and reason for whatever does not hold, and what it cannot rule out without an anchor elsewhere. What is
exported needs no project around it; `verify_proof` checks one version by a single file.
"""

from noa_mlops.audit.cleaning import OldWorkspace, clean, old_workspaces
from noa_mlops.audit.doctor import diagnose, repair
from noa_mlops.audit.export import Tiles, attestations, export_tiles, proof_of, put_file, verifier_source
from noa_mlops.audit.findings import Diagnosis, Finding, Verification
from noa_mlops.audit.proof import MAX_PROOF, PortableProof, ProvenLine
from noa_mlops.audit.proof_verification import ProofVerification, verify_proof
from noa_mlops.audit.verification import verify

__all__ = [
    "MAX_PROOF",
    "Diagnosis",
    "Finding",
    "OldWorkspace",
    "PortableProof",
    "ProofVerification",
    "ProvenLine",
    "Tiles",
    "Verification",
    "attestations",
    "clean",
    "diagnose",
    "export_tiles",
    "old_workspaces",
    "proof_of",
    "put_file",
    "repair",
    "verifier_source",
    "verify",
    "verify_proof",
]
