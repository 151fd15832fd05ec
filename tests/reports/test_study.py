"""What a study asks of whom, and what the report makes of the answers."""

import csv
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
from handmade import PLAIN
from polls import deal, pictures

from restorebench.bench.errors import ConfigError
from restorebench.bench.study.ballots import Answer, Ballots, Trial
from restorebench.reports.build import build
from restorebench.reports.study.in_print import in_print
from restorebench.reports.study.section import HERE, Panel, study
from restorebench.reports.study.tables import latex, markdown

RESTORERS = ["aa", "bb", "cc", "dd"]
SAMPLES = [f"s{i}" for i in range(9)]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("study") / "out"
    pictures(out, RESTORERS, SAMPLES, ("mild", "severe"))
    return out


@pytest.fixture
def out(filled: Path) -> Path:
    for file in filled.glob("study.sqlite*"):
        file.unlink()
    return filled


def pair(trial: Trial) -> frozenset[str]:
    return frozenset({trial.left.restorer, trial.right.restorer})


# -- what is asked ------------------------------------------------------------------------------


def test_every_pair_on_every_face_is_asked_once(filled: Path) -> None:
    made = deal(filled, split="severe")
    asked = list(made.order(1))
    assert len(asked) == made.asked == made.total == 6 * 9
    assert len({(pair(trial), trial.sample) for trial in asked}) == 54
    assert {trial.split for trial in asked} == {"severe"}


@pytest.mark.parametrize("pairs", [6, 12, 30, 50])
def test_a_rater_meets_pairs_and_faces_about_equally_often(filled: Path, pairs: int) -> None:
    made = deal(filled, split="severe", pairs=pairs)
    for rater in (1, 2, 7):
        asked = list(made.order(rater))
        assert len(asked) == len({trial.key for trial in asked}) == pairs
        for counts, kinds in ((Counter(map(pair, asked)), 6), (Counter(trial.sample for trial in asked), 9)):
            spread = [*counts.values(), *[0] * (kinds - len(counts))]
            assert max(spread) - min(spread) <= 2


def test_all_raters_together_cover_everything_equally(filled: Path) -> None:
    made = deal(filled, split="severe", pairs=18)
    times = Counter(trial.key for rater in (1, 2, 3) for trial in made.order(rater))
    assert len(times) == 54
    assert set(times.values()) == {1}


def test_the_order_is_the_raters_own_and_the_same_every_time(filled: Path) -> None:
    made, again = deal(filled, pairs=20), deal(filled, pairs=20)
    assert list(made.order(1)) == list(again.order(1))
    assert [t.key for t in made.order(1)] != [t.key for t in made.order(2)]
    assert list(made.order(1)) != list(deal(filled, pairs=20, seed=1).order(1))


def test_a_study_that_is_stopped_early_is_balanced_too(filled: Path) -> None:
    made = deal(filled, split="severe")
    for rater in range(1, 6):
        counts = Counter(pair(trial) for trial in islice(made.order(rater), 12))
        assert set(counts.values()) <= {1, 2, 3}
        assert len(counts) == 6


def test_sides_are_random_and_balanced_for_every_pair(filled: Path) -> None:
    made = deal(filled, split="severe")
    first = []
    for rater in range(1, 9):
        lefts: dict[frozenset[str], list[str]] = {}
        for trial in made.order(rater):
            lefts.setdefault(pair(trial), []).append(trial.left.restorer)
        for of in lefts.values():
            assert abs(2 * Counter(of)[min(of)] - len(of)) <= 1 or len(set(of)) == 1 == len(of)
        first.append(
            tuple(side for _, of in sorted(lefts.items(), key=lambda item: sorted(item[0])) for side in of[:3])
        )
    assert len(set(first)) == len(first)


