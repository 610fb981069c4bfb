"""Evidence: the mathematics of trust.

Hash trees, signed notes, statements signed in place, model signatures. Everything here is a pure function over bytes and
keys, in formats that tools of others read; nothing opens a file or asks for the time.
"""

from noa_mlops.evidence.dsse import PAYLOAD_TYPE, pae
from noa_mlops.evidence.keys import (
    ECDSA_P256,
    ED25519,
    KeyInvalid,
    PublicKey,
    Scheme,
    SigningKey,
    load_public,
    load_signing,
)
from noa_mlops.evidence.merkle import (
    EMPTY_ROOT,
    Frontier,
    check_consistency,
    check_inclusion,
    leaf_hash,
    node_hash,
    prove_consistency,
    prove_inclusion,
    root_of,
)
from noa_mlops.evidence.model_signature import (
    MAX_MODEL_SIGNATURE,
    ModelSignatureInvalid,
    check_model,
    sign_model,
)
from noa_mlops.evidence.note import (
    LogCheckpoint,
    NoteInvalid,
    open_note,
    parse_checkpoint,
    read_checkpoint,
    sign_checkpoint,
    sign_note,
)
from noa_mlops.evidence.statement import (
    MAX_LINE,
    STATEMENT_TYPE,
    SignedLine,
    StatementInvalid,
    envelope,
    sign_statement,
    signed_by,
    split_line,
    verify_line,
)

__all__ = [
    "ECDSA_P256",
    "ED25519",
    "EMPTY_ROOT",
    "MAX_LINE",
    "MAX_MODEL_SIGNATURE",
    "PAYLOAD_TYPE",
    "STATEMENT_TYPE",
    "Frontier",
    "KeyInvalid",
    "LogCheckpoint",
    "ModelSignatureInvalid",
    "NoteInvalid",
    "PublicKey",
    "Scheme",
    "SignedLine",
    "SigningKey",
    "StatementInvalid",
    "check_consistency",
    "check_inclusion",
    "check_model",
    "envelope",
    "leaf_hash",
    "load_public",
    "load_signing",
    "node_hash",
    "open_note",
    "pae",
    "parse_checkpoint",
    "prove_consistency",
    "prove_inclusion",
    "read_checkpoint",
    "root_of",
    "sign_checkpoint",
    "sign_model",
    "sign_note",
    "sign_statement",
    "signed_by",
    "split_line",
    "verify_line",
]
