"""The service layer of labelling and training 标注与训练服务: draw, label, settle, train as a job, choose.

Samples and labels are rows of the database. A model and its quality are a stored result of the kind `text-model-<kind>`,
as plain numbers; the choice between it and the lexicon is a result of the kind `text-method`, which the atlas reads.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable
from typing import Any

import polars as pl
import sqlalchemy as sa

from jiqun.classify import learn
from jiqun.classify.agreement import Agreement, agreement
from jiqun.classify.records import (
    CORE,
    HANDS,
    LABELS,
    SETTLED,
    Hand,
    Item,
    Sample,
    all_samples,
    find_sample,
    items,
)
from jiqun.classify.sampling import draw
from jiqun.core.actor import LOCAL, Actor, Role
from jiqun.core.errors import InputError, PermissionDeniedError, UsageError
from jiqun.core.lineage import Lineage, Source, canonical_json
from jiqun.core.progress import Progress, silent
from jiqun.intake.counted import counted
from jiqun.store import StoredResult, Workspace
from jiqun.store.commands import Transaction
from jiqun.store.database import table
from jiqun.store.jobs import Handler, Job, Report
from jiqun.taxonomy import KINDS, Kind, fingerprint
from jiqun.taxonomy.firms import COLUMNS

WHO: tuple[Role, ...] = ("operator", "analyst")
TRAIN = "classify.train"
MODEL_KIND = "text-model"
METHOD_KIND = "text-method"
METHOD, VERSION = "classify.train", "1"
LEAST, MOST = 20, 2000
_AT_ONCE = 200
_SHEET = ("item", "text", "label")


def draw_sample(actor: Actor, workspace: Workspace, *, kind: Kind, size: int, seed: int, key: str) -> Sample:
    """Draw a sample of texts to label 抽样 from the organisations that are loaded now.

    Raises
    ------
    PermissionDeniedError
        JQ-USE-002: the actor is neither operator nor analyst.
    InputError
        JQ-CLASSIFY-002: no organisation has such a text.
    UsageError
        JQ-CLASSIFY-011: too small or too large; WorkspaceError as `Workspace.snapshot`.
    """
    actor.require("classify.draw", *WHO)
    if not LEAST <= size <= MOST:
        raise UsageError("JQ-CLASSIFY-011", least=LEAST, most=MOST, value=size)
    snapshot = workspace.snapshot("organisations")
    rows = counted(workspace, snapshot.id)
    column = COLUMNS[kind]
    if column not in rows.collect_schema().names():
        raise InputError("JQ-CLASSIFY-002", kind=kind)
    texts = rows.select("id", text=pl.col(column).cast(pl.String)).collect()
    found = draw(texts, kind=kind, size=size, seed=seed)
    if found.is_empty():
        raise InputError("JQ-CLASSIFY-002", kind=kind)
    counts = found.group_by("stratum").agg(firms=pl.col("weight").sum().round().cast(pl.Int64), drawn=pl.len())
    strata = counts.sort("stratum").to_dicts()

    def keep(tx: Transaction) -> Any:
        sample_id = tx.new_id("smp")
        values = {"text_kind": kind, "snapshot": snapshot.id, "seed": seed, "strata": strata}
        tx.execute(sa.insert(table("samples")).values(id=sample_id, account=actor.id, created_at=tx.now, **values))
        drawn = [
            {"sample_id": sample_id, "item": number, "organisation": id_, "text": text, "stratum": s, "weight": w}
            for number, (id_, text, s, w) in enumerate(found.iter_rows(), start=1)
        ]
        for start in range(0, len(drawn), _AT_ONCE):
            tx.execute(sa.insert(table("sample_items")).values(drawn[start : start + _AT_ONCE]))
        return {"sample": sample_id}

    request: Any = {"kind": kind, "size": size, "seed": seed}
    answer: Any = workspace.database.command(actor, key, "classify.draw", keep, request=request, subject=kind)
    return find_sample(workspace, answer["sample"])


def samples(actor: Actor, workspace: Workspace) -> tuple[Sample, ...]:
    """Every sample, newest first."""
    actor.require("classify.samples", *WHO)
    return all_samples(workspace)


def sample_items(actor: Actor, workspace: Workspace, sample_id: str) -> tuple[Item, ...]:
    """The texts of a sample, with the labels that the actor may see.

    While an annotator is not through, the other's labels stay hidden from them: the two judge independently.
    """
    actor.require("classify.items", *WHO)
    sample = find_sample(workspace, sample_id)
    found = items(workspace, sample_id)
    mine = sample.hand_of(actor.id)
    if mine is None or actor.id == LOCAL.id or all(getattr(item, mine) is not None for item in found):
        return found
    other = HANDS[1 - HANDS.index(mine)]
    return tuple(item.model_copy(update={other: None, SETTLED: None}) for item in found)


def give_labels(
    actor: Actor, workspace: Workspace, sample_id: str, given: dict[int, str | None], *, hand: Hand | None, key: str
) -> int:
    """Label texts of a sample 标注, or take labels back (null). Returns how many labels changed.

    `hand` None: whichever of the two annotators the actor is or can become. On the command line, where one account
    hands in the sheets of two people, it must be said.

    Raises
    ------
    UsageError
        JQ-CLASSIFY-001, 003: no such sample or item; 004: it has two annotators already.
    PermissionDeniedError
        JQ-CLASSIFY-010: that hand is another's, or the actor is the other hand.
    """
    actor.require("classify.label", *WHO)
    sample = find_sample(workspace, sample_id)
    _require_items(sample, given)

    def keep(tx: Transaction) -> Any:
        which = _hand(tx, actor, sample_id, hand)
        return {"changed": sum(_put(tx, sample_id, item, which, label, actor) for item, label in given.items())}

    request: Any = {"sample": sample_id, "hand": hand, "labels": sorted(given.items())}
    answer: Any = workspace.database.command(actor, key, "classify.label", keep, request=request, subject=sample_id)
    return int(answer["changed"])


def settle(actor: Actor, workspace: Workspace, sample_id: str, given: dict[int, str | None], *, key: str) -> int:
    """Settle items on which the annotators differ 裁定. Returns how many changed.

    Raises
    ------
    UsageError
        JQ-CLASSIFY-001, 003: no such sample or item; 005: they do not differ on it.
    """
    actor.require("classify.settle", *WHO)
    sample = find_sample(workspace, sample_id)
    _require_items(sample, given)
    disputed = {item.item for item in items(workspace, sample_id) if item.disputed}
    for item in given:
        if item not in disputed:
            raise UsageError("JQ-CLASSIFY-005", item=item)

    def keep(tx: Transaction) -> Any:
        return {"changed": sum(_put(tx, sample_id, item, SETTLED, label, actor) for item, label in given.items())}

    request: Any = {"sample": sample_id, "labels": sorted(given.items())}
    answer: Any = workspace.database.command(actor, key, "classify.settle", keep, request=request, subject=sample_id)
    return int(answer["changed"])


def agree(found: Iterable[Item]) -> Agreement:
    """How far the two annotators agree on what both have labelled, `unsure` being a label like any other."""
    both = [(item.first, item.second) for item in found if item.first and item.second]
    return agreement([first for first, _ in both], [second for _, second in both])


def sheet(actor: Actor, workspace: Workspace, sample_id: str, hand: Hand) -> str:
    """A sample as CSV for one annotator 标注表: item, text, label; nothing of the other's labels."""
    actor.require("classify.export", *WHO)
    find_sample(workspace, sample_id)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_SHEET)
    for item in items(workspace, sample_id):
        text = item.text if item.text[:1] not in "=+-@\t\r" else f"'{item.text}"  # a sheet would run it as a formula
        writer.writerow((item.item, text, getattr(item, hand) or ""))
    return out.getvalue()