def test_pictures_that_are_equal_or_missing_are_not_shown(tmp_path: Path) -> None:
    from handmade import Writer, picture

    writer = Writer(tmp_path / "out")
    shas = [picture(writer, colour=value) for value in (10, 20, 30)]
    gone = "0" * 64
    for name, of in (("aa", [shas[0], shas[1], shas[2]]), ("bb", [shas[0], gone, shas[1]])):
        own = {f"s{i}": {"restored": sha} for i, sha in enumerate(of)}
        writer.cell(name, {"psnr": [1.0, 2.0, 3.0]}, samples=["s0", "s1", "s2"], pixels=own)
    assert [trial.sample for trial in deal(tmp_path / "out").order(1)] == ["s2"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"restorers": ["aa", "bbb"]}, r"no pictures of 'bbb'.*Did you mean"),
        ({"restorers": ["aa"]}, "two or more"),
        ({"split": "sever"}, r"no split 'sever'.*Did you mean 'severe'"),
    ],
)
def test_what_cannot_be_asked_is_said(filled: Path, settings: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        deal(filled, **settings)


def test_pictures_that_were_not_kept_are_named_with_the_remedy(tmp_path: Path) -> None:
    from handmade import Writer

    for name in ("aa", "bb"):
        Writer(tmp_path / "out").cell(name, {"psnr": [1.0, 2.0]})
    with pytest.raises(ConfigError, match="keep=true"):
        deal(tmp_path / "out")


# -- what is answered ---------------------------------------------------------------------------


def vote(out: Path, preferred: list[str], raters: int = 2, tie_every: int = 5, **settings: object) -> None:
    """Let raters prefer whoever comes first in `preferred`."""
    ballots, made = Ballots(out), deal(out, **settings)
    for number in range(raters):
        rater = ballots.join(f"rater {number}")
        order = tuple(made.order(rater.number))
        for i in range(len(order)):
            shown = ballots.present(rater, order)
            assert shown is not None
            sides = [preferred.index(side.restorer) for side in (shown.trial.left, shown.trial.right)]
            choice: Answer = "tie" if i % tie_every == 4 else "left" if sides[0] < sides[1] else "right"
            ballots.answer(rater, shown.token, choice)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_report_ranks_as_people_answered(out: Path) -> None:
    vote(out, ["cc", "aa", "dd", "bb"], split="severe")
    build(out, shown=PLAIN)
    ranked = read(out / "report" / "study_ranking.csv")
    assert [line["restorer"] for line in ranked] == ["cc", "aa", "dd", "bb"]
    assert [line["rank"] for line in ranked] == ["1", "2", "3", "4"]
    pairs = read(out / "report" / "study.csv")
    assert len(pairs) == 6
    for line in pairs:
        assert int(line["first_preferred"]) + int(line["ties"]) + int(line["second_preferred"]) == int(line["answers"])
        assert line["second_preferred"] == "0"
        assert (line["share"], line["raters"], line["faces"]) == ("1.0", "2", "9")
        assert 0 < float(line["ci_low"]) < 1
    assert sum(int(line["answers"]) for line in pairs) == 2 * 54


def test_splits_are_shown_apart_and_together(out: Path) -> None:
    vote(out, RESTORERS, pairs=40)
    build(out, shown=PLAIN)
    by_split = Counter()
    for line in read(out / "report" / "study.csv"):
        by_split[line["split"]] += int(line["answers"])
    assert by_split["mild"] + by_split["severe"] == by_split["all"] == 80


def test_equal_answers_give_equal_bytes(out: Path) -> None:
    vote(out, RESTORERS, split="severe", pairs=30)
    files = ("study.csv", "study_ranking.csv", "study.md", "study.tex", "index.html")
    build(out, shown=PLAIN)
    first = [(out / "report" / name).read_bytes() for name in files]
    build(out, shown=PLAIN)
    assert [(out / "report" / name).read_bytes() for name in files] == first


def test_open_pairs_and_answers_taken_back_count_for_nothing(out: Path) -> None:
    ballots, made = Ballots(out), deal(out, split="severe")
    rater = ballots.join("x")
    order = tuple(made.order(rater.number))
    shown = ballots.present(rater, order)
    assert shown is not None
    ballots.answer(rater, shown.token, "left")
    ballots.undo(rater, shown.token)
    build(out, shown=PLAIN)
    assert not (out / "report" / "study.csv").exists()


def test_answers_about_results_that_were_replaced_keep_a_name_of_their_own(out: Path) -> None:
    import sqlite3

    vote(out, RESTORERS, split="severe", pairs=30)
    with sqlite3.connect(out / "study.sqlite") as database:
        database.execute("UPDATE pairs SET left_id = 'older' WHERE left_restorer = 'aa' AND rater = 1")
    build(out, shown=PLAIN)
    names = {line["restorer"] for line in read(out / "report" / "study_ranking.csv")}
    assert {"aa", *RESTORERS} < names
    assert len([name for name in names if name.startswith("aa~")]) == 1


def test_select_leaves_the_others_out(out: Path) -> None:
    vote(out, RESTORERS, split="severe")
    build(out, select=["aa", "cc"], shown=PLAIN)
    assert [line["restorer"] for line in read(out / "report" / "study_ranking.csv")] == ["aa", "cc"]


def test_hostile_names_do_nothing_in_tables(tmp_path: Path) -> None:
    hostile = ["<script>alert(1)</script>", r"\input{x} & % $ _ ^ | `a` *b*"]
    pictures(tmp_path / "out", hostile, SAMPLES)
    vote(tmp_path / "out", hostile)
    build(tmp_path / "out", shown=PLAIN)
    report = tmp_path / "out" / "report"
    assert "<script>" not in (report / "study.md").read_text()
    assert r"\input" not in (report / "study.tex").read_text()
    assert "<script>alert" not in (report / "index.html").read_text()


# -- in print -----------------------------------------------------------------------------------


def test_the_user_study_of_dpe_is_shown_beside_dpe_and_only_there() -> None:
    assert in_print({"GFP-GAN 1.4", "CodeFormer"}) == []
    (printed,) = in_print({"DPE (UL)"})
    assert len(printed.votes) == 10 * 400
    names = {side: side[0] for v in printed.votes for side in (v.first, v.second)}
    found = study(Panel(printed.document, printed.name, "", 20, 20, printed.votes, totals=True), names)
    assert [line.restorer for line in found.standings] == ["DPE (ours)", "CLHE", "NPEA", "DPED", "CycleGAN"]
    assert [line.preferred for line in found.standings] == [1433, 993, 824, 657, 93]  # the totals it prints
    (line,) = [s for s in found.shares if (s.first, s.second) == ("DPE (ours)", "CycleGAN")]
    assert (line.first_preferred, line.answers, line.share) == (389, 400, 0.9725)
    assert (round(line.ci_low or 0, 4), round(line.ci_high or 0, 4)) == (0.9513, 0.9862)
    assert "| DPE \\(ours\\) |" in markdown([found]) or "DPE (ours)" in markdown([found])
    assert r"\toprule" in latex([found])


def test_tables_say_what_intervals_rest_on(out: Path) -> None:
    vote(out, ["cc", "aa", "dd", "bb"], split="severe")
    build(out, shown=PLAIN)
    text = (out / "report" / "study.md").read_text()
    assert "exact 95 % intervals" in text
    assert "half a vote" in text
    assert HERE not in text  # said only where numbers come from elsewhere
