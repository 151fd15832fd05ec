"""The page on which people compare pictures, as a small web application.

Starlette and uvicorn serve it: MLflow brings both along, they are made for strangers' requests, and uvicorn ends
cleanly on a signal.  Names of restorers, faces and files never leave this module: a browser knows a pair by a random
token, and its pictures as that token's left and right.

Other web pages can neither read nor send anything: the `Host` header must be an address or this machine's own name
(a name that was rebound to this address is refused), a changing request must carry the page's token and come from
the page itself, and the page may load from nowhere else.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from ...reports.study.design import Design
from ..errors import ImageError, StoreError
from ..images import encode_png
from ..storage.store import Store
from .ballots import ANSWERS, LONGEST_NAME, Ballots, Pair, Rater

_TEMPLATES = Path(__file__).parents[2] / "reports" / "templates"
_POLICY = (
    "default-src 'none'; img-src 'self'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_LONGEST_BODY = 4096
_COOKIE_SECONDS = 90 * 24 * 3600


@dataclass(frozen=True)
class Study:
    """A study as it is served.

    Attributes:
        store: where the pictures are.
        ballots: where the answers go.
        design: what is asked.
        question: what people read above the pictures.
        show_lq: whether the degraded image may be looked at.
        warn: tells a problem to the person who serves the page.
    """

    store: Store
    ballots: Ballots
    design: Design
    question: str
    show_lq: bool
    warn: Callable[[str], None]


def application(study: Study) -> Starlette:
    """Return the application."""
    site = _Site(study)
    routes = [
        Route("/", site.page),
        Route("/study.js", _file("study.js", "text/javascript")),
        Route("/study.css", _file("study.css", "text/css")),
        Route("/favicon.ico", _nothing),
        Route("/state", site.state),
        Route("/picture/{token}/{which}", site.picture),
        *(
            Route(f"/{work.__name__}", site.posted(work), methods=["POST"])
            for work in (site.join, site.leave, site.answer, site.undo)
        ),
    ]
    made = Starlette(routes=routes, exception_handlers={StoreError: site.unavailable, _RefusedError: _refuse})
    made.add_middleware(BaseHTTPMiddleware, dispatch=site.guard)
    return made


class _RefusedError(Exception):
    """A request that is answered by a status and one line."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class _Site:
    """The endpoints; those without `async` run in threads."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._ballots = study.ballots
        self._cookie = f"rater-{study.ballots.key}"
        self._names = {"localhost", socket.gethostname().lower(), socket.getfqdn().lower()}
        self._order = lru_cache(maxsize=64)(lambda number: tuple(study.design.order(number)))

    # -- who may ask --------------------------------------------------------------------------

    async def guard(self, request: Request, call: RequestResponseEndpoint) -> Response:
        """Refuse foreign requests; give every response its headers."""
        try:
            self._check_host(request)
            if request.method not in ("GET", "HEAD"):
                self._check_sender(request)
            response = await call(request)
        except _RefusedError as refused:
            response = _refuse(request, refused)
        response.headers.update(_HEADERS)
        return response

    def _check_host(self, request: Request) -> None:
        name = _host_name(request.headers.get("host", ""))
        if name not in self._names and not _is_address(name):
            raise _RefusedError(421, "this server answers to its address or its machine's name only")

    def _check_sender(self, request: Request) -> None:
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
            raise _RefusedError(403, "this did not come from the page of the study")
        if not secrets.compare_digest(request.headers.get("x-study-token", "").encode(), self._ballots.token.encode()):
            raise _RefusedError(403, "the page is of another study; reload it")

    def _rater(self, request: Request) -> Rater | None:
        key = request.cookies.get(self._cookie, "")
        return self._ballots.rater(key) if key else None

    def _known(self, request: Request) -> Rater:
        rater = self._rater(request)
        if rater is None:
            raise _RefusedError(401, "nobody has said who is answering; reload the page")
        return rater

    # -- what is asked ------------------------------------------------------------------------

    def page(self, _request: Request) -> Response:
        """The page itself; it holds no picture's or restorer's name."""
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        templates = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
        html = templates.get_template("study_page.html.j2").render(
            token=self._ballots.token, question=self._study.question, longest_name=LONGEST_NAME
        )
        return HTMLResponse(html)

    def state(self, request: Request) -> Response:
        """What the rater is to answer next."""
        return JSONResponse(self._state(self._rater(request)))

    def _state(self, rater: Rater | None) -> dict[str, Any]:
        if rater is None:
            return {"rater": None}
        answered = self._ballots.answered(rater)
        pair = self._ballots.present(rater, self._order(rater.number))
        return {
            "rater": rater.name,
            "answered": answered,
            "asked": answered if pair is None else max(self._study.design.asked, answered + 1),
            "pair": None if pair is None else {"token": pair.token, "lq": self._shows_lq(pair)},
            "undo": self._ballots.last(rater),
        }

    def _shows_lq(self, pair: Pair) -> bool:
        return self._study.show_lq and bool(pair.trial.lq) and self._study.store.image_path(pair.trial.lq).exists()

    def picture(self, request: Request) -> Response:
        """One picture of a pair that was put before this rater."""
        pair = self._ballots.pair(self._known(request), request.path_params["token"])
        which = request.path_params["which"]
        if pair is None or which not in ("left", "right", "lq") or (which == "lq" and not self._shows_lq(pair)):
            raise _RefusedError(404, "no such picture")
        sha256 = {"left": pair.trial.left.image, "right": pair.trial.right.image, "lq": pair.trial.lq}[which]
        try:
            pixels = self._study.store.image(sha256)
        except ImageError:
            raise _RefusedError(404, "this picture is damaged in the store or was removed") from None
        return Response(encode_png(pixels), media_type="image/png")

    # -- what is answered ---------------------------------------------------------------------

    def posted(
        self, work: Callable[[Request, Mapping[str, str]], Response]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Read the fields of a request, then work in a thread."""

        async def handle(request: Request) -> Response:
            fields = await _fields(request)
            return await run_in_threadpool(work, request, fields)

        return handle

    def join(self, _request: Request, fields: Mapping[str, str]) -> Response:
        """Take a rater's name and remember them by a cookie."""
        rater = self._ballots.join(fields.get("name", ""))
        response = JSONResponse(self._state(rater))
        response.set_cookie(self._cookie, rater.key, max_age=_COOKIE_SECONDS, httponly=True, samesite="strict")
        return response

    def leave(self, _request: Request, _fields: Mapping[str, str]) -> Response:
        """Forget who answers in this browser; the answers stay."""
        response = JSONResponse(self._state(None))
        response.delete_cookie(self._cookie, httponly=True, samesite="strict")
        return response

    def answer(self, request: Request, fields: Mapping[str, str]) -> Response:
        """Record an answer; one that stands already is left as it is, and the page is told."""
        rater, answer = self._known(request), fields.get("answer", "")
        if answer not in ANSWERS:
            raise _RefusedError(400, f"answer: expected one of {', '.join(ANSWERS)}")
        stands = self._ballots.answer(rater, fields.get("token", ""), answer)
        return JSONResponse({"stands": stands, **self._state(rater)}, 200 if stands == answer else 409)

    def undo(self, request: Request, fields: Mapping[str, str]) -> Response:
        """Take an answer back; its pair is asked again."""
        rater = self._known(request)
        self._ballots.undo(rater, fields.get("token", ""))
        return JSONResponse(self._state(rater))

    def unavailable(self, _request: Request, error: Exception) -> Response:
        """Say that nothing was written; which file it was is for the person who serves."""
        self._study.warn(str(error))
        return JSONResponse({"error": "the answer could not be written; tell the person who runs the study"}, 503)


async def _fields(request: Request) -> dict[str, str]:
    """Return the JSON object of a request, if it is a small one of texts."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST_BODY:
            raise _RefusedError(413, f"more than {_LONGEST_BODY} bytes")
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise _RefusedError(400, "expected a JSON object of texts")
    return found


def _host_name(header: str) -> str:
    """Return the name in a `Host` header, without its port."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _nothing(_request: Request) -> Response:
    return Response(status_code=204)


def _file(name: str, kind: str) -> Callable[[Request], Response]:
    def send(_request: Request) -> Response:
        return Response((_TEMPLATES / name).read_bytes(), media_type=kind)

    return send


def _refuse(_request: Request, refused: Exception) -> Response:
    assert isinstance(refused, _RefusedError)
    return JSONResponse({"error": str(refused)}, refused.status)
