"""Classification 归类: try a text, draw samples, label them, settle, train, choose."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response
from starlette.datastructures import FormData

from jiqun.classify import desk, room
from jiqun.classify.documents import KINDS, quality_document
from jiqun.classify.records import LABELS, Hand, Sample, find_sample, items
from jiqun.core.actor import Role
from jiqun.core.document import Text
from jiqun.core.errors import JiqunError, PermissionDeniedError
from jiqun.core.operation import Model
from jiqun.report.fragment import fragment
from jiqun.taxonomy import Kind, classify_text
from jiqun.taxonomy import name as class_name
from jiqun.web.errors import checked
from jiqun.web.render import attachment, page, see_other
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep

router = APIRouter(prefix="/classify")
_ROLES: tuple[Role, ...] = ("operator", "analyst", "auditor")
ROWS = 20
"""Texts on a page of labelling."""
Key = Annotated[str, Form(min_length=8, max_length=200)]


async def _sent(request: Request) -> FormData:
    """The form, which the guard has read."""
    return await request.form()


FormDep = Annotated[FormData, Depends(_sent)]
Id = Annotated[str, Path(min_length=1, max_length=60)]
WORDS: dict[str, Text] = {
    **{code: Text(f"{code} {class_name(code)}", f"{code} {class_name(code, 'en')}") for code in LABELS[:5]},
    "none": Text("不属于数字经济", "Not in the digital economy"),
    "unsure": Text("难以判断", "Unsure"),
}


@router.get("")
def overview(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    text: Annotated[str, Query(max_length=5_000)] = "",
    kind: Annotated[Kind, Query()] = "main_business",
) -> Response:
    """Try a text; how well each kind is read here, samples, training, choice."""
    return _overview(request, visitor, workspace, text=text, kind=kind)


def _overview(
    request: Request,
    visitor: Visitor,
    workspace: Any,
    *,
    text: str = "",
    kind: Kind = "main_business",
    refused: JiqunError | None = None,
) -> Response:
    visitor.require("classify.quality", *_ROLES)
    quality = room.quality(visitor.actor, workspace, Model())
    works = bool(visitor.actor.roles & set(desk.WHO))
    samples = [(one, _counts(workspace, one)) for one in desk.samples(visitor.actor, workspace)] if works else []
    return page(
        request,
        visitor,
        "classify.html",
        status=200 if refused is None else 422,
        keep=False,
        text=text,
        kind=kind,
        kinds=KINDS,
        kind_options=[(name, words.get(visitor.language)) for name, words in KINDS.items()],
        tried=classify_text([text], kind).row(0, named=True) if text.strip() else None,
        class_name=lambda code: class_name(code, visitor.language),
        quality=quality,
        documents=[
            fragment(quality_document(stored), visitor.language, twin=lambda _: {})
            for row in quality
            if (stored := desk.quality(visitor.actor, workspace, row.kind)) is not None
        ],
        works=works,
        samples=samples,
        refused=refused.render(visitor.language).partition("\n") if refused else None,
        notes={"chosen": visitor.say("Chosen. The next search for clusters reads by it.")},
    )


def _counts(workspace: Any, sample: Sample) -> dict[str, int]:
    found = items(workspace, sample.id)
    return {
        "first": sum(item.first is not None for item in found),
        "second": sum(item.second is not None for item in found),
        "disputed": sum(item.disputed and item.settled is None for item in found),
    }


@router.post("/draw")
def draw(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    key: Key,
    kind: Annotated[Kind, Form()],
    size: Annotated[int, Form()] = 200,
) -> Response:
    """Draw a sample."""
    try:
        made = room.draw(visitor.actor, workspace, checked(room.DrawRequest, kind=kind, size=size), key=key)
    except JiqunError as error:
        return _overview(request, visitor, workspace, kind=kind, refused=error)
    return see_other(f"/classify/samples/{made.id}")


@router.post("/train")
def train(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, key: Key, kind: Annotated[Kind, Form()]
) -> Response:
    """Train on all labels of a kind of text."""
    try:
        done = room.train(visitor.actor, workspace, room.TrainRequest(kind=kind), key=key)
    except JiqunError as error:
        return _overview(request, visitor, workspace, kind=kind, refused=error)
    return see_other(f"/jobs/{done.job}")


@router.post("/choose")
def choose(
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    key: Key,
    kind: Annotated[Kind, Form()],
    by: Annotated[str, Form(pattern="^(model|lexicon)$")],
) -> Response:
    """Choose model or lexicon."""
    room.choose(visitor.actor, workspace, room.ChooseRequest(kind=kind, model=by == "model"), key=key)
    return see_other("/classify", done="chosen")


@router.get("/samples/{sample}")
def sample_page(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    sample: Id,
    start: Annotated[int, Query(ge=0, le=10_000)] = 0,
) -> Response:
    """The texts of a sample to label, and what to settle."""
    visitor.require("classify.items", *desk.WHO)
    found = find_sample(workspace, sample)
    texts = desk.sample_items(visitor.actor, workspace, sample)
    hand = found.hand_of(visitor.actor.id) or _free(found)
    agreed = room.agreement(visitor.actor, workspace, room.One(id=sample))
    shown = texts[start : start + ROWS]
    return page(
        request,
        visitor,
        "classify_sample.html",
        keep=False,
        sample=found,
        kind=KINDS[found.text_kind],
        hand=hand,
        shown=[(item, getattr(item, hand) if hand else None) for item in shown],
        labelled=sum(getattr(item, hand) is not None for item in texts) if hand else 0,
        total=len(texts),
        start=start,
        next=start + ROWS if start + ROWS < len(texts) else None,
        agreed=agreed,
        words=WORDS,
        notes={"saved": visitor.say("Saved."), "settled": visitor.say("Settled.")},
    )


def _free(sample: Sample) -> Hand | None:
    return "first" if sample.first is None else "second" if sample.second is None else None


@router.get("/samples/{sample}/sheet.csv")
def sheet(visitor: VisitorDep, workspace: WorkspaceDep, sample: Id) -> Response:
    """The sample as a sheet with one's own labels."""
    visitor.require("classify.export", *desk.WHO)
    found = find_sample(workspace, sample)
    hand = found.hand_of(visitor.actor.id) or _free(found)
    if hand is None:  # both annotators are other people: nothing of theirs goes out
        raise PermissionDeniedError("JQ-CLASSIFY-010", hand="first")
    content = desk.sheet(visitor.actor, workspace, sample, hand)
    return attachment(content.encode("utf-8-sig"), f"{sample}.csv", "text/csv; charset=utf-8")


@router.post("/samples/{sample}/label")
def label(
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    form: FormDep,
    sample: Id,
    key: Key,
    start: Annotated[int, Form(ge=0, le=10_000)] = 0,
) -> Response:
    """Save the labels of a page."""
    given = _labels(form)
    if given:
        room.label(visitor.actor, workspace, checked(room.LabelRequest, id=sample, labels=given), key=key)
    return see_other(f"/classify/samples/{sample}?start={start}", done="saved")


@router.post("/samples/{sample}/settle")
def settle(visitor: VisitorDep, workspace: WorkspaceDep, form: FormDep, sample: Id, key: Key) -> Response:
    """Settle disagreements."""
    given = _labels(form)
    if given:
        room.settle(visitor.actor, workspace, checked(room.SettleRequest, id=sample, labels=given), key=key)
    return see_other(f"/classify/samples/{sample}", done="settled")


def _labels(form: FormData) -> list[dict[str, Any]]:
    """The labels in a form, whose fields are called `item-12`."""
    return [
        {"item": name.removeprefix("item-"), "label": value}
        for name, value in form.items()
        if name.startswith("item-") and value
    ]
