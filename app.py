"""Starts the dashboard: `streamlit run app.py`."""

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import Route

from advisor.api.routes import api_routes
from advisor.ui.address import folder
from advisor.ui.limits import Limits
from advisor.ui.ownership import CLAIM_PATH, own
from advisor.ui.parts.navigation import MOVED
from advisor.ui.picker_routes import ROUTES as PICKERS
from advisor.ui.server import SCRIPT, SecurityHeaders, frozen, healthz, lifespan, moved
from advisor.ui.start_page import StartPage
from advisor.ui.static_files import CompressedFiles

app = st.App(
    SCRIPT,
    routes=[
        Route("/healthz", healthz),
        Route("/s/{id}", frozen),
        Route(CLAIM_PATH + "/{code}", own),
        *PICKERS,
        # Streamlit's own folder holds its pages only.
        *api_routes(("", folder())),
        *(Route(f"/{old}", moved) for old in MOVED),
    ],
    middleware=[Middleware(SecurityHeaders), Middleware(Limits), Middleware(CompressedFiles), Middleware(StartPage)],
    lifespan=lifespan,
)
