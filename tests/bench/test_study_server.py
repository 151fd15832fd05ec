"""The study's page through HTTP: every answer once, blind, and from nowhere else."""

import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from polls import Voter, pictures, served

from restorebench.bench.errors import StoreError
from restorebench.bench.study.ballots import NAME, Ballots, votes

RESTORERS = ["secret_a", "secret_b", "secret_c"]
HOSTILE = ["<img src=x onerror=alert(1)>", "../../etc/passwd", "a'; DROP TABLE pairs; --", "tab\tline\nend"]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("study") / "out"
    pictures(out, RESTORERS, HOSTILE)
    return out


@pytest.fixture
def out(filled: Path) -> Path:
    for file in filled.glob(f"{NAME}*"):
        file.unlink()
    return filled


@pytest.fixture
def address(out: Path) -> Iterator[str]:
    with served(out) as address:
        yield address


def rows(out: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(out / NAME)) as database:
        return database.execute("SELECT rater, trial, answer FROM pairs ORDER BY number").fetchall()


def test_every_pair_is_asked_once_and_then_the_study_is_over(address: str, out: Path) -> None:
    anna = Voter(address)
    for expected in range(12):
        state = anna.state()
        assert (state["answered"], state["asked"]) == (expected, 12)
        anna.answer("tie")
    assert anna.state()["pair"] is None
    assert len({trial for _, trial, _ in rows(out)}) == 12
    assert len(votes(out)) == 12


def test_a_reload_shows_the_same_pair_again(address: str, out: Path) -> None:
    anna = Voter(address)
    assert len({anna.state()["pair"]["token"] for _ in range(5)}) == 1
    assert len(rows(out)) == 1


def test_two_tabs_that_open_at_once_get_one_pair(address: str, out: Path) -> None:
    anna = Voter(address)
    cookies = dict(anna.session.cookies)
    with ThreadPoolExecutor(8) as tabs:
        states = list(
            tabs.map(lambda _: requests.get(f"{address}/state", cookies=cookies, timeout=10).json(), range(16))
        )
    assert len({state["pair"]["token"] for state in states}) == 1
    assert len(rows(out)) == 1


def test_an_answer_sent_twice_counts_once(address: str, out: Path) -> None:
    anna = Voter(address)
    token = anna.answer("left")
    again = anna.post("answer", token=token, answer="left")
    assert (again.status_code, again.json()["stands"], again.json()["answered"]) == (200, "left", 1)
    assert [answer for *_, answer in rows(out) if answer] == ["left"]


def test_of_two_tabs_that_disagree_the_first_stands_and_the_second_is_told(address: str, out: Path) -> None:
    anna = Voter(address)
    token = anna.answer("left")
    late = anna.post("answer", token=token, answer="right")
    assert (late.status_code, late.json()["stands"]) == (409, "left")
    assert late.json()["pair"]["token"] != token
    assert [answer for *_, answer in rows(out) if answer] == ["left"]


def test_many_tabs_that_answer_at_once_leave_one_answer(address: str, out: Path) -> None:
    anna = Voter(address)
    token = anna.state()["pair"]["token"]
    with ThreadPoolExecutor(8) as tabs:
        sent = list(tabs.map(lambda i: anna.post("answer", token=token, answer=("left", "right")[i % 2]), range(8)))
    assert sum(response.status_code == 200 for response in sent) == 4  # those that agree with what stands
    assert len(votes(out)) == 1


def test_undo_asks_the_same_pair_again_under_a_new_token(address: str, out: Path) -> None:
    anna = Voter(address)
    token = anna.answer("left")
    state = anna.post("undo", token=token).json()
    assert (state["answered"], state["undo"]) == (0, None)
    assert state["pair"]["token"] != token
    late = anna.post("answer", token=token, answer="left")  # a repetition that was on its way
    assert (late.status_code, late.json()["stands"]) == (409, None)
    assert votes(out) == []
    anna.answer("right")
    assert len(votes(out)) == 1


def test_undo_takes_back_the_latest_answer_and_only_that(address: str, out: Path) -> None:
    anna = Voter(address)
    first, second = anna.answer("left"), anna.answer("right")
    assert anna.state()["undo"] == second
    anna.post("undo", token=second)
    anna.post("undo", token=second)  # a double click
    assert anna.state()["undo"] == first
    assert len(votes(out)) == 1


def test_raters_are_kept_apart_and_a_name_continues_elsewhere(address: str, out: Path) -> None:
    anna, ben = Voter(address, "Anna"), Voter(address, "Ben")
    token = anna.answer("left")
    assert ben.post("answer", token=token, answer="right").json()["stands"] is None
    assert ben.picture(token, "left").status_code == 404
    assert ben.state()["answered"] == 0
    assert Voter(address, "  Anna ").state()["answered"] == 1
    assert Voter(address, "").state()["rater"] == ""
    assert Voter(address, "").state()["answered"] == 0


def test_without_a_name_nothing_is_asked_shown_or_taken(address: str, out: Path) -> None:
    stranger = Voter(address, None)
    assert stranger.state() == {"rater": None}
    token = Voter(address).state()["pair"]["token"]
    assert stranger.picture(token, "left").status_code == 401
    assert stranger.post("answer", token=token, answer="left").status_code == 401


def test_leaving_forgets_the_rater_and_keeps_the_answers(address: str, out: Path) -> None:
    anna = Voter(address)
    anna.answer("left")
    anna.post("leave")
    assert anna.state() == {"rater": None}
    assert len(votes(out)) == 1


