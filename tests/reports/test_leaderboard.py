"""The leaderboard's rules, each on a store small enough to do the sum by hand."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import math
import shutil
import sys

import numpy as np
import pytest
import scipy.stats
from handmade import GAP, Writer, sha, table_metric

from restorebench.bench import trusted
from restorebench.bench.errors import ConfigError
from restorebench.reports.leaderboard import COLUMNS, board, from_frame, leaderboard, to_csv

ISSUE_COLUMNS = (
    "restorer,dataset,split,protocol,metric,metric_id,unit,value,ci_low,ci_high,n,n_failed,n_seeds,"
    "higher_is_better,rank,tier,reliable,dataset_digest,lq_digest,note"
)
REFERENCE = {"ranked": False, "card": {"input": "reference"}}
nan, inf = math.nan, math.inf


def at(writer: Writer, restorer: str, metric: str, split: str = "mild", **options):
    """The one row of a restorer, metric and split."""
    rows = board(writer.load(), **options).rows
    found = [r for r in rows if (r.restorer, r.metric, r.split) == (restorer, metric, split)]
    assert len(found) == 1, [(r.restorer, r.metric, r.split) for r in rows]
    return found[0]


def test_the_columns_are_those_of_the_design(writer):
    writer.cell("a", {"psnr": [1.0, 2.0]})
    assert ",".join(COLUMNS) == ISSUE_COLUMNS
    assert ",".join(leaderboard(writer.load()).columns) == ISSUE_COLUMNS
    assert to_csv(board(writer.load()).rows).decode().split("\n")[0] == ISSUE_COLUMNS


def test_a_value_is_the_mean_over_images(writer):
    writer.cell("a", {"psnr": [20.0, 30.0, 40.0]})
    row = at(writer, "a", "psnr")
    assert (row.value, row.n, row.n_failed, row.n_seeds, row.unit) == (30.0, 3, 0, 1, "1")
    assert row.reliable is True
    assert row.higher_is_better is True


class TestSameImages:
    def test_ranked_values_come_from_the_images_that_all_have(self, writer):
        samples = [f"s{i:03}" for i in range(200)]
        a, b = np.arange(200.0), np.arange(200.0) + 1
        writer.cell("a", {"psnr": a}, samples=samples, failed={"s000": "boom"})
        writer.cell("b", {"psnr": b}, samples=samples, failed={"s199": "boom"})
        assert at(writer, "a", "psnr").value == a[1:199].mean()
        assert at(writer, "b", "psnr").value == b[1:199].mean()
        assert at(writer, "a", "psnr").n == 198
        assert "on the 198 images that every ranked restorer has" in at(writer, "a", "psnr").note
        assert (at(writer, "a", "psnr").rank, at(writer, "b", "psnr").rank) == (2, 1)

    def test_failures_are_counted_and_never_become_scores(self, writer):
        writer.cell("a", {"psnr": [0.0, 30.0, 32.0]}, failed={"s000": "boom"})
        row = at(writer, "a", "psnr")
        assert (row.value, row.n, row.n_failed) == (31.0, 2, 1)

    def test_below_99_percent_a_restorer_is_shown_on_its_own_images_and_not_ranked(self, writer):
        writer.cell("whole", {"psnr": [20.0] * 50 + [10.0] * 50})
        writer.cell("also", {"psnr": [21.0] * 50 + [11.0] * 50})
        writer.cell("picks", {"psnr": [40.0] * 100}, failed={f"s{i:03}": "boom" for i in range(50, 100)})
        picks = at(writer, "picks", "psnr")
        assert (picks.value, picks.rank, picks.tier, picks.n, picks.n_failed) == (40.0, None, None, 50, 50)
        assert picks.note == "covers 50 of 100 images: not ranked"
        assert at(writer, "whole", "psnr").value == 15.0  # its half did not shrink the others' images
        assert at(writer, "whole", "psnr").n == 100

    def test_at_99_percent_it_is_ranked(self, writer):
        writer.cell("whole", {"psnr": [20.0] * 100})
        writer.cell("nearly", {"psnr": [21.0] * 100}, failed={"s007": "boom"})
        assert at(writer, "nearly", "psnr").rank == 1
        assert at(writer, "whole", "psnr").n == 99

    def test_unranked_rows_do_not_shrink_the_images(self, writer):
        writer.cell("a", {"psnr": [1.0, 2.0, 3.0]})
        writer.cell("reference", {"psnr": [inf, inf, inf]}, failed={"s001": "boom"}, **REFERENCE)
        assert at(writer, "a", "psnr").n == 3
        reference = at(writer, "reference", "psnr")
        assert (reference.value, reference.n, reference.rank, reference.note) == (inf, 2, None, "on 2 of 3 images")

    def test_an_image_that_all_fail_on_is_held_against_nobody(self, writer):
        for name in "ab":
            writer.cell(name, {"psnr": [nan, 1.0, 2.0]}, failed={"s000": "damaged image"})
        assert [at(writer, name, "psnr").rank for name in "ab"] == [1, 1]
        assert [at(writer, name, "psnr").n_failed for name in "ab"] == [1, 1]

    def test_a_restorer_alone_is_not_ranked_when_it_fails(self, writer):
        writer.cell("a", {"psnr": [nan, 1.0, 2.0]}, failed={"s000": "boom"})
        assert at(writer, "a", "psnr").rank is None

    def test_an_image_counts_by_its_pixels_not_only_its_name(self, writer):
        writer.cell("old", {"psnr": [1.0] * 200}, pixels={"s000": {"hq": sha("another picture")}})
        writer.cell("new", {"psnr": [2.0] * 200})
        assert at(writer, "new", "psnr").n == 199

    def test_a_limit_raised_for_one_restorer_leaves_the_other_unranked(self, writer):
        writer.cell("first", {"psnr": [1.0] * 5})
        writer.cell("later", {"psnr": [2.0] * 10})
        assert at(writer, "first", "psnr").note == "covers 5 of 10 images: not ranked"
        assert at(writer, "later", "psnr").rank == 1


class TestSeeds:
    def test_seeds_are_averaged_within_an_image_before_the_interval(self, writer):
        rng = np.random.default_rng(0)
        image, noise = rng.normal(0, 1, 12), rng.normal(0, 5, 12)
        for seed, sign in enumerate((1, -1)):
            writer.cell("a", {"psnr": image + sign * noise}, seed=seed)
        row = at(writer, "a", "psnr")
        low, high = scipy.stats.t.interval(0.95, 11, image.mean(), scipy.stats.sem(image))
        assert (row.n, row.n_seeds) == (12, 2)
        assert (row.value, row.ci_low, row.ci_high) == pytest.approx((image.mean(), low, high))

    def test_an_image_that_fails_with_one_seed_has_failed(self, writer):
        writer.cell("a", {"psnr": [1.0, 2.0, 3.0]}, seed=0)
        writer.cell("a", {"psnr": [1.0, 2.0, 3.0]}, seed=1, failed={"s002": "boom"})
        row = at(writer, "a", "psnr")
        assert (row.n, row.n_failed, row.value) == (2, 1, 1.5)


class TestMisses:
    def metric(self):
        return table_metric("identity", ["identity_cos", "identity_deg"])

    def test_misses_have_their_own_row_and_are_no_scores(self, writer):
        cos = [0.5] * 199 + [nan]
        writer.cell("a", {"identity_cos": cos, "identity_deg": cos}, metrics=[self.metric()])
        writer.cell("b", {"identity_cos": [0.25] * 200, "identity_deg": [0.25] * 200}, metrics=[self.metric()])
        missed = at(writer, "a", "identity_missed")
        assert (missed.value, missed.unit, missed.n, missed.higher_is_better) == (1.0, "images", 200, False)
        assert (missed.rank, missed.tier) == (None, None)
        assert at(writer, "b", "identity_missed").value == 0.0
        assert at(writer, "a", "identity_cos").value == 0.5
        assert at(writer, "b", "identity_cos").n == 199  # compared on the images that both have

    def test_missing_many_faces_does_not_pay(self, writer):
        writer.cell(
            "good", {"identity_cos": [0.9] * 5 + [0.1] * 5}, metrics=[table_metric("identity", ["identity_cos"])]
        )
        ruined = [0.8] * 5 + [nan] * 5
        writer.cell("ruins", {"identity_cos": ruined}, metrics=[table_metric("identity", ["identity_cos"])])
        assert at(writer, "ruins", "identity_cos").rank is None
        assert at(writer, "good", "identity_cos").value == pytest.approx(0.5)

    def test_other_metrics_have_the_row_only_when_something_was_missed(self, writer):
        writer.cell("a", {"psnr": [1.0, 2.0], "landmarks": [nan, 1.0]})
        metrics = {row.metric for row in board(writer.load()).rows}
        assert metrics == {"psnr", "landmarks", "landmarks_missed"}

    def test_an_error_is_not_a_miss(self, writer):
        errors = {"s000": {"niqe": "ValueError: 64 x 64 is too small"}}
        writer.cell("a", {"niqe": [nan, 1.0]}, score_errors=errors)
        assert "niqe_missed" not in {row.metric for row in board(writer.load()).rows}


class TestSetMetrics:
    def test_values_come_from_the_features_of_the_common_images(self, writer):
        features = np.random.default_rng(0).normal(0, 1, (200, 3)).astype(np.float32)
        reference = np.zeros((200, 3), np.float32)
        reference[:, 0] = np.arange(200)
        writer.features({sha("hq", f"s{i:03}"): reference[i] for i in range(200)})
        writer.cell("a", metrics=[GAP], features=features, failed={"s000": "boom"})
        writer.cell("b", metrics=[GAP], features=features + 1, failed={"s199": "boom"})
        expected = np.abs(features[1:199].mean(0) - reference[1:199].mean(0)).sum()
        row = at(writer, "a", "gap")
        assert row.value == pytest.approx(expected, rel=1e-5)
        assert (row.n, row.n_failed, row.rank, row.tier, row.ci_low) == (
            198,
            1,
            2 if row.value > at(writer, "b", "gap").value else 1,
            None,
            None,
        )
        assert "198 restored against the 198 references of faces" in row.note

    def test_few_images_make_it_unreliable(self, writer):
        features = [[float(i), 0.0] for i in range(99)]
        writer.features({sha("hq", f"s{i:03}"): [0.0, 0.0] for i in range(99)})
        writer.cell("a", metrics=[GAP], features=features)
        row = at(writer, "a", "gap")
        assert row.reliable is False
        assert "unreliable below 100 images" in row.note
        assert row.value == pytest.approx(49.0)

    def test_enough_images_make_it_reliable(self, writer):
        writer.features({sha("hq", f"s{i:03}"): [0.0, 0.0] for i in range(100)})
        writer.cell("a", metrics=[GAP], features=[[1.0, 0.0]] * 100)
        assert at(writer, "a", "gap").reliable is True
        assert "unreliable" not in at(writer, "a", "gap").note

    def test_seeds_are_compared_one_by_one_and_averaged(self, writer):
        writer.features({sha("hq", f"s{i:03}"): [0.0] for i in range(4)})
        writer.cell("a", metrics=[GAP], features=[[1.0]] * 4, seed=0)
        writer.cell("a", metrics=[GAP], features=[[3.0]] * 4, seed=1)
        assert at(writer, "a", "gap").value == pytest.approx(2.0)

    def test_one_image_says_that_it_is_not_defined(self, writer):
        writer.features({sha("hq", "s000"): [0.0]})
        writer.cell("a", metrics=[GAP], features=[[1.0]])
        row = at(writer, "a", "gap")
        assert (row.value, row.note) == (None, "not defined for 1 image")

    def test_damaged_features_are_a_reason_not_a_crash(self, writer):
        writer.features({sha("hq", f"s{i:03}"): [0.0] for i in range(3)})
        writer.cell("a", metrics=[GAP], features=[[1.0]] * 3)
        for file in (writer.out / "store" / "features").glob("*.npz"):
            file.write_bytes(b"nonsense")
        row = at(writer, "a", "gap")
        assert row.value is None
        assert row.note == "features damaged in the store; run the same command again"

    def test_values_that_came_without_features_hold_for_their_own_selection_only(self, writer):
        count = 200  # b has 99.5 % of them, so that a is compared on fewer beside it than alone
        writer.features({sha("hq", f"s{i:03}"): [0.0] for i in range(count)})
        writer.cell("a", metrics=[GAP], features=[[1.0]] * count)
        writer.cell("b", metrics=[GAP], features=[[1.0]] * count, failed={"s002": "boom"})
        known = writer.load()
        board(known)
        values = known.sets.to_bytes()
        shutil.rmtree(writer.out / "store" / "features")
        (writer.out / "store" / "sets").mkdir()
        (writer.out / "store" / "sets" / f"{hashlib.sha256(values).hexdigest()}.json").write_bytes(values)
        assert [row.value for row in board(writer.load()).rows] == [row.value for row in board(known).rows]
        row = board(writer.load(), ["a"]).rows[0]
        assert (row.value, row.note) == (
            None,
            "not known of this selection: the features stayed where the run was tracked",
        )

    def test_without_a_reference_it_says_so(self, writer):
        writer.cell("a", metrics=[GAP], features=[[1.0]] * 3, hq=False)
        assert at(writer, "a", "gap").note == "no reference"


class TestReasons:
    def test_a_skipped_metric_keeps_its_rows_and_its_reason(self, writer):
        skipped = table_metric(
            "lpips", skipped="weights lpips_alex are missing;\nrun: restorebench weights fetch lpips_alex"
        )
        writer.cell("a", {"psnr": [1.0, 2.0]}, metrics=[table_metric("psnr"), skipped])
        row = at(writer, "a", "lpips")
        assert row.value is None
        assert row.note == "skipped: weights lpips_alex are missing; run: restorebench weights fetch lpips_alex"

    def test_a_skipped_restorer_keeps_its_rows_and_its_reason(self, writer):
        writer.cell("a", {"psnr": [1.0, 2.0]})
        writer.cell("gfpgan", metrics=[table_metric("psnr")], samples=[], skipped="no weights")
        row = at(writer, "gfpgan", "psnr")
        assert (row.value, row.n, row.note) == (None, 0, "skipped: no weights")
        assert at(writer, "a", "psnr").n == 2

    def test_what_was_skipped_once_and_evaluated_later_is_there_once(self, writer):
        writer.cell("a", metrics=[table_metric("psnr")], samples=[], skipped="no weights", restorer_id="a v1")
        writer.cell("a", {"psnr": [1.0, 2.0]}, restorer_id="a v1 weights=1234")
        assert [r.restorer for r in board(writer.load()).rows] == ["a"]

    def test_a_metric_that_needs_a_reference_says_that_there_is_none(self, writer):
        errors = {f"s{i:03}": {"psnr": "no reference"} for i in range(2)}
        writer.cell("a", {"psnr": [nan, nan], "niqe": [3.0, 4.0]}, hq=False, score_errors=errors)
        assert at(writer, "a", "psnr").note == "no reference"
        assert at(writer, "a", "niqe").value == 3.5

    def test_a_metric_that_fails_everywhere_says_why(self, writer):
        errors = {f"s{i:03}": {"niqe": "ValueError: 64 x 64 is too small"} for i in range(2)}
        writer.cell("a", {"niqe": [nan, nan]}, score_errors=errors)
        assert at(writer, "a", "niqe").note == "ValueError: 64 x 64 is too small"

    def test_a_restorer_that_fails_everywhere_says_so(self, writer):
        writer.cell("a", {"psnr": [nan, nan]}, failed={"s000": "boom", "s001": "boom"})
        writer.cell("b", {"psnr": [1.0, 2.0]})
        assert at(writer, "a", "psnr").note == "no restored image: all 2 failed"

    def test_a_metric_computed_for_others_only_says_how_to_get_it(self, writer):
        writer.cell("a", {"psnr": [1.0, 2.0]})
        writer.cell("b", {"psnr": [1.0, 2.0], "lpips": [0.1, 0.2]})
        assert at(writer, "a", "lpips").note == "not computed; run a again with metric=[lpips]"

    def test_every_empty_value_has_a_reason(self, writer):
        writer.cell("a", {"psnr": [nan, nan], "lpips": [1.0, nan]}, hq=False)
        writer.cell("b", {"psnr": [1.0, 2.0]}, failed={"s000": "boom", "s001": "boom"})
        writer.cell("c", metrics=[GAP, table_metric("x", skipped="y")], features=[[1.0], [2.0]])
        assert all(row.note for row in board(writer.load()).rows if row.value is None)

    def test_a_metric_that_cannot_be_built_here_keeps_its_numbers(self, writer):
        info = table_metric("psnr")
        trusted.allow(["nowhere"])
        writer.cell("a", {"psnr": [1.0, 3.0]}, metrics=[info])
        path = next((writer.out / "store" / "cells").glob("*.parquet"))
        results = writer.load()
        broken = type(info)("psnr", "psnr v1", "pair", type(info.spec)("nowhere.Metric", {}))
        table = type(results.tables[0])(results.tables[0].cell, (broken,), results.tables[0].rows)
        row = board(type(results)(results.store, (table,), ())).rows[0]
        assert path.exists()
        assert (row.metric, row.value, row.rank, row.higher_is_better) == ("psnr", 2.0, None, None)
        assert row.note.startswith("nowhere.Metric cannot be built here")

    def test_a_metric_of_a_package_nobody_chose_is_not_built(self, writer):
        info = table_metric("psnr")
        writer.cell("a", {"psnr": [1.0, 3.0]}, metrics=[info])
        results = writer.load()
        foreign = type(info)("psnr", "psnr v1", "pair", type(info.spec)("antigravity.fly", {}))
        table = type(results.tables[0])(results.tables[0].cell, (foreign,), results.tables[0].rows)
        row = board(type(results)(results.store, (table,), ())).rows[0]
        assert row.value == 2.0
        assert "trust=[antigravity]" in row.note
        assert "antigravity" not in sys.modules

    def test_few_images_say_that_no_ranking_follows(self, writer):
        for name in "ab":
            writer.cell(name, {"psnr": [1.0, 2.0, 3.0, 4.0, 5.0]})
        assert at(writer, "a", "psnr").note == "n=5: no ranking follows"

    def test_twenty_images_say_nothing(self, writer):
        for name in "ab":
            writer.cell(name, {"psnr": np.arange(20.0)})
        assert at(writer, "a", "psnr").note == ""

    def test_identical_images_of_a_real_restorer_are_pointed_out(self, writer):
        writer.cell("a", {"psnr": [30.0, inf, 32.0]})
        writer.cell("reference", {"psnr": [inf] * 3}, **REFERENCE)
        row = at(writer, "a", "psnr")
        assert row.value == inf
        assert "infinite in 1 of 3 images" in row.note
        assert at(writer, "reference", "psnr").note == ""
        assert at(writer, "reference", "psnr").ci_low is None


class TestRanks:
    def test_direction_and_ties(self, writer):
        for name, value in zip("abc", (0.1, 0.1, 0.3), strict=True):
            info = table_metric("lpips", higher=False)
            writer.cell(name, {"lpips": [value] * 3}, metrics=[info])
        assert [at(writer, name, "lpips").rank for name in "abc"] == [1, 1, 3]

    def test_tiers_follow_the_paired_tests_with_holms_correction(self, writer):
        rng = np.random.default_rng(0)
        hard = rng.normal(25, 3, 30)
        scores = {
            "a": hard + 1 + rng.normal(0, 0.3, 30),
            "b": hard + rng.normal(0, 0.3, 30),
            "c": hard + rng.normal(0, 0.3, 30),
        }
        for name, values in scores.items():
            writer.cell(name, {"psnr": values})
        p = sorted(
            scipy.stats.wilcoxon(scores[x] - scores[y], method="exact").pvalue
            for x, y in itertools.combinations("abc", 2)
        )
        assert p[0] * 3 < 0.05
        assert p[1] * 2 < 0.05
        assert p[2] > 0.05
        assert [at(writer, name, "psnr").tier for name in "abc"] == [1, 2, 2]

    def test_five_images_put_everybody_into_one_tier(self, writer):
        for i, name in enumerate("abc"):
            writer.cell(name, {"psnr": np.arange(5.0) + 10 * i})
        assert [at(writer, name, "psnr").tier for name in "abc"] == [1, 1, 1]
        assert [at(writer, name, "psnr").rank for name in "abc"] == [3, 2, 1]

    def test_restorers_are_ordered_by_the_metrics_of_sort(self, writer):
        for name, psnr, lpips in (("a", 30.0, 0.3), ("b", 20.0, 0.1), ("c", 25.0, 0.2)):
            metrics = [table_metric("psnr"), table_metric("lpips_alex", higher=False)]
            writer.cell(name, {"psnr": [psnr] * 2, "lpips_alex": [lpips] * 2}, metrics=metrics)
        order = [r.restorer for r in board(writer.load()).rows if r.metric == "psnr"]
        assert order == ["b", "c", "a"]
        assert [r.restorer for r in board(writer.load(), sort=["psnr"]).rows if r.metric == "psnr"] == ["a", "c", "b"]


class TestNames:
    def test_one_name_with_two_identities_is_two_restorers(self, writer):
        writer.cell("codeformer", {"psnr": [1.0, 2.0]}, restorer_id="w=0.5")
        writer.cell("codeformer", {"psnr": [3.0, 4.0]}, restorer_id="w=1.0")
        names = {row.restorer for row in board(writer.load()).rows}
        assert len(names) == 2
        assert all(name.startswith("codeformer~") for name in names)

    def test_one_split_drawn_twice_is_two_splits(self, writer):
        writer.cell("a", {"psnr": [1.0, 2.0]}, split_id="seed=0")
        writer.cell("a", {"psnr": [1.0, 2.0]}, split_id="seed=1")
        assert len({row.split for row in board(writer.load()).rows}) == 2

    def test_numbers_of_two_metric_identities_never_mix(self, writer):
        writer.cell("a", {"niqe": [1.0]}, metrics=[table_metric("niqe", metric_id="niqe matlab")])
        writer.cell("b", {"niqe": [2.0]}, metrics=[table_metric("niqe", metric_id="niqe official")])
        rows = board(writer.load()).rows
        assert len({row.metric for row in rows}) == 2
        assert sorted(row.value for row in rows if row.value is not None) == [1.0, 2.0]
        assert all(row.rank in (1, None) for row in rows)

    def test_select_keeps_only_some_restorers(self, writer):
        writer.cell("a", {"psnr": [1.0, 2.0]})
        writer.cell("b", {"psnr": [1.0, 2.0]})
        assert {r.restorer for r in board(writer.load(), select=["b"]).rows} == {"b"}

    def test_select_of_an_unknown_restorer_suggests(self, writer):
        writer.cell("gfpgan", {"psnr": [1.0]})
        with pytest.raises(ConfigError, match="Did you mean 'gfpgan'"):
            board(writer.load(), select=["gfgan"])


class TestDigests:
    def test_equal_data_have_equal_digests_whatever_the_restorer(self, writer):
        writer.cell("a", {"psnr": [1.0, 2.0]})
        writer.cell("b", {"psnr": [1.0, 2.0]}, failed={"s000": "boom"})
        a, b = at(writer, "a", "psnr"), at(writer, "b", "psnr")
        assert (a.dataset_digest, a.lq_digest) == (b.dataset_digest, b.lq_digest)

    def test_synthesised_lq_change_only_their_own_digest(self, writer):
        writer.cell("a", {"psnr": [1.0, 2.0]}, split="mild")
        writer.cell("a", {"psnr": [1.0, 2.0]}, split="severe")
        mild, severe = at(writer, "a", "psnr"), at(writer, "a", "psnr", "severe")
        assert mild.dataset_digest == severe.dataset_digest
        assert mild.lq_digest != severe.lq_digest

    def test_given_lq_belong_to_the_data_set(self, writer):
        changed = {"s000": {"lq": sha("other")}}
        writer.cell("a", {"psnr": [1.0, 2.0]}, split="given", split_id="", dataset="x")
        writer.cell("a", {"psnr": [1.0, 2.0]}, split="given", split_id="", dataset="y", pixels=changed)
        rows = {row.dataset: row for row in board(writer.load()).rows}
        assert rows["x"].dataset_digest != rows["y"].dataset_digest


class TestBytes:
    def fill(self, writer, order):
        values = np.random.default_rng(0).normal(25, 3, (3, 25))
        for i in order:
            writer.cell("abc"[i], {"psnr": values[i], "lpips": values[i] / 100}, seconds=float(np.random.rand()))

    def test_equal_results_in_another_order_give_equal_bytes(self, tmp_path):
        one, other = Writer(tmp_path / "one"), Writer(tmp_path / "a longer name")
        self.fill(one, [0, 1, 2])
        self.fill(other, [2, 0, 1])
        one.plan(started="2026-01-01T00:00:00", command=["here"])
        other.plan(started="2027-01-01T00:00:00", command=["there"])
        assert to_csv(board(one.load()).rows) == to_csv(board(other.load()).rows)

    def test_floats_are_whole_and_missing_is_empty(self, writer):
        writer.cell("a", {"psnr": [0.1, 0.2]})
        writer.cell("reference", {"psnr": [inf, inf]}, **REFERENCE)
        text = to_csv(board(writer.load()).rows).decode()
        assert "\r" not in text
        assert text.endswith("\n")
        rows = {row["restorer"]: row for row in csv.DictReader(io.StringIO(text))}
        assert float(rows["a"]["value"]) == (0.1 + 0.2) / 2
        assert rows["reference"]["value"] == "inf"
        assert (rows["reference"]["rank"], rows["a"]["ci_low"]) == ("", "")
        assert (rows["a"]["higher_is_better"], rows["a"]["rank"]) == ("true", "1")

    def test_names_with_commas_quotes_and_other_letters_survive(self, writer):
        writer.cell('a, "b"\u00e9', {"psnr": [1.0]})
        text = to_csv(board(writer.load()).rows).decode("utf-8")
        assert next(csv.DictReader(io.StringIO(text)))["restorer"] == 'a, "b"\u00e9'

    def test_the_table_goes_to_pandas_and_back(self, writer):
        writer.cell("a", {"psnr": [0.1, 0.2]})
        writer.cell("b", {"psnr": [nan, nan]}, failed={"s000": "x", "s001": "y"})
        made = board(writer.load())
        rows, columns = from_frame(made.frame)
        assert rows == made.rows
        assert {n: (c.label, c.digits) for n, c in columns.items()} == {
            n: (c.label, c.digits) for n, c in made.columns.items()
        }


def test_splits_come_in_order_of_severity(writer):
    for severity, split in enumerate(("mild", "medium", "severe")):
        writer.cell("a", {"psnr": [1.0]}, split=split, severity=severity)
    assert [row.split for row in board(writer.load()).rows] == ["mild", "medium", "severe"]


def test_metrics_come_in_the_order_of_the_latest_plan(writer):
    writer.cell("a", {"lpips": [1.0], "psnr": [1.0], "added": [2.0]})
    writer.plan(metrics=["psnr", "lpips"])
    assert [row.metric for row in board(writer.load()).rows] == ["psnr", "lpips", "added"]
