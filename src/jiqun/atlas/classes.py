"""Which class each firm is taken for 企业归类: as the register says, as its code decides, else as its words do.

How words are read is a parameter of a run: by the lexicon, by a model that was trained on labels here, or not at all.
`auto` is what was chosen for each kind of text (stored results of the kind `text-method`), the lexicon where nothing was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import polars as pl

from jiqun.core.lineage import canonical_json
from jiqun.store import Workspace
from jiqun.taxonomy import Kind, LinearModel, classify_firms, fingerprint
from jiqun.taxonomy.firms import COLUMNS, FIRM_ANSWER

TextUse = Literal["auto", "lexicon", "off"]
METHOD_KIND = "text-method"
MODEL_KIND = "text-model"
GIVEN = "register"
CLASS_COLUMNS = ("digital_code", "classified_by", "evidence", "words")
SOURCES = ("digital_code", "industry_code", *COLUMNS.values())
"""Columns of organisations that a class may come from."""


@dataclass(frozen=True)
class Reader:
    """How a run reads texts 文本判定方式: the models by kind of text, the lexicon for the other kinds; or not at all."""

    on: bool
    digest: str = ""
    """Names what an answer by text rests on: the lexicon and the models."""
    models: Mapping[Kind, LinearModel] = field(default_factory=dict, compare=False)

    @classmethod
    def by(cls, models: Mapping[Kind, LinearModel]) -> Reader:
        """One that reads texts."""
        used = {"lexicon": fingerprint(), "models": {kind: model.id for kind, model in models.items()}}
        return cls(on=True, digest=hashlib.sha256(canonical_json(used)).hexdigest()[:16], models=models)

    def to_json(self) -> dict[str, Any]:
        """As the values of a run keep it."""
        return {"digest": self.digest, "models": {kind: model.id for kind, model in self.models.items()}}


def reader(workspace: Workspace, use: TextUse) -> Reader:
    """The reader that a use of texts comes to in a workspace now."""
    if use == "off":
        return Reader(on=False)
    chosen = workspace.result(METHOD_KIND) if use == "auto" else None
    return Reader.by(_models(workspace, chosen.values["models"]) if chosen else {})


def reader_of(workspace: Workspace, values: Mapping[str, Any]) -> Reader:
    """The reader of a stored run, from its values; of one in which texts had no say, one that reads none."""
    read = values.get("text")
    return Reader.by(_models(workspace, read["models"])) if read else Reader(on=False)


def _models(workspace: Workspace, ids: Any) -> dict[Kind, LinearModel]:
    models: dict[Kind, LinearModel] = {}
    for kind, id_ in ids.items():
        stored = workspace.result(f"{MODEL_KIND}-{kind}", id_)
        if stored is not None:
            models[kind] = LinearModel.of(stored.table("weights"), stored.table("sigmoid"), stored.id)
    return models


def classified(organisations: pl.DataFrame, by: Reader) -> pl.DataFrame:
    """Organisations with digital_code, classified_by, evidence, words (`CLASS_COLUMNS`).

    `classified_by`: `register` where it gives the class itself, `code`, or the kind of text; null where nothing decides.
    """
    given = "digital_code" in organisations.columns
    own = organisations["digital_code"] if given else pl.Series([None] * organisations.height, dtype=pl.String)
    known = organisations.select(column for column in SOURCES[1:] if column in organisations.columns)
    texts: dict[str, str] | None = None if by.on else {}
    open_ = own.is_null()
    answers = classify_firms(known.filter(open_), texts=texts, models=by.models)
    rows = pl.Series("row", range(organisations.height), dtype=pl.UInt32)
    answers = answers.select(*FIRM_ANSWER).with_columns(row=rows.filter(open_))
    placed = rows.to_frame().join(answers, on="row", how="left", maintain_order="left")
    decided = pl.when("decided").then("digital_code")
    found = placed.select(decided, "classified_by", "evidence", "words")
    stated = own.is_not_null()
    return organisations.with_columns(
        digital_code=own.fill_null(found["digital_code"]),
        classified_by=pl.select(pl.when(stated).then(pl.lit(GIVEN)).otherwise(found["classified_by"])).to_series(),
        evidence=pl.select(pl.when(stated).then(None).otherwise(found["evidence"])).to_series(),
        words=pl.select(pl.when(stated).then(None).otherwise(found["words"])).to_series(),
    )


def used_text(frame: pl.DataFrame) -> bool:
    """Whether a text had a say: some firm was left open by register and code."""
    return bool((~frame["classified_by"].is_in([GIVEN, "code"]).fill_null(value=False)).any())


def class_of(path: Path, id: str, by: Reader) -> dict[str, Any]:  # noqa: A002
    """`CLASS_COLUMNS` of one organisation of a snapshot."""
    rows = pl.scan_parquet(path, glob=False)
    there = rows.collect_schema().names()
    row = rows.filter(pl.col("id") == id).select(column for column in SOURCES if column in there).collect()
    return classified(row, by).select(CLASS_COLUMNS).row(0, named=True) if row.height else {}
