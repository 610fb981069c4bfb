"""The store of promoted models: ``storage/artifacts/<lifecycle>/<profile>/<N>/``.

A version's folder is absent or complete, and never changes once it exists: files are moved, or copied and hashed, into a
hidden folder beside it, made durable, compared with what was measured, and only then named. What was moved comes back
when the folder is not completed, and after a crash when the run goes on.
Nothing here decides anything: a folder that no ledger entry names is not a promoted model.
"""

from noa_mlops.artifacts.staging import Staged
from noa_mlops.artifacts.store import FilesystemArtifactStore

__all__ = ["FilesystemArtifactStore", "Staged"]
