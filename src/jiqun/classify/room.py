"""The room's operations 归类室: samples, labels, agreement, training, quality, choice."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from jiqun.classify import desk
from jiqun.classify.desk import HANDLERS, LEAST, MOST, WHO
from jiqun.classify.records import Hand, Item, Label, Sample, find_sample
from jiqun.core.actor import Actor
from jiqun.core.document import Text
from jiqun.core.operation import Model, Page, PageRequest, Room, paged
from jiqun.store import Workspace
from jiqun.taxonomy import KINDS, Kind, classify_text

__all__ = ["HANDLERS", "ROOM"]

ROOM = Room("classify", Text("归类", "Classification"))
Id = Annotated[str, Field(min_length=1, max_length=60)]
Number = Annotated[int, Field(ge=1, le=MOST)]


class TextsRequest(Model):
    """Texts of one kind to classify; codes, where given, one per text."""

    texts: Annotated[tuple[Annotated[str, Field(max_length=20_000)], ...], Field(min_length=1, max_length=1_000)]
    kind: Kind = "main_business"
    codes: Annotated[tuple[Annotated[str, Field(max_length=40)] | None, ...] | None, Field(max_length=1_000)] = None
    definition: Annotated[str, Field(pattern="^(narrow|broad)$")] = "narrow"


class TextAnswer(Model):
    """What one text decides. `decided` false: undecided. `score` is a difference of words' weights, no probability."""

    digital_code: str | None
    core: bool | None
    decided: bool | None
    evidence: str | None
    words: str | None
    score: float | None


class DrawRequest(Model):
    """What to draw."""

    kind: Kind
    size: Annotated[int, Field(ge=LEAST, le=MOST)] = 200
    seed: Annotated[int, Field(ge=0, le=2**53)] = 1


class SampleRequest(PageRequest):
    """Which sample, and which page of it."""

    id: Id


class Labelled(Model):
    """One label; null takes it back."""

    item: Number
    label: Label | None


class LabelRequest(Model):
    """Labels of one annotator; `hand` is asked for only where one account hands in two people's."""

    id: Id
    labels: Annotated[tuple[Labelled, ...], Field(min_length=1, max_length=MOST)]
    hand: Hand | None = None


class SettleRequest(Model):
    """Labels to settle disagreements with."""

    id: Id
    labels: Annotated[tuple[Labelled, ...], Field(min_length=1, max_length=MOST)]


class One(Model):
    """Which sample."""

    id: Id


class Changed(Model):
    """How many labels changed."""

    changed: int


class AgreementAnswer(Model):
    """Agreement of the annotators: Cohen's kappa with an interval of 95 %, and what is left to settle."""

    items: int
    same: int
    kappa: float | None
    low: float | None
    high: float | None
    disputed: tuple[Item, ...]
    """Items on which they differ and nothing is settled yet."""


class TrainRequest(Model):
    """Of which kind of text."""

    kind: Kind
    seed: Annotated[int, Field(ge=0, le=2**31)] = 1


class TrainAnswer(Model):
    """The job that trains."""

    job: str


class KindRow(Model):
    """A kind of text: its model and quality, null where nothing was labelled (unmeasured), and what was chosen."""

    kind: Kind
    model: str | None
    trained_at: datetime | None
    quality: dict[str, Any] | None
    chosen: str | None


class ChooseRequest(Model):
    """Model (true) or lexicon (false)."""

    kind: Kind
    model: bool


@ROOM.operation("texts", "文本归类", "Classify texts", roles=[*WHO, "member", "auditor"])
def texts(actor: Actor, workspace: Workspace, request: TextsRequest) -> tuple[TextAnswer, ...]:
    """What texts decide, by the lexicon, and the words that decided.

    Raises
    ------
    UsageError
        JQ-TAXONOMY-011: as many codes as texts are needed.
    """
    del actor, workspace
    codes = None if request.codes is None else list(request.codes)
    found = classify_text(list(request.texts), request.kind, codes=codes, definition=request.definition)
    return tuple(TextAnswer(**row) for row in found.drop("digital_division").iter_rows(named=True))


