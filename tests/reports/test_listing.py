"""What of single images goes into the page: which of them, their scores, their pictures, where eyes and mouth are."""

from __future__ import annotations

import base64
import json
import math

import numpy as np
import pyarrow as pa
import pytest
from handmade import Writer, picture, table_metric

from restorebench.bench.files import as_path
from restorebench.bench.storage import results
from restorebench.bench.storage.cell_tables import Stream
from restorebench.reports.costs import costs
from restorebench.reports.grid import grids
from restorebench.reports.leaderboard import board
from restorebench.reports.page.embedded import embedded
from restorebench.reports.page.listing import draw, listings
from restorebench.reports.page.media import NOTHING, media, pictures
from restorebench.reports.page.payload import payload, to_json


def listed(writer, budget=10**7):
    made = board(writer.load())
    return made, listings(made, grids(made.rows, made.columns), budget)


def column(packed: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed), dtype="<f4")


def test_every_score_is_in_the_payload(writer):
    rng = np.random.default_rng(0)
    values = {(split, name): rng.normal(25, 3, 40) for split in ("mild", "severe") for name in ("a", "b")}
    for (split, name), psnr in values.items():
        bad = {"s003": "boom"} if name == "b" else {}
        writer.cell(name, {"psnr": psnr, "ssim": psnr / 50}, split=split, failed=bad)
    made, found = listed(writer)
    (one,) = payload(made, found, [], costs(made), NOTHING, {})["sets"]
    assert one["samples"] == [f"s{i:03}" for i in range(40)]
    for (split, name), psnr in values.items():
        got = column(one["groups"][split]["scores"]["psnr"][name])
        expected = np.where((np.arange(40) == 3) & (name == "b"), np.nan, psnr).astype(np.float32)
        np.testing.assert_array_equal(got, expected)


def test_seeds_are_averaged_and_infinity_survives(writer):
    for seed, value in ((0, 1.0), (1, 3.0)):
        writer.cell("a", {"psnr": [value, math.inf]}, seed=seed)
    made, found = listed(writer)
    (one,) = payload(made, found, [], costs(made), NOTHING, {})["sets"]
    assert column(one["groups"]["mild"]["scores"]["psnr"]["a"]).tolist() == [2.0, math.inf]


def test_images_that_only_some_splits_have_keep_their_place(writer):
    writer.cell("a", {"psnr": [1.0, 2.0]}, samples=["x", "y"], split="mild")
    writer.cell("a", {"psnr": [3.0, 4.0]}, samples=["y", "z"], split="severe", severity=1)
    _, (one,) = listed(writer)
    assert one.samples == ("x", "y", "z")
    mild, severe = (meeting.scores["psnr"]["a"].tolist() for meeting in one.meetings)
    assert mild[:2] == [1.0, 2.0]
    assert severe[1:] == [3.0, 4.0]
    assert math.isnan(mild[2])
    assert math.isnan(severe[0])


def test_where_not_all_images_fit_the_extremes_stay_and_the_rest_is_drawn(writer):
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        writer.cell(name, {"psnr": rng.normal(25, 3, 500)})
    _, (one,) = listed(writer, budget=100 * 300)
    assert one.total == 500
    assert 50 < len(one.samples) < 200
    _, (whole,) = listed(writer)
    for name in ("a", "b"):
        few, all_ = one.meetings[0].scores["psnr"][name], whole.meetings[0].scores["psnr"][name]
        assert (few.min(), few.max()) == (all_.min(), all_.max())
        assert abs(few.mean() - all_.mean()) < 1.5
    _, (again,) = listed(writer, budget=100 * 300)
    assert again.samples == one.samples


def test_a_draw_does_not_depend_on_the_other_images():
    order = draw([f"s{i}" for i in range(20)])
    fewer = draw([f"s{i}" for i in range(10)])
    assert [i for i in order if i < 10] == fewer
    assert fewer != sorted(fewer)


def test_text_of_the_payload_cannot_leave_its_script_element():
    evil = {"</script><img src=x onerror=alert(1)>": "<!--<script>", "lone": "\udcff", "line": "\u2028&amp;"}
    text = to_json(evil)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == evil


def faces(writer: Writer, alignment: str, landmarks: str) -> None:
    cell = writer.cell("a", {"psnr": [1.0, 2.0]})
    (table,) = writer.load().tables
    told = {"alignment": [alignment, "none"], "landmarks": [landmarks, ""], "height": 512.0, "width": 512.0}
    rows = pa.Table.from_pandas(table.images.assign(**told), preserve_index=False)
    results.save(writer.out, cell, table.metrics, Stream(rows.schema, [rows]))


def test_eyes_and_mouth_of_aligned_faces_are_those_of_the_template(writer):
    faces(writer, "ffhq_512", "")
    _, (one,) = listed(writer)
    (eyes, mouth), unknown = one.crops
    assert unknown is None
    for box, points in ((eyes, [(193, 240), (319, 240)]), (mouth, [(201, 371), (313, 371)])):
        left, top, width, height = (512 * share for share in box)
        assert all(left < x < left + width and top < y < top + height for x, y in points)


