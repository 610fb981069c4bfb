"""Writes data/digits.csv: the 1797 handwritten digits that come with scikit-learn, 8 x 8 pixels each, from 0 to 16."""

import csv
from pathlib import Path

from sklearn.datasets import load_digits

digits = load_digits()
target = Path("data/digits.csv")
target.parent.mkdir(exist_ok=True)
with target.open("w", newline="") as file:
    rows = csv.writer(file)
    rows.writerow([*digits.feature_names, "digit"])
    rows.writerows([*map(int, pixels), int(digit)] for pixels, digit in zip(digits.data, digits.target, strict=True))
