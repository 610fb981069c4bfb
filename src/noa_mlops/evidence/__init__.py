"""Evidence: the mathematics of trust.

Hash trees with their proofs and tiles, signed notes, statements signed in place, model signatures. Everything here is a
pure function over bytes and keys, in formats that tools of others read; nothing opens a file or asks for the time.
"""

from noa_mlops.evidence.act import Act, ActInvalid, SignedAct, read_act
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
from noa_mlops.evidence.proof import (
    Inclusion,
    ProofInvalid,
    check_proof,
    prove_all,
    read_inclusion,
    read_proof,
    write_proof,
)
from noa_mlops.evidence.statement import (
    MAX_LINE,
    STATEMENT_TYPE,
    SignedLine,
    StatementInvalid,
    envelope,
    payload_of,
    sign_payload,
    sign_statement,
    signed_by,
    split_line,
    verify_line,
)
from noa_mlops.evidence.tiles import bundle_path, tile_files, tile_path

__all__ = [
    "ECDSA_P256",
    "ED25519",
    "EMPTY_ROOT",
    "MAX_LINE",
    "PAYLOAD_TYPE",
    "STATEMENT_TYPE",
    "Act",
    "ActInvalid",
    "Frontier",
    "Inclusion",
    "KeyInvalid",
    "LogCheckpoint",
    "ModelSignatureInvalid",
    "NoteInvalid",
    "ProofInvalid",
    "PublicKey",
    "Scheme",
    "SignedAct",
    "SignedLine",
    "SigningKey",
    "StatementInvalid",
    "bundle_path",
    "check_consistency",
    "check_inclusion",
    "check_model",
    "check_proof",
    "envelope",
    "leaf_hash",
    "load_public",
    "load_signing",
    "node_hash",
    "open_note",
    "pae",
    "parse_checkpoint",
    "payload_of",
    "prove_all",
    "prove_consistency",
    "prove_inclusion",
    "read_act",
    "read_checkpoint",
    "read_inclusion",
    "read_proof",
    "root_of",
    "sign_checkpoint",
    "sign_model",
    "sign_note",
    "sign_payload",
    "sign_statement",
    "signed_by",
    "split_line",
    "tile_files",
    "tile_path",
    "verify_line",
    "write_proof",
]
