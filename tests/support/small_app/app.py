"""The smallest app with our start page and script, for tests of what these do in a browser."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from advisor.ui.server import SecurityHeaders
from advisor.ui.start_page import StartPage
from advisor.ui.static_files import CompressedFiles

app = st.App(
    Path(__file__).with_name("page.py"),
    middleware=[
        Middleware(SecurityHeaders),
        Middleware(CompressedFiles),
        Middleware(
            StartPage,
            answer=lambda query: f"<h1>First answer to {len(query)} letters</h1>",
            pages=("", "other"),
        ),
    ],
)
