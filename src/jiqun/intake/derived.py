"""What lies over a table 派生: rosters that were merged, corrections by people. A load must not lose them.

They are kept by `jiqun.roster`, above; here stands only what makes a load ask for them.
"""

from __future__ import annotations

import sqlalchemy as sa

from jiqun.store.database import Transaction, table


def derive_anew(tx: Transaction, table_name: str) -> None:
    """After a load of organisations within a command: have a job lay over it what lay over the one before."""
    if table_name != "organisations":
        return
    rosters, corrections = table("rosters"), table("corrections")
    merged = tx.execute(sa.select(rosters.c.id).where(rosters.c.state == "applied").limit(1)).first()
    corrected = tx.execute(sa.select(corrections.c.id).where(corrections.c.withdrawn_at.is_(None)).limit(1)).first()
    if merged or corrected:
        tx.job("roster.derive", {})