@ROOM.operation("samples", "样本列表", "List samples", roles=WHO)
def samples(actor: Actor, workspace: Workspace, request: PageRequest) -> Page[Sample]:
    """Samples, newest first."""
    found = desk.samples(actor, workspace)
    return paged(found, request, version=str(len(found)))


@ROOM.operation("items", "样本内容", "Texts of a sample", roles=WHO)
def items(actor: Actor, workspace: Workspace, request: SampleRequest) -> Page[Item]:
    """The texts of a sample with the labels that one may see: another annotator's only once one's own are all given."""
    return paged(desk.sample_items(actor, workspace, request.id), request, version=request.id)


@ROOM.operation("agreement", "标注一致性", "Agreement of annotators", roles=WHO)
def agreement(actor: Actor, workspace: Workspace, request: One) -> AgreementAnswer:
    """Cohen's kappa of the two annotators and the items to settle, of what the reader may see."""
    find_sample(workspace, request.id)
    seen = desk.sample_items(actor, workspace, request.id)
    found = desk.agree(seen)
    return AgreementAnswer(**vars(found), disputed=tuple(i for i in seen if i.disputed and i.settled is None))


@ROOM.operation("quality", "质量", "Quality of classification", roles=[*WHO, "auditor"])
def quality(actor: Actor, workspace: Workspace, request: Model) -> tuple[KindRow, ...]:
    """How well texts of each kind are classified here, and by what; unmeasured where nothing was labelled."""
    del request
    chosen = desk.chosen(actor, workspace)
    rows = []
    for kind in KINDS:
        stored = desk.quality(actor, workspace, kind)
        rows.append(
            KindRow(
                kind=kind,
                model=stored.id if stored else None,
                trained_at=stored.created if stored else None,
                quality=stored.values["quality"] if stored else None,  # type: ignore[arg-type]  # as `Quality.to_json`
                chosen=chosen[kind],
            )
        )
    return tuple(rows)


@ROOM.operation("draw", "抽样", "Draw a sample", roles=WHO, writes=True)
def draw(actor: Actor, workspace: Workspace, request: DrawRequest, *, key: str) -> Sample:
    """Draw a sample of texts to label from the organisations that are loaded now."""
    return desk.draw_sample(actor, workspace, kind=request.kind, size=request.size, seed=request.seed, key=key)


@ROOM.operation("label", "标注", "Label texts", roles=WHO, writes=True)
def label(actor: Actor, workspace: Workspace, request: LabelRequest, *, key: str) -> Changed:
    """Label texts of a sample; who labels becomes one of its two annotators."""
    given: dict[int, str | None] = {one.item: one.label for one in request.labels}
    return Changed(changed=desk.give_labels(actor, workspace, request.id, given, hand=request.hand, key=key))


@ROOM.operation("settle", "裁定", "Settle disagreements", roles=WHO, writes=True)
def settle(actor: Actor, workspace: Workspace, request: SettleRequest, *, key: str) -> Changed:
    """Settle items on which the two annotators differ."""
    given: dict[int, str | None] = {one.item: one.label for one in request.labels}
    return Changed(changed=desk.settle(actor, workspace, request.id, given, key=key))


@ROOM.operation("train", "训练", "Train a model", roles=WHO, writes=True)
def train(actor: Actor, workspace: Workspace, request: TrainRequest, *, key: str) -> TrainAnswer:
    """Train a local model on all labels of a kind of text and judge it on texts it has not seen, as a job."""
    return TrainAnswer(job=desk.start_training(actor, workspace, kind=request.kind, seed=request.seed, key=key))


@ROOM.operation("choose", "选用", "Choose model or lexicon", roles=WHO, writes=True)
def choose(actor: Actor, workspace: Workspace, request: ChooseRequest, *, key: str) -> tuple[KindRow, ...]:
    """Choose what texts of a kind are read by from the next run on."""
    desk.choose(actor, workspace, kind=request.kind, model=request.model, key=key)
    return quality(actor, workspace, Model())  # type: ignore[no-any-return]
