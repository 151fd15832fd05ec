"""Leakage: a restorer trained on the images, or with the network, that it is scored by is flagged in every table."""

from __future__ import annotations

import pytest
from handmade import PLAIN, Writer, table_metric

from restorebench.reports.build import build
from restorebench.reports.leaderboard import board
from restorebench.reports.leakage import of_data, of_metric
from restorebench.reports.page.origin import restorer_facts

LPIPS_VGG, LPIPS_ALEX = "lpips(net=vgg,version=0.1,range=[-1,1]) v1", "lpips(net=alex,version=0.1,range=[-1,1]) v1"
IDENTITY = "identity(net=arcface-w600k-mbf,crop=arcface112,range=[-1,1]) v1 arcface-w600k-mbf=9cc6e4a7"


@pytest.mark.parametrize(
    ("trained_on", "dataset", "seen"),
    [
        (["FFHQ"], {"name": "ffhq_512", "drawn_from": ["FFHQ"]}, "FFHQ"),
        (["FFHQ", "more faces"], {"name": "ffhq_512", "drawn_from": ["FFHQ"]}, "FFHQ"),
        (["CelebA"], {"name": "celeba_test", "drawn_from": ["CelebA-HQ", "CelebA"]}, "CelebA"),
        (["CelebA-HQ"], {"name": "mine", "drawn_from": ["CelebA"]}, "CelebA-HQ"),
        (["LFW"], {"name": "lfw"}, "LFW"),
        (["FFHQ"], {"name": "celeba_test", "drawn_from": ["CelebA-HQ", "CelebA"]}, ""),
        (["FFHQX"], {"name": "ffhq_512", "drawn_from": ["FFHQ"]}, ""),
        ([], {"name": "ffhq_512", "drawn_from": ["FFHQ"]}, ""),
        (["FFHQ"], {}, ""),
    ],
)
def test_training_images_are_flagged(trained_on, dataset, seen):
    expected = f"leakage: trained on {seen}, where these images come from" if seen else ""
    assert of_data({"trained_on": trained_on}, dataset) == expected


@pytest.mark.parametrize(
    ("loss", "metric_id", "flagged"),
    [
        ("LPIPS (VGG)", LPIPS_VGG, "LPIPS (VGG), this metric"),
        ("LPIPS (VGG)", LPIPS_ALEX, "LPIPS (VGG), this metric with another network"),
        ("LPIPS", LPIPS_ALEX, "LPIPS, this metric"),
        ("VGG19 perceptual", LPIPS_VGG, "VGG19 perceptual, a relative of this metric's VGG16"),
        ("VGG19 perceptual", LPIPS_ALEX, ""),
        ("VGG19 perceptual", "pyiqa(name=dists,version=0.1.15) v1", "VGG19 perceptual, a relative of this metric's VGG16"),
        ("ArcFace identity", IDENTITY, "ArcFace identity, the kind of network this metric asks"),
        ("SSIM", "ssim(rgb,peak=1) v1", "SSIM, this metric"),
        ("GAN", LPIPS_VGG, ""),
        ("L1", "psnr(rgb,peak=1,crop=0) v1", ""),
        ("L1", IDENTITY, ""),
    ],
)  # fmt: skip
def test_training_losses_that_share_the_metrics_network_are_flagged(loss, metric_id, flagged):
    expected = f"leakage: trained with {flagged}" if flagged else ""
    assert of_metric({"losses": [loss]}, metric_id) == expected


@pytest.fixture
def filled(writer: Writer) -> Writer:
    card = {"trained_on": ["FFHQ"], "losses": ["L1", "LPIPS (VGG)"]}
    metrics = [table_metric("psnr"), table_metric("lpips_vgg", metric_id=LPIPS_VGG)]
    scores = {"psnr": [1.0, 2.0], "lpips_vgg": [0.1, 0.2]}
    for dataset, drawn_from in (("ffhq_512", ["FFHQ"]), ("lfw_test", ["LFW"])):
        shared = {"metrics": metrics, "dataset": dataset, "dataset_card": {"name": dataset, "drawn_from": drawn_from}}
        writer.cell("leaky", scores, card=card, **shared)
        writer.cell("clean", scores, card={}, **shared)
        writer.cell("broken", scores, card=card, failed={"s000": "boom", "s001": "boom"}, **shared)
    return writer


def test_every_number_of_the_leaderboard_says_so(filled):
    notes = {(r.restorer, r.dataset, r.metric): r.note for r in board(filled.load()).rows}
    seen, shared = (
        "leakage: trained on FFHQ, where these images come from",
        "leakage: trained with LPIPS (VGG), this metric",
    )
    assert seen in notes["leaky", "ffhq_512", "psnr"]
    assert "trained with" not in notes["leaky", "ffhq_512", "psnr"]
    assert notes["leaky", "ffhq_512", "lpips_vgg"].endswith(f"{seen}; {shared}")
    assert notes["leaky", "lfw_test", "lpips_vgg"].endswith(shared)
    assert seen not in notes["leaky", "lfw_test", "lpips_vgg"]
    assert not any("leakage" in note for (restorer, *_), note in notes.items() if restorer != "leaky")


def test_the_page_lists_it_beside_the_restorer(filled):
    facts = {one.name: one.leakage for one in restorer_facts(board(filled.load()))}
    assert facts["leaky"] == (
        "ffhq_512: trained on FFHQ, where these images come from",
        "LPIPS_VGG: trained with LPIPS (VGG), this metric",
    )
    assert facts["clean"] == ()
    page = build(filled.out, shown=PLAIN).paths["index.html"].read_text()
    assert "ffhq_512: trained on FFHQ, where these images come from<br>LPIPS_VGG: trained with" in page
    assert "none known" in page
