"""The rooms of the console 各室: their operations and their pages. Adding a room adds a line to each."""

from __future__ import annotations

from fastapi import APIRouter

from jiqun.accounts.operations import ROOM as ACCOUNTS
from jiqun.assess.declared import ROOM as ASSESS
from jiqun.atlas.declared import ROOM as ATLAS
from jiqun.classify.room import ROOM as CLASSIFY
from jiqun.core.operation import Room
from jiqun.intake.place_room import ROOM as PLACE
from jiqun.intake.room import ROOM as INTAKE
from jiqun.roster.room import ROOM as ROSTER
from jiqun.store.room import ROOM as STORE
from jiqun.survey.room import ROOM as SURVEY
from jiqun.web.pages import (
    account,
    accounts,
    assess,
    assess_frontier,
    assess_index,
    belts,
    benchmark,
    chain_edit,
    chains,
    changes,
    classify,
    clusters,
    compare,
    core_share,
    data,
    diagnosis,
    firms,
    follow,
    forms,
    given,
    green,
    home,
    import_decisions,
    import_files,
    imports,
    invitation,
    jobs,
    journal,
    measures,
    method,
    mine,
    network,
    notices,
    parks,
    placing,
    readiness,
    regions,
    rosters,
    search,
    session,
    survey_edit,
    surveys,
)
from jiqun.web.pages import help as help_page
from jiqun.web.pages import map as map_page

ROOMS: tuple[Room, ...] = (ATLAS, CLASSIFY, INTAKE, PLACE, ROSTER, ACCOUNTS, STORE, SURVEY, ASSESS)
"""Rooms whose operations the API offers."""

UPLOADS: tuple[APIRouter, ...] = (import_files.router, import_files.api_router, given.upload_router)
"""Routers of what takes a file: it is streamed, and so they check their form themselves."""

PAGES: tuple[APIRouter, ...] = (
    account.router,
    accounts.router,
    assess.router,
    assess_frontier.router,
    assess_index.router,
    belts.router,
    benchmark.router,
    chain_edit.router,
    chains.router,
    changes.router,
    classify.router,
    clusters.router,
    compare.router,
    core_share.router,
    data.router,
    diagnosis.router,
    firms.router,
    follow.router,
    forms.router,
    given.router,
    green.router,
    help_page.router,
    home.router,
    import_decisions.router,
    imports.router,
    invitation.router,
    jobs.router,
    journal.router,
    map_page.router,
    measures.router,
    method.router,
    mine.router,
    network.router,
    notices.router,
    parks.router,
    placing.router,
    readiness.router,
    regions.router,
    rosters.router,
    search.router,
    session.router,
    survey_edit.router,
    surveys.router,
)
"""Routers of the pages; each form in them is checked by `jiqun.web.visitor.guard`."""
