"""What this installation can do, and what it decided: ``registry/``, all of it for readers such as CI.

`CapabilityRegistry` keeps our entry in a file that others write too. The mirror is a projection of the ledger
and can be rebuilt from it byte for byte; no decision is ever read back from it by the runtime.
"""

from noa_mlops.registry.capabilities import CapabilityRegistry, capability_entry, offers
from noa_mlops.registry.comparison import Comparison
from noa_mlops.registry.lines import CAPABILITY, project
from noa_mlops.registry.mirror import Mirror, MirrorTampered
from noa_mlops.registry.writing import check_writable, describe, move_command, ownership_command, ownership_hint

__all__ = [
    "CAPABILITY",
    "CapabilityRegistry",
    "Comparison",
    "Mirror",
    "MirrorTampered",
    "capability_entry",
    "check_writable",
    "describe",
    "move_command",
    "offers",
    "ownership_command",
    "ownership_hint",
    "project",
]