def read_sheet(text: str) -> dict[int, str | None]:
    """The labels of a filled-in sheet; what is empty is left as it is.

    Raises
    ------
    InputError
        JQ-CLASSIFY-007: not a label; 008: a column is missing.
    """
    reader = csv.DictReader(text.removeprefix("\ufeff").splitlines(keepends=True))
    for column in ("item", "label"):
        if column not in (reader.fieldnames or ()):
            raise InputError("JQ-CLASSIFY-008", column=column)
    found: dict[int, str | None] = {}
    for number, row in enumerate(reader, start=2):
        label = (row["label"] or "").strip().lower()
        label = label.zfill(2) if label.isdecimal() else label  # a spreadsheet makes 1 of 01
        item = (row["item"] or "").strip()
        if not label:
            continue
        if label not in LABELS or not (item.isascii() and item.isdecimal()):
            raise InputError("JQ-CLASSIFY-007", row=number, value=row["label"] if label not in LABELS else row["item"])
        found[int(item)] = label
    return found


def start_training(actor: Actor, workspace: Workspace, *, kind: Kind, seed: int, key: str) -> str:
    """Queue a training 排入训练 on all labels of a kind of text; returns the job.

    Raises
    ------
    InputError
        JQ-CLASSIFY-006: fewer than 20 labelled texts on a side.
    """
    actor.require(TRAIN, *WHO)
    _labelled(workspace, kind)

    def queue(tx: Transaction) -> Any:
        payload: Any = {"kind": kind, "seed": seed}
        return {"job": tx.job(TRAIN, payload, account=actor.id, organisation=actor.organisation, most_attempts=3)}

    answer: Any = workspace.database.command(
        actor, key, TRAIN, queue, request={"kind": kind, "seed": seed}, subject=kind
    )
    return str(answer["job"])