def test_eyes_and_mouth_of_other_faces_are_at_their_landmarks(writer):
    faces(writer, "none", json.dumps([[100, 100], [160, 100], [130, 140], [110, 170], [150, 170]]))
    _, (one,) = listed(writer)
    (eyes, mouth), unknown = one.crops
    assert unknown is None
    for box, points in ((eyes, [(100, 100), (160, 100)]), (mouth, [(110, 170), (150, 170)])):
        left, top, width, height = (512 * share for share in box)
        assert all(left < x < left + width and top < y < top + height for x, y in points)
        assert width < 180


def test_a_store_of_before_shows_no_crops(writer):
    writer.cell("a", {"psnr": [1.0]})
    _, (one,) = listed(writer)
    assert one.crops == (None,)


# -- pictures ------------------------------------------------------------------------------------


@pytest.fixture
def pictured(writer):
    rng = np.random.default_rng(0)
    samples = [f"s{i}" for i in range(6)]
    hq = {s: picture(writer, rng, size=(64, 64)) for s in samples}
    for severity, split in enumerate(("mild", "severe")):
        lq = {s: picture(writer, rng, size=(64, 64)) for s in samples}
        for name in ("a", "b"):
            pixels = {s: {"hq": hq[s], "lq": lq[s], "restored": picture(writer, rng, size=(64, 64))} for s in samples}
            writer.cell(
                name, {"psnr": rng.normal(25, 1, 6)}, samples=samples, split=split, severity=severity, pixels=pixels
            )
        kept = {s: {"hq": hq[s], "lq": lq[s], "restored": lq[s]} for s in samples}
        writer.cell("input", {"psnr": rng.normal(20, 1, 6)}, samples=samples, split=split, pixels=kept)
    return writer


def test_pictures_inside_the_page_stay_within_their_budget_and_are_the_same_every_time(pictured):
    made, found = listed(pictured)
    store = made.results.store
    everything = embedded(store, found, made, 10**7)
    assert len(everything) == 6 + 2 * 6 + 2 * 2 * 6
    size = sum(map(len, everything.values()))
    some = embedded(store, found, made, size // 3)
    assert sum(map(len, some.values())) <= size // 3
    assert some == embedded(store, found, made, size // 3)


def test_worst_and_best_of_every_restorer_come_first(pictured):
    made, found = listed(pictured)
    (one,) = found
    everything = embedded(made.results.store, found, made, 10**7)
    half = embedded(made.results.store, found, made, sum(map(len, everything.values())) * 9 // 10)
    for meeting in one.meetings:
        for entrant in meeting.group.entrants:
            scores, digests = meeting.scores["psnr"][entrant.name], meeting.digests(entrant)
            assert digests[int(scores.argmin())] in half
            assert digests[int(scores.argmax())] in half


def test_media_are_the_pictures_of_the_store_and_nothing_else(pictured):
    _, found = listed(pictured)
    folder = pictured.out / "report" / "media"
    (folder / "ab").mkdir(parents=True)
    (folder / "ab" / f"{'ab' * 32}.png").write_bytes(b"of an earlier report")
    linked = media(pictured.store, found, pictured.out / "report")
    files = {path.stem: path for path in folder.rglob("*.png")}
    assert set(files) == linked.there
    assert len(files) == 6 + 2 * 6 + 2 * 2 * 6
    for sha256, path in files.items():
        assert path.parent.name == sha256[:2]
        assert path.samefile(pictured.store.image_path(sha256))
    assert not (folder / "ab").exists() or any((folder / "ab").iterdir())


def test_media_are_copies_where_hard_links_are_impossible(pictured, monkeypatch):
    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)
    _, found = listed(pictured)
    media(pictured.store, found, pictured.out / "report")
    for path in (pictured.out / "report" / "media").rglob("*.png"):
        assert path.read_bytes() == pictured.store.image_path(path.stem).read_bytes()
    before = {path: path.stat().st_mtime_ns for path in (pictured.out / "report" / "media").rglob("*.png")}
    media(pictured.store, found, pictured.out / "report")
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_a_restorer_that_hands_out_the_lq_names_no_pictures_of_its_own(pictured):
    made, found = listed(pictured)
    linked = media(pictured.store, found, pictured.out / "report")
    (one,) = payload(made, found, [], costs(made), linked, {})["sets"]
    assert one["groups"]["mild"]["made"]["input"] == "lq"


def test_weights_stand_beside_the_metric_and_the_restorer_that_use_them(writer):
    metric = table_metric("lpips", metric_id="lpips(net=alex) v1 backbone=abcdef12")
    writer.cell("a", {"lpips": [1.0]}, metrics=[metric], restorer_id='["x.A", {"name": "q=12345678"}] v1 gan=12345678')
    writer.plan(weights=[{"name": "backbone", "sha256": "abcdef12" + "0" * 56, "licence": "MIT", "verified": True}])
    made, found = listed(writer)
    data = payload(made, found, [], costs(made), NOTHING, {})
    assert data["metrics"]["lpips"]["weights"] == [["backbone", "abcdef12" + "0" * 56, "MIT"]]
    assert data["restorers"]["a"]["weights"] == [["gan", "12345678", "unknown licence"]]


def test_an_out_on_object_storage_is_linked_where_it_is(pictured):
    _, found = listed(pictured)
    report = as_path("s3://bucket/out/report")
    linked = media(pictured.store, found, report)
    assert linked.base == "../store/images/"
    assert linked.there == set(pictures(found))
