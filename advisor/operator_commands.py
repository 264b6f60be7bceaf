"""What whoever operates the advisor for others runs: `serve`, `worker`, `mcp` and `admin`."""

from __future__ import annotations

import argparse
import json
import runpy
import sys
from functools import partial

from advisor.foundation.errors import InputError


def run(options: argparse.Namespace) -> str:
    """Run one of them; what is to be printed at its end."""
    return _COMMANDS[options.command](options)


def _serve(options: argparse.Namespace) -> str:
    if options.print_proxy or options.processes != 1:
        return _serve_many(options)
    from advisor.foundation.places import top_folder
    from advisor.report.loading import load_all

    # Streamlit listens before it loads anything: who comes meanwhile would wait here while another replica is idle.
    load_all()
    # Streamlit's own command, in this process; it reads the settings that lie beside the app.
    app = str(top_folder() / "app.py")
    sys.argv = ["streamlit", "run", app, "--server.port", str(options.port), "--server.address", options.address]
    runpy.run_module("streamlit", run_name="__main__")
    return ""


def _serve_many(options: argparse.Namespace) -> str:
    from advisor.deploy.processes import serve, served_folder
    from advisor.deploy.proxy import nginx_configuration

    if options.print_proxy:
        return nginx_configuration(options.port, options.address, options.processes, served_folder(), options.at)
    serve(options.port, options.address, options.processes, partial(print, flush=True))
    return ""


def _worker(options: argparse.Namespace) -> str:
    from advisor.quantize.worker import run_worker  # an optional part

    return run_worker(options.queue)


def _agents(options: argparse.Namespace) -> str:
    try:
        from advisor.api.agents import serve  # an optional part
    except ModuleNotFoundError as error:
        raise InputError(
            "The server for agents needs the package {name}: pip install -r advisor/api/requirements.txt.",
            name=error.name or "mcp",
        ) from None
    serve("http" if options.http else "stdio", options.address, options.port)
    return ""


def _admin(options: argparse.Namespace) -> str:
    from advisor.store import admin, open_store

    store = open_store()
    try:
        match options.admin:
            case "list":
                rows = admin.listed(store, options.limit)
                lines = (
                    f"{row.id}  {row.created_at:%Y-%m-%d}  "
                    f"{'never' if row.expires_at is None else format(row.expires_at, '%Y-%m-%d'):10}  "
                    f"{row.bytes:>9,}  {row.visibility:10}  {row.maker or row.owner}"
                    for row in rows
                )
                head = f"{'id':16}  {'created':10}  {'expires':10}  {'bytes':>9}  {'read by':10}  owner"
                return "\n".join((head, *lines))
            case "users":
                known = (
                    f"{user.last:%Y-%m-%d}  {user.frozen:>6,}  {user.bytes:>12,}  {user.runs:>6,}  {user.name}"
                    for user in admin.users(store)
                )
                return "\n".join((f"{'last':10}  {'frozen':>6}  {'bytes':>12}  {'runs':>6}  user", *known))
            case "revoke":
                if not admin.revoke(store, options.id):
                    raise InputError("There is no frozen recommendation {id}.", id=options.id[:40])
                return f"{options.id} was revoked."
            case "purge":
                return f"{admin.purge(store, options.older_than)} were removed."
            case "token":
                return _token(options)
            case "backup":
                return f"{admin.back_up(store, options.file)} rows were written."
            case "restore":
                return f"{admin.restore(store, options.file)} rows were restored."
            case _:
                return json.dumps(admin.usage(store), indent=1)
    finally:
        store.close()


def _token(options: argparse.Namespace) -> str:
    from advisor.store.tokens import Tokens

    tokens = Tokens.open()
    try:
        if options.revoke is not None:
            if not tokens.revoke(options.revoke):
                raise InputError("There is no token {id}.", id=options.revoke[:40])
            return f"{options.revoke} was revoked."
        if options.email is not None:
            secret, made = tokens.make(options.email, options.days)
            until = f"{made.expires_at:%Y-%m-%d}"
            return f"{secret}\nToken {made.id} of {made.email} works until {until}; it is not shown again."
        lines = (f"{one.id:12}  {one.expires_at:%Y-%m-%d}  {one.email}" for one in tokens.listed())
        return "\n".join((f"{'id':12}  {'expires':10}  address", *lines))
    finally:
        tokens.close()


_COMMANDS = {"serve": _serve, "worker": _worker, "mcp": _agents, "admin": _admin}
