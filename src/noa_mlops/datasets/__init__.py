"""Reading data: files of the project become one typed table, named by the fingerprint of all its rows.

Data is read whole or refused with its place and the next step; nothing is guessed, nothing is fetched, and no link is
followed. What two formats can both say has one representation here, so the fingerprint names the content.
"""

from noa_mlops.datasets.alignment import aligned, conformed
from noa_mlops.datasets.dataset import Dataset
from noa_mlops.datasets.fingerprints import fingerprint
from noa_mlops.datasets.labels import classes_of, inverse, permutation, reordered
from noa_mlops.datasets.matching import RowDifference, match_rows
from noa_mlops.datasets.overlap import overlap
from noa_mlops.datasets.portions import Portion, portions
from noa_mlops.datasets.reader import DatasetReader
from noa_mlops.datasets.sampling import Sample, samples
from noa_mlops.datasets.sources import Sources
from noa_mlops.datasets.splitting import Parts, split
from noa_mlops.datasets.summaries import PREDICTION, Counting, summarise, summarise_answers, summarise_table
from noa_mlops.datasets.writers import write_csv, write_parquet, write_rows

__all__ = [
    "PREDICTION",
    "Counting",
    "Dataset",
    "DatasetReader",
    "Parts",
    "Portion",
    "RowDifference",
    "Sample",
    "Sources",
    "aligned",
    "classes_of",
    "conformed",
    "fingerprint",
    "inverse",
    "match_rows",
    "overlap",
    "permutation",
    "portions",
    "reordered",
    "samples",
    "split",
    "summarise",
    "summarise_answers",
    "summarise_table",
    "write_csv",
    "write_parquet",
    "write_rows",
]
