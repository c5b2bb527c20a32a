"""Samples and labels as the operational database holds them 样本与标注."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, get_args

import sqlalchemy as sa

from jiqun.core.errors import UsageError
from jiqun.core.operation import Model
from jiqun.store import Workspace
from jiqun.store.database import table
from jiqun.taxonomy import Kind

Hand = Literal["first", "second"]
HANDS: tuple[Hand, ...] = get_args(Hand)
SETTLED = "settled"
Label = Literal["01", "02", "03", "04", "05", "none", "unsure"]
LABELS: tuple[Label, ...] = get_args(Label)
CORE: frozenset[str] = frozenset({"01", "02", "03", "04"})


class Stratum(Model):
    """One stratum of a sample 层: firms in it, and texts drawn from it."""

    stratum: int
    firms: int
    drawn: int


class Sample(Model):
    """A sample of texts to label 样本."""

    id: str
    account: str
    text_kind: Kind
    snapshot: str
    seed: int
    strata: tuple[Stratum, ...]
    first: str | None
    second: str | None
    created_at: datetime

    @property
    def size(self) -> int:
        """How many texts."""
        return sum(stratum.drawn for stratum in self.strata)

    def hand_of(self, account: str) -> Hand | None:
        """Which annotator an account is."""
        return next((hand for hand in HANDS if getattr(self, hand) == account), None)


class Item(Model):
    """A text of a sample with its labels 一条: of the first and the second annotator, and what was settled."""

    item: int
    organisation: str
    text: str
    stratum: int
    weight: float
    first: Label | None = None
    second: Label | None = None
    settled: Label | None = None

    @property
    def disputed(self) -> bool:
        """Whether both labelled it, differently."""
        return self.first is not None and self.second is not None and self.first != self.second

    @property
    def final(self) -> Label | None:
        """The label to learn from 最终标注; None where there is none, or a dispute is open."""
        if self.settled is not None:
            return self.settled
        return None if self.disputed else self.first or self.second


def find_sample(workspace: Workspace, sample_id: str) -> Sample:
    """One sample.

    Raises
    ------
    UsageError
        JQ-CLASSIFY-001: there is none.
    """
    rows = table("samples")
    with workspace.database.read() as connection:
        row = connection.execute(sa.select(rows).where(rows.c.id == sample_id)).mappings().one_or_none()
    if row is None:
        raise UsageError("JQ-CLASSIFY-001", value=sample_id)
    return Sample.model_validate(dict(row))


def all_samples(workspace: Workspace) -> tuple[Sample, ...]:
    """Every sample, newest first."""
    rows = table("samples")
    with workspace.database.read() as connection:
        found = connection.execute(sa.select(rows).order_by(rows.c.created_at.desc(), rows.c.id)).mappings().all()
    return tuple(Sample.model_validate(dict(row)) for row in found)


def items(workspace: Workspace, sample_id: str) -> tuple[Item, ...]:
    """The texts of a sample with their labels, by number."""
    rows, labels = table("sample_items"), table("labels")
    with workspace.database.read() as connection:
        found = connection.execute(
            sa.select(rows).where(rows.c.sample_id == sample_id).order_by(rows.c.item)
        ).mappings()
        given = connection.execute(
            sa.select(labels.c.item, labels.c.hand, labels.c.label).where(labels.c.sample_id == sample_id)
        ).all()
        held: dict[int, dict[str, Any]] = {}
        for number, hand, label in given:
            held.setdefault(number, {})[hand] = label
        return tuple(_item(row, held.get(row["item"], {})) for row in found)


def _item(row: Mapping[Any, Any], labels: dict[str, Any]) -> Item:
    names = ("item", "organisation", "text", "stratum", "weight")
    return Item.model_validate({name: row[name] for name in names} | labels)
