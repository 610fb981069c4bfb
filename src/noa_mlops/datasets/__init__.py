"""Reading data: files of the project become one typed table, named by the fingerprint of all its rows.

Data is read whole or refused with its place and the next step; nothing is guessed, nothing is fetched, and no link is
followed. What two formats can both say has one representation here, so the fingerprint names the content.
"""

from noa_mlops.datasets.fingerprints import fingerprint
from noa_mlops.datasets.reader import Dataset, DatasetReader
from noa_mlops.datasets.writers import write_csv, write_parquet

__all__ = ["Dataset", "DatasetReader", "fingerprint", "write_csv", "write_parquet"]
