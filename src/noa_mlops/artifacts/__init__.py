"""The store of promoted models: ``storage/artifacts/<lifecycle>/<profile>/<N>/``.

A version's folder is absent or complete, and never changes once it exists: files are copied and hashed into a
hidden folder beside it, made durable, compared with the digests that were measured, and only then named.
Nothing here decides anything: a folder that no ledger entry names is not a promoted model.
"""

from noa_mlops.artifacts.staging import Staged
from noa_mlops.artifacts.store import FilesystemArtifactStore

__all__ = ["FilesystemArtifactStore", "Staged"]
