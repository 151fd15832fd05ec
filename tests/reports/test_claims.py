"""Numbers in print beside measured ones: compared only under the same conditions."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from handmade import PLAIN, table_metric

from restorebench.bench.spec import Spec
from restorebench.reports import claims
from restorebench.reports.build import build

PSNR = "psnr(recipe=pmrf,rgb,crop=0,peak=1,epsilon=1e-08) v1"
PRINTED = 25.15  # CodeFormer on GFP-GAN's LQ, as PMRF prints it
CONF = Path(__file__).resolve().parents[2] / "conf"


def measured(writer, value, *, metric_id=PSNR, name="CodeFormer", dataset="celeba_test", n=3000, differs="", **cell):
    scores = np.full(n, value)
    return writer.cell(
        "mine",
        {"psnr": list(scores)},
        metrics=[table_metric("psnr", metric_id=metric_id)],
        dataset=dataset,
        card={"name": name},
        dataset_card={"name": dataset, "differs": differs},
        **{"split": "given", **cell},
    )


def table(writer):
    return pd.read_csv(build(writer.out, shown=PLAIN).paths["published.csv"], keep_default_na=False)


def pmrf(writer):
    found = table(writer)
    return found[found["reported_by"] == "PMRF (ICLR2025)"].iloc[0]


def test_there_are_1590_numbers_in_print():
    assert len(claims.printed()) == 1590
    assert {item.seen for item in claims.printed()} == {"yes", "secondary", "ambiguous", "derived"}


@pytest.mark.parametrize(("value", "status"), [(25.18, "verified"), (25.12, "verified"), (25.4, "measured")])
def test_a_number_under_the_same_conditions_is_compared(writer, value, status):
    measured(writer, value)
    row = pmrf(writer)
    assert (row["printed"], row["status"], row["note"]) == (PRINTED, status, "")
    assert float(row["difference"]) == pytest.approx(value - PRINTED)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"metric_id": "psnr(rgb,peak=1,crop=0) v1"}, "metric (another recipe)"),
        ({"n": 40}, "images (40 of 3000)"),
        ({"split": "mild"}, "split (mild, in print: GFPGAN 3000 LQ"),
        ({"differs": "2999 images, expected 3000"}, "set (this copy differs from its card)"),
        ({"dataset": "celeba_test_daefr"}, "split (given, in print: GFPGAN 3000 LQ"),
        ({"name": "GFP-GAN 1.4"}, "system (release not stated)"),
    ],
)
def test_otherwise_it_says_which_key_differs(writer, change, key):
    measured(writer, 25.15, **change)
    row = pmrf(writer)
    assert row["note"].startswith("not comparable: ")
    assert key in row["note"]
    assert (row["status"], row["difference"], row["tolerance"]) == ("claimed", "", "")


def test_a_recipe_that_no_source_states_is_never_taken_for_ours(writer):
    measured(writer, 25.15)
    others = table(writer).query("reported_by != 'PMRF (ICLR2025)' and reported_by != 'BFRffusion (arXiv2312.15736)'")
    assert len(others)
    assert others["note"].str.contains("recipe not stated").all()


def test_other_sets_and_systems_have_no_lines(writer):
    measured(writer, 25.15, dataset="builtin")
    measured(writer, 25.15, name="a restorer of one's own", dataset="lfw_test")
    assert table(writer).empty
    assert "Numbers in print" not in build(writer.out, shown=PLAIN).paths["index.html"].read_text()


def test_the_page_shows_them_and_the_leaderboard_does_not(writer):
    measured(writer, 25.16)
    paths = build(writer.out, shown=PLAIN).paths
    page = paths["index.html"].read_text(encoding="utf-8")
    assert "Numbers in print" in page
    assert "verified" in page
    assert "PMRF" not in paths["leaderboard.csv"].read_text()


def test_names_belong_to_something_that_exists():
    names = claims.names()
    items = claims.printed()
    systems, sets = {item.system for item in items}, {item.dataset for item in items}
    assert {facts["system"] for facts in names["restorers"].values()} <= systems
    assert {facts["set"] for facts in names["datasets"].values()} <= sets
    assert set(names["metrics"]) <= {item.metric for item in items}
    documents = {item.reported_by for item in items}
    named = Counter(only for facts in names["restorers"].values() for only in facts.get("only", ()))
    assert set(named) | {by for facts in names["metrics"].values() for by in facts["recipes"]} <= documents
    splits = {(item.dataset, item.split) for item in items}
    for facts in names["datasets"].values():
        assert {(facts["set"], split) for several in facts["splits"].values() for split in several} <= splits
    for facts in names["metrics"].values():
        assert all(re.compile(recipe) for recipe in facts["recipes"].values())


def test_our_names_are_those_of_cards():
    sets = {path.stem for path in (CONF / "dataset").glob("*.yaml")}
    assert set(claims.names()["datasets"]) <= sets
    cards = {"DPE supervised", "DPE unpaired", "DPE (SL)", "DR2"}  # of experiments, and DR2 without a second stage
    for path in (CONF / "adapter").glob("*.yaml"):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if "???" not in content.values():
            cards.add(Spec.of(content, path.stem).build().card.name)
    assert set(claims.names()["restorers"]) <= cards
