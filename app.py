"""Starts the dashboard: `streamlit run app.py`."""

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import Route

from advisor.api.routes import api_routes
from advisor.ui.address import folder
from advisor.ui.gate import Gate
from advisor.ui.limits import Limits
from advisor.ui.login_page import ROUTES as LOGIN
from advisor.ui.metrics import Responses, metrics
from advisor.ui.ownership import CLAIM_PATH, own
from advisor.ui.parts.navigation import MOVED
from advisor.ui.picker_routes import ROUTES as PICKERS
from advisor.ui.report_routes import ROUTES as REPORTS
from advisor.ui.report_routes import OldLinks, report_for_programs
from advisor.ui.server import SCRIPT, SecurityHeaders, favicon, healthz, lifespan, moved, readyz, robots
from advisor.ui.start_page import StartPage
from advisor.ui.static_files import CompressedFiles
from advisor.ui.visitor import visitor_of
from advisor.ui.your_machine import YourMachine

AROUND = (Responses, SecurityHeaders, Gate, Limits, CompressedFiles, OldLinks, YourMachine, StartPage)

app = st.App(
    SCRIPT,
    routes=[
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        Route("/robots.txt", robots),
        *(Route(f"{above}{path}", favicon) for above in {"", folder()} for path in ("/favicon.ico", "/favicon.png")),
        Route(CLAIM_PATH + "/{code}", own),
        *LOGIN,
        *PICKERS,
        *REPORTS,
        # Streamlit's own folder holds its pages only.
        *api_routes(("", folder()), visitor_of, report_for_programs),
        *(Route(f"/{old}", moved) for old in MOVED),
    ],
    middleware=[Middleware(kind) for kind in AROUND],
    lifespan=lifespan,
)
