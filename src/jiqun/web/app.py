"""Puts the console together 控制台应用: rooms' pages and operations behind one shell."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from threading import BoundedSemaphore

from fastapi import Depends, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.gzip import GZipMiddleware

from jiqun import __version__
from jiqun.accounts.desk import flush
from jiqun.atlas.chain_records import shipped
from jiqun.store import Workspace
from jiqun.web import api, assets, errors, i18n
from jiqun.web.attempts import attempts
from jiqun.web.pages import clusters, import_files
from jiqun.web.rooms import PAGES, ROOMS, UPLOADS
from jiqun.web.settings import WebSettings
from jiqun.web.shell import Shell
from jiqun.web.turns import Turns
from jiqun.web.visitor import form_key, guard


def create_app() -> FastAPI:
    """The console of the workspace that `JIQUN_WORKSPACE` names, for `uvicorn --factory`.

    What stands in memory before the first visitor is set apart from the garbage collector, which else stops the whole
    process for a third of a second each time it looks through it.
    """
    workspace = Workspace.open(Path(os.environ["JIQUN_WORKSPACE"]))
    app = make_app(workspace)
    clusters.prepare(workspace)
    gc.collect()
    gc.freeze()
    return app


def make_app(workspace: Workspace, settings: WebSettings | None = None) -> FastAPI:
    """The console of a workspace 控制台; `settings` default to the workspace's."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        assets.assets()
        i18n.catalogue()
        shipped()
        form_key(workspace.path)  # before the first visitor waits for them
        yield
        await run_in_threadpool(flush, workspace)

    app = FastAPI(
        lifespan=lifespan,
        title="集群 jiqun",
        version=__version__,
        openapi_url=f"{api.PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.workspace = workspace
    app.state.settings = settings or WebSettings.of(workspace)
    app.state.rooms = ROOMS
    app.state.attempts = attempts()
    app.state.uploads = BoundedSemaphore(import_files.AT_ONCE)
    app.include_router(assets.router, include_in_schema=False)
    for router in UPLOADS:
        app.include_router(router)
    for router in PAGES:
        app.include_router(router, include_in_schema=False, dependencies=[Depends(guard)])
    app.include_router(api.routes(ROOMS))
    app.openapi = partial(api.describe, app)  # type: ignore[method-assign]
    errors.install(app)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=4)
    app.add_middleware(Turns)
    app.add_middleware(Shell, settings=app.state.settings)
    return app