def test_no_name_of_a_restorer_a_face_or_a_file_reaches_the_browser(address: str) -> None:
    anna = Voter(address)
    token = anna.state()["pair"]["token"]
    sent = [anna.session.get(f"{address}{path}", timeout=10) for path in ("/", "/state", "/study.js", "/study.css")]
    sent += [anna.picture(token, which) for which in ("left", "right", "lq")]
    sent += [anna.post("answer", token=token, answer="left"), anna.post("undo", token=token)]
    for response in sent:
        assert response.ok
        everything = response.content + json.dumps(dict(response.headers)).encode()
        for name in [*RESTORERS, "src=x", "passwd", "DROP", "severe"]:
            assert name.encode() not in everything


def test_pictures_are_those_of_the_pair(address: str, out: Path) -> None:
    from restorebench.bench.images import decode, pixel_digest

    anna = Voter(address)
    token = anna.state()["pair"]["token"]
    shown = [pixel_digest(decode(anna.picture(token, which).content, which)) for which in ("left", "right", "lq")]
    with closing(sqlite3.connect(out / NAME)) as database:
        assert tuple(shown) == database.execute("SELECT left_image, right_image, lq FROM pairs").fetchone()


@pytest.mark.parametrize(
    "path",
    [
        "picture/{token}/reference",
        "picture/{token}/..",
        "picture/{token}/%2e%2e%2f%2e%2e%2fstore",
        "picture/unknown/left",
        "picture/..%2f..%2fetc/left",
        "picture/%00/left",
        "store/plans",
        NAME,
        "../study.sqlite",
    ],
)
def test_nothing_but_the_pictures_of_a_pair_can_be_fetched(address: str, path: str) -> None:
    anna = Voter(address)
    request = requests.Request("GET", address, cookies=anna.session.cookies).prepare()
    request.url = f"{address}/{path.format(token=anna.state()['pair']['token'])}"  # as it is, `..` and all
    assert anna.session.send(request, timeout=10).status_code == 404


def test_the_degraded_image_can_be_withheld(out: Path) -> None:
    with served(out, show_lq=False) as address:
        anna = Voter(address)
        pair = anna.state()["pair"]
        assert pair["lq"] is False
        assert anna.picture(pair["token"], "lq").status_code == 404


# -- other pages --------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8750", "127.0.0.1.evil.example", "", "localhost.evil"])
def test_a_name_that_was_rebound_to_this_machine_is_refused(address: str, host: str) -> None:
    found = requests.get(f"{address}/state", headers={"Host": host}, timeout=10)
    assert found.status_code in (400, 421)
    assert "rater" not in found.text


@pytest.mark.parametrize("host", ["localhost:8750", "127.0.0.1:1", "[::1]:8750", "192.168.0.7:8750"])
def test_the_machine_itself_is_answered(address: str, host: str) -> None:
    assert requests.get(f"{address}/state", headers={"Host": host}, timeout=10).json() == {"rater": None}


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Study-Token": "wrong"},
        {"X-Study-Token": ""},
        {"X-Study-Token": "é"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
def test_an_answer_from_another_page_is_refused(address: str, out: Path, headers: dict[str, str]) -> None:
    anna = Voter(address)
    token = anna.state()["pair"]["token"]
    encoded = {name: value.encode("utf-8") for name, value in headers.items()}
    assert anna.post("answer", encoded, token=token, answer="left").status_code == 403  # type: ignore[arg-type]
    assert votes(out) == []


def test_every_response_forbids_foreign_scripts_frames_and_guesses(address: str) -> None:
    for path in ("/", "/state", "/nothing", "/study.js"):
        headers = requests.get(address + path, timeout=10).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in headers
    joined = requests.post(
        f"{address}/join", json={"name": ""}, headers={"X-Study-Token": Voter(address, None).token}, timeout=10
    )
    assert {"httponly", "samesite=strict"} <= set(joined.headers["Set-Cookie"].lower().split("; "))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"token": 1}', 400),
        (b"x" * 5000, 413),
        (b'{"answer": "best"}', 400),
        (b"\xff", 400),
    ],
)
def test_a_malformed_answer_is_refused(address: str, out: Path, body: bytes, status: int) -> None:
    anna = Voter(address)
    sent = anna.session.post(f"{address}/answer", data=body, headers={"X-Study-Token": anna.token}, timeout=10)
    assert sent.status_code == status
    assert votes(out) == []


def test_what_people_type_and_what_the_owner_asks_is_escaped(out: Path) -> None:
    with served(out, question="<script>alert(1)</script>") as address:
        page = requests.get(address, timeout=10).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;" in page
        assert Voter(address, "x" * 500).state()["rater"] == "x" * 80


# -- the file -----------------------------------------------------------------------------------


def test_another_server_on_the_same_answers_goes_on(out: Path) -> None:
    with served(out) as address:
        anna = Voter(address)
        token, cookies = anna.answer("left"), dict(anna.session.cookies)
    with served(out) as address:
        anna.address = address
        anna.session.cookies.update(cookies)
        assert anna.post("answer", token=token, answer="left").json()["answered"] == 1  # the open tab's token holds
        anna.answer("right")
    assert len(votes(out)) == 2


def test_an_answer_that_cannot_be_written_is_not_confirmed(address: str, out: Path) -> None:
    anna = Voter(address)
    token = anna.state()["pair"]["token"]
    (out / NAME).write_bytes(b"not a database" * 1000)
    refused = anna.post("answer", token=token, answer="left")
    assert refused.status_code == 503
    assert str(out) not in refused.text
    with pytest.raises(StoreError, match="move it away"):
        votes(out)
    (out / NAME).unlink()
    Ballots(out)
