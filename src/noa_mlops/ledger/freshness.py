"""How old evidence may be: an older copy verifies as well, so whoever relies on it says how old is too old."""

from __future__ import annotations

from datetime import datetime, timedelta

from noa_mlops.errors import LedgerTampered

AHEAD = timedelta(minutes=5)
"""How far the clock of whoever wrote an entry may be ahead of ours."""


def check_age(what: str, newest: str, moment: str, seconds: int) -> None:
    """Raise `LedgerTampered` when the newest entry of ``what`` is older than that, or lies in the future.

    ``newest`` and ``moment`` are RFC 3339 in UTC.
    """
    age = datetime.fromisoformat(moment) - datetime.fromisoformat(newest)
    if age > timedelta(seconds=seconds):
        raise LedgerTampered(
            f"the newest entry of {what} is of {newest}, {age.total_seconds() / 3600:.1f} hours ago",
            hint="Fetch it anew; a project that is alive is scanned for drift more often than that.",
        )
    if age < -AHEAD:
        raise LedgerTampered(f"the newest entry of {what} is of {newest}, which is yet to come")
