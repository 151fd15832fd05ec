"""Leakage: what a restorer has seen in training that its scores are made from.

A restorer trained on the images it is tested on, or with the network that scores it, has an advantage that does not
carry over to other images or other eyes.  Found by the names in the cards; what a card does not say stays unseen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_LPIPS_NETS = ("alex", "vgg", "squeeze")
_NETWORKS = (
    # word in a loss, pattern in a metric's identity, the metric's network
    ("vgg", r"net=vgg|name=(lpips-vgg|dists)|\bdists\(", "a relative of this metric's VGG16"),
    ("arcface", r"arcface", "the kind of network this metric asks"),
)


def of_data(card: Mapping[str, Any], dataset_card: Mapping[str, Any]) -> str:
    """Say which training set the test images come from; empty when none is known.

    Args:
        card: the restorer's, as plain data; `trained_on` counts.
        dataset_card: the set's, as plain data; its name and `drawn_from` count.
    """
    sources = [str(dataset_card.get("name", "")), *map(str, dataset_card.get("drawn_from") or ())]
    trained_on = map(str, card.get("trained_on") or ())
    seen = [name for name in trained_on if any(source and _names(name, source) for source in sources)]
    return f"leakage: trained on {', '.join(seen)}, where these images come from" if seen else ""


def of_metric(card: Mapping[str, Any], metric_id: str) -> str:
    """Say which training loss uses what the metric measures with; empty when none is known.

    Args:
        card: the restorer's, as plain data; `losses` count.
        metric_id: identity of the metric.
    """
    found = [f"{loss}, {what}" for loss in map(str, card.get("losses") or ()) if (what := _shared(loss, metric_id))]
    return f"leakage: trained with {'; '.join(found)}" if found else ""


def known(card: Mapping[str, Any], sets: Mapping[str, Mapping[str, Any]], metrics: Mapping[str, str]) -> Iterator[str]:
    """Yield every leakage of a restorer in a report, one line each.

    Args:
        card: the restorer's.
        sets: data set -> its card.
        metrics: label of each metric -> its identity.
    """
    for name, dataset_card in sets.items():
        if leak := of_data(card, dataset_card):
            yield f"{name}: {leak.removeprefix('leakage: ')}"
    for label, metric_id in metrics.items():
        if leak := of_metric(card, metric_id):
            yield f"{label}: {leak.removeprefix('leakage: ')}"


def _names(text: str, name: str) -> bool:
    """Say whether a name occurs in a text as a whole word; CelebA-HQ is made from CelebA and counts as it."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None


def _shared(loss: str, metric_id: str) -> str:
    """Say what a loss has in common with a metric."""
    loss, identity = loss.lower(), metric_id.lower()
    named = re.match(r"pyiqa\(name=(\w+)|(\w+)\(", identity)
    kind = (named[1] or named[2]) if named else identity.partition(" ")[0]
    if kind == "lpips" and "lpips" in loss:
        of_loss, of_metric = (next((n for n in _LPIPS_NETS if n in text), "") for text in (loss, identity))
        return "this metric" if of_loss in {"", of_metric} else "this metric with another network"
    networks = (what for word, pattern, what in _NETWORKS if word in loss and re.search(pattern, identity))
    return next(networks, "this metric" if _names(loss, kind) else "")