def train_now(workspace: Workspace, kind: Kind, seed: int, *, progress: Progress = silent) -> StoredResult:
    """Train and judge 训练并评价 on the labels of a kind of text, and store model and quality."""
    labelled, digest = _labelled(workspace, kind)
    lineage = Lineage(
        METHOD, VERSION, {"kind": kind, "seed": seed, "lexicon": fingerprint()}, (Source("labels", digest),)
    )
    name = f"{MODEL_KIND}-{kind}"
    for old in workspace.results(name):
        if old.id == lineage.digest:
            return workspace.put_result(name, lineage, {}, {})
    texts = labelled["text"]
    core = labelled["core"].to_numpy()
    weights = labelled["weight"].to_numpy()
    quality = learn.evaluate(texts, core, weights, kind=kind, seed=seed, progress=progress)
    model = learn.train(texts, core, weights, seed=seed)
    values: Any = {"kind": kind, "quality": quality.to_json()}
    return workspace.put_result(name, lineage, model.tables(), values)


def _train(workspace: Workspace, job: Job, report: Report) -> Any:
    payload: Any = job.payload
    stored = train_now(
        workspace, payload["kind"], payload["seed"], progress=lambda step, done, total: report(step, done, total or 0)
    )
    return {"kind": stored.kind, "result": stored.id}


HANDLERS: dict[str, Handler] = {TRAIN: _train}


def quality(actor: Actor, workspace: Workspace, kind: Kind) -> StoredResult | None:
    """The newest model of a kind of text with its quality; None where nothing was labelled and trained: unmeasured."""
    actor.require("classify.quality", *WHO, "auditor")
    return workspace.result(f"{MODEL_KIND}-{kind}")


def chosen(actor: Actor, workspace: Workspace) -> dict[Kind, str | None]:
    """By kind of text the model that was chosen; None: the lexicon."""
    actor.require("classify.quality", *WHO, "auditor")
    return _chosen(workspace)


def _chosen(workspace: Workspace) -> dict[Kind, str | None]:
    stored = workspace.result(METHOD_KIND)
    models: Any = stored.values["models"] if stored else {}
    return {kind: models.get(kind) for kind in KINDS}


