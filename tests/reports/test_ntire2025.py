"""The challenge's score from the rows of its parts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from restorebench.reports.ntire2025 import score_rows
from restorebench.reports.rows import Row

VALUES = {"clipiqa": 0.7, "maniqa": 0.6, "musiq": 74.0, "qalign": 4.1, "niqe": 4.5, "fid_to_ffhq_512": 52.0}


def row(metric: str, value: float | None, **more: object) -> Row:
    plain = Row(
        "a",
        "wild",
        "given",
        "ntire2025",
        metric,
        metric,
        "1",
        value,
        None,
        None,
        450,
        0,
        1,
        None,
        1,
        1,
        True,
        "",
        "",
        "",
    )
    return replace(plain, **more)


def rows(**changed: float | None) -> list[Row]:
    return [row(metric, value) for metric, value in {**VALUES, **changed}.items()]


def test_it_is_the_challenges_sum() -> None:
    (score,) = score_rows(rows())
    assert score.value == pytest.approx(0.7 + 0.6 + 0.74 + 0.82 + 0.55 + 0.48)
    assert (score.metric, score.restorer, score.n, score.rank, score.note) == ("ntire2025", "a", 450, None, "")


def test_terms_do_not_fall_below_zero() -> None:
    (score,) = score_rows(rows(niqe=11.0, fid_to_ffhq_512=180.0))
    assert score.value == pytest.approx(0.7 + 0.6 + 0.74 + 0.82)


def test_without_a_part_there_is_no_score_but_its_name_and_the_rest() -> None:
    (score,) = score_rows(rows(clipiqa=None, fid_to_ffhq_512=None))
    assert score.value is None
    assert score.note == "no score without clipiqa, fid; the others add up to 2.7100"


def test_fid_to_the_references_is_not_the_challenges() -> None:
    parts = [one for one in rows() if not one.metric.startswith("fid")] + [row("fid", 3.0)]
    (score,) = score_rows(parts)
    assert "without fid" in score.note


def test_other_protocols_have_no_such_score() -> None:
    assert list(score_rows([replace(one, protocol="standard") for one in rows()])) == []
