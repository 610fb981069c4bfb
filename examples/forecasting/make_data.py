"""Writes data/train.csv and data/holdout.csv: invented daily sales of three shops, the same bytes every time.

A row is a forecast that could have been made: `sold` on `day` in `shop`, from what was known `days_ahead` days before.
"""

import csv
import datetime as dt
import itertools
import math
import random
from pathlib import Path

START, DAYS, HELD_BACK = dt.date(2024, 1, 1), 300, 90
AHEAD = (1, 7, 14)
SHOPS = {"Ghent": 120.0, "Liège": 80.0, "Namur": 45.0}


def series(level, seed):
    draw = random.Random(seed)
    for step in range(DAYS):
        week = 1 + 0.3 * math.sin(2 * math.pi * step / 7)
        year = 1 + 0.1 * math.sin(2 * math.pi * step / 365)
        yield round(level * week * year * (1 + 0.1 * draw.gauss(0, 1)), 1)


def rows():
    for number, (shop, level) in enumerate(SHOPS.items()):
        sold = list(series(level, number))
        for step, ahead in itertools.product(range(42, DAYS), AHEAD):
            day, weeks = START + dt.timedelta(days=step), -(-ahead // 7)
            same_weekday = [sold[step - 7 * week] for week in range(weeks, weeks + 4)]
            recent = sold[step - ahead - 6 : step - ahead + 1]
            means = [round(sum(values) / len(values), 2) for values in (same_weekday, recent)]
            yield step, [day, shop, ahead, same_weekday[0], *means, sold[step]]


def write(name, chosen):
    with Path("data", name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["day", "shop", "days_ahead", "same_weekday", "mean_of_4", "mean_of_week", "sold"])
        writer.writerows(chosen)


if __name__ == "__main__":
    Path("data").mkdir(exist_ok=True)
    table = sorted(rows(), key=lambda pair: pair[0])
    write("train.csv", [row for step, row in table if step < DAYS - HELD_BACK])
    write("holdout.csv", [row for step, row in table if step >= DAYS - HELD_BACK])