def choose(actor: Actor, workspace: Workspace, *, kind: Kind, model: bool, key: str) -> None:
    """Choose model or lexicon 选用 for a kind of text; the atlas's next run reads by it.

    Raises
    ------
    UsageError
        JQ-CLASSIFY-009: no model was trained.
    """
    actor.require("classify.choose", *WHO)
    stored = workspace.result(f"{MODEL_KIND}-{kind}")
    if model and stored is None:
        raise UsageError("JQ-CLASSIFY-009", kind=kind)
    id_ = stored.id if model and stored is not None else None
    request: Any = {"kind": kind, "model": id_}
    workspace.database.command(actor, key, "classify.choose", lambda _: request, request=request, subject=kind)
    with workspace.writing():
        models = {name: id_ for name, id_ in (_chosen(workspace) | {kind: id_}).items() if id_ is not None}
        parameters: dict[str, Any] = {"models": models}
        workspace.put_result(METHOD_KIND, Lineage("classify.choose", "1", parameters), {}, parameters)


def _labelled(workspace: Workspace, kind: Kind) -> tuple[pl.DataFrame, str]:
    """text, core, weight of everything labelled of a kind, each text once, and the digest of it.

    `unsure` and open disputes teach nothing. Weights of several samples of one register are each made to sum to 1 first.
    """
    rows: dict[str, tuple[str, bool, float]] = {}
    for sample in reversed(all_samples(workspace)):
        if sample.text_kind != kind:
            continue
        known = [item for item in items(workspace, sample.id) if item.final not in {None, "unsure"}]
        total = sum(item.weight for item in known) or 1.0
        for item in known:
            rows[item.text] = (item.text, item.final in CORE, item.weight / total)
    schema = {"text": pl.String, "core": pl.Boolean, "weight": pl.Float64}
    found = pl.DataFrame([*rows.values()], schema=schema, orient="row").sort("text")
    yes = int(found["core"].sum())
    if min(yes, len(found) - yes) < learn.LEAST_PER_SIDE:
        raise InputError("JQ-CLASSIFY-006", core=yes, other=len(found) - yes, least=learn.LEAST_PER_SIDE)
    return found, hashlib.sha256(canonical_json(found.rows())).hexdigest()


def _require_items(sample: Sample, given: dict[int, str | None]) -> None:
    for item in given:
        if not 1 <= item <= sample.size:
            raise UsageError("JQ-CLASSIFY-003", sample=sample.id, item=item)


def _hand(tx: Transaction, actor: Actor, sample_id: str, wanted: Hand | None) -> Hand:
    """The hand that an actor labels with; who labels first becomes the annotator."""
    rows = table("samples")
    held = tx.execute(sa.select(rows.c.first, rows.c.second).where(rows.c.id == sample_id)).one()
    local = actor.id == LOCAL.id
    mine = next((hand for hand in HANDS if getattr(held, hand) == actor.id), None)
    free = next((hand for hand in HANDS if getattr(held, hand) is None), None)
    hand = wanted or mine or free
    if hand is None:
        raise UsageError("JQ-CLASSIFY-004", sample=sample_id)
    holder = getattr(held, hand)
    if holder not in {None, actor.id} or (mine not in {None, hand} and not local):
        raise PermissionDeniedError("JQ-CLASSIFY-010", hand=hand)
    if holder is None:
        tx.execute(sa.update(rows).where(rows.c.id == sample_id).values({hand: actor.id}))
    return hand


def _put(tx: Transaction, sample_id: str, item: int, hand: str, label: str | None, actor: Actor) -> bool:
    labels = table("labels")
    there = sa.and_(labels.c.sample_id == sample_id, labels.c.item == item, labels.c.hand == hand)
    before = tx.execute(sa.select(labels.c.label).where(there)).scalar()
    if before == label:
        return False
    tx.execute(sa.delete(labels).where(there))
    if label is not None:
        values = {"sample_id": sample_id, "item": item, "hand": hand, "label": label, "account": actor.id, "at": tx.now}
        tx.execute(sa.insert(labels).values(values))
    if hand != SETTLED:  # what was settled speaks of labels that are no longer so
        tx.execute(
            sa.delete(labels).where(labels.c.sample_id == sample_id, labels.c.item == item, labels.c.hand == SETTLED)
        )
    return True
