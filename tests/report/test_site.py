"""The files of the site: what is on its pages and in its data, whatever records say."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferbench.cards import MethodCard
from ferbench.ranking.aggregate import boards
from ferbench.ranking.compare import compare
from ferbench.records import files
from ferbench.records.merge import Collected
from ferbench.records.schema import Outcome
from ferbench.registry.loader import load_registry
from ferbench.report.columns import REFERENCES, points
from ferbench.report.site.build import Material, build
from ferbench.report.site.folder import MANIFEST
from ferbench.report.site.names import board_key, key
from tests.made_records import Make
from tests.records.test_merge import changed, stored
from tests.report.made_site import EVIL, data, records, row_keys, site


def test_every_string_is_escaped_and_names_of_files_are_plain(made: Path) -> None:
    for path in made.rglob("*"):
        assert re.fullmatch(r"[a-z0-9_.-]+", path.name), path
        if path.suffix in (".html", ".js", ".svg") and path.parent.name != "assets":
            assert "<script>alert" not in path.read_text(), path
    home = (made / "index.html").read_text()
    page = (made / "methods" / f"{key(EVIL)}.html").read_text()
    assert home.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 8
    assert "<h1>&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;</h1>" in page
    assert data(made, key(EVIL))["method"] == EVIL, "what is data stays as it is"


def test_the_pages_ask_the_network_for_nothing(made: Path) -> None:
    for path in [*made.rglob("*.html"), *made.rglob("*.css")]:
        text = path.read_text()
        assert not re.search(r"""(src|href)=["']?(https?:|//)|@import|url\(""", text), path
        if path.suffix == ".html":
            assert "default-src 'none'" in text
            for target in re.findall(r'(?:src|href)="([^"#]+)', text):
                assert (path.parent / target).is_file(), f"{path.name} leads to {target}"


def test_what_the_home_page_shows(made: Path) -> None:
    home = (made / "index.html").read_text()
    assert re.findall(r'<td class="name" data-order="(\w+)"', home) == ["alpha", "beta", "gamma", "partial"]
    assert "beta/less" not in home, "ablations are asked for"
    assert "partial: not ranked, 1 of 2 trials done; missing are fold 1 of seed 0." in home
    assert "to beta" in home, "the difference to the baseline"
    for ending in ("csv", "json", "tex"):
        assert "alpha" in (made / "downloads" / f"leaderboard.{ending}").read_text()


def test_what_the_page_of_a_method_shows(made: Path) -> None:
    page = (made / "methods" / "beta.html").read_text()
    assert "No installed plugin has a method of this name" in page
    assert page.count('<details class="row"') == 2, "the full method and its ablation"
    assert page.index(">beta</summary>") < page.index(">beta/less</summary>"), "the full method first"
    assert '<td class="n">-10.0</td>' in page, "what the ablation costs"
    assert "out of memory" in page
    assert "training, step 3" in page
    assert "No trial of it has failed here" in (made / "methods" / "alpha.html").read_text()


def test_the_card_of_an_installed_method(make: Make, tmp_path: Path) -> None:
    folder = stored(tmp_path / "results", make("degan"), make("degan", 1))
    page = (
        site(folder, tmp_path / "site", methods=load_registry().catalogue(MethodCard)) / "methods" / "degan.html"
    ).read_text()
    assert "arXiv 1912.01456" in page
    assert "Stage 1, the generator. Our reading, unless marked (stated)." in page
    assert "synthesis (70 % of the steps), recognition (30 % of the steps)" in page
    row = re.search(
        r"<code>lr</code></td><td[^>]*><code>0.0005</code></td><td[^>]*>learning rate of the generator.</td>", page
    )
    assert row is not None


def test_a_stage_on_extra_data_is_no_part_of_the_budget(make: Make, tmp_path: Path) -> None:
    folder = stored(tmp_path / "results", make("derl"), make("derl", 1))
    page = site(folder, tmp_path / "site", methods=load_registry().catalogue(MethodCard)) / "methods" / "derl.html"
    assert (
        "pretraining (70 % of the steps on top, where there is an extra dataset), de_expression (70 % of the steps)"
        in (page.read_text())
    )


def test_a_trial_has_its_figures_and_its_curves(made: Path, make: Make) -> None:
    method = data(made, "alpha")
    trial = next(t for t in method["trials"] if t["at"] == [0, 0, 0])
    shared = method["shared"]
    accuracy = shared[trial["headings"]].index("accuracy %")
    assert trial["figures"][accuracy] == ["90.0", *("-" for _ in REFERENCES)]
    assert trial["confusion"] == [[18, 2], [0, 0]]
    assert dict(zip(shared[trial["subjects"]], zip(trial["frames"], trial["right"], strict=True), strict=True)) == {
        "P0": (10, 9), "P1": (10, 9),
    }  # fmt: skip
    assert ["preparation.image_size", "32"] in shared[trial["settings"]]
    assert not any(name in str(shared[trial["settings"]]) for name in ("P0", "P3")), "settings name no subject"
    curves = {curve["loss"]: curve for curve in trial["losses"]}
    assert set(curves) == {"training", EVIL, files.TEST_ACCURACY}
    assert len(curves["training"]["steps"]) == 80
    first = np.mean([2.0 / (step + 1) for step in range(7)])  # 500 steps in 80 parts: the first ones have seven
    assert curves["training"]["values"][0] == pytest.approx(first, rel=1e-3)
    assert trial["picture"] == f"pictures/{key(records(make)[0].trial.id)}.jpg"
    assert (made / trial["picture"]).stat().st_size > 100


def test_any_two_rows_are_compared_as_by_the_command(make: Make, tmp_path: Path) -> None:
    """In both directions, also where a row lacks a fold or the records do not hold the metric by subject."""
    rights = {"alpha": (9, 8, 9, 7, 9), "beta": (6, 6, 8, 7, 5), "gamma": (6, 7, 8, 7), "delta": (9, 8, 9, 7, 9)}
    made = [
        make(m, f, r, folds=5, seed=s) for m, column in rights.items() for f, r in enumerate(column) for s in (0, 1)
    ]
    target = site(stored(tmp_path / "results", *made), tmp_path / "site")
    board, rows = row_keys(target)
    assert set(rows) == set(rights)
    for ours in rights:
        said = data(target, f"pairs-{board}-{rows[ours]}")
        for theirs in set(rights) - {ours}:
            (wanted,) = compare(made, ours, theirs)
            difference, p, words = said[rows[theirs]]["accuracy"]
            assert difference.replace(" points", "") == points(wanted.difference)
            assert words == wanted.words()
            assert p == "-" or float(p.lstrip("< ")) == pytest.approx(wanted.difference.p, abs=1e-3)
            assert "their records do not hold it by subject" in said[rows[theirs]]["identity_leakage"]


def test_rows_of_other_backbones_are_not_compared(make: Make, tmp_path: Path) -> None:
    made = [make("alpha", f) for f in (0, 1)]
    for f in (0, 1):
        record = make("beta", f)
        backbone = dataclasses.replace(record.trial.identity.backbone, name="other")
        config = {**record.trial.config, "backbone": {"name": "other"}}
        identity = dataclasses.replace(record.trial.identity, backbone=backbone)
        made.append(changed(record, trial=dataclasses.replace(record.trial, identity=identity, config=config)))
    target = site(stored(tmp_path / "results", *made), tmp_path / "site")
    board, rows = row_keys(target)
    said = data(target, f"pairs-{board}-{rows['alpha']}")[rows["beta"]]["accuracy"]
    assert said == "alpha ran on net and beta on other; rows of one backbone are compared."


def test_permalinks_stay_where_results_are_added(make: Make, tmp_path: Path) -> None:
    first = [make(m, f) for m in ("alpha", "beta") for f in (0, 1)]
    more = [*first, *(make("gamma", f, 9) for f in (0, 1)), make("alpha", 0, dataset="another")]
    before = boards(first)
    after = boards(more)
    assert board_key(before[0]) in [board_key(board) for board in after]
    assert {row.key for row in before[0].rows} < {row.key for board in after for row in board.rows}
    assert len({board_key(board) for board in after}) == 2


def test_faces_of_licensed_datasets_stay_out(make: Make, tmp_path: Path) -> None:
    folder = stored(tmp_path / "results", make())
    np.save(Path(folder) / make().trial.id / "synthesis.npy", np.zeros((2, 2, 16, 16, 3), np.uint8))
    assert not (site(folder, tmp_path / "one") / "pictures").exists()
    assert list((site(folder, tmp_path / "two", faces={"made"}) / "pictures").iterdir())


def test_a_grid_of_faces_that_cannot_be_read_costs_itself_only(make: Make, tmp_path: Path) -> None:
    folder = stored(tmp_path / "results", make())
    (Path(folder) / make().trial.id / "synthesis.npy").write_bytes(b"nothing")
    assert (site(folder, tmp_path / "site", faces={"made"}) / "index.html").is_file()


def test_a_row_whose_trials_all_failed(make: Make, tmp_path: Path) -> None:
    found = boards([], [Outcome(make().trial, "failed", "no luck")])
    build(Material(Collected(failures=[Outcome(make().trial, "failed", "no luck")]), found, found), tmp_path / "site")
    page = (tmp_path / "site" / "methods" / "m.html").read_text()
    assert "Every trial failed." in page
    assert "no luck" in page


def test_a_site_is_written_again_without_what_it_no_longer_has(make: Make, tmp_path: Path) -> None:
    one = stored(tmp_path / "one", make("alpha"), make("alpha", 1), make("beta"), make("beta", 1))
    two = stored(tmp_path / "two", make("alpha"), make("alpha", 1))
    target = tmp_path / "site"
    site(one, target)
    (target / "methods" / "mine.html").write_text("not ferbench's")
    assert (target / "methods" / "beta.html").is_file()
    site(two, target)
    assert {path.name for path in (target / "methods").iterdir()} == {"alpha.html", "mine.html"}
    assert not (target / "data" / "beta.js").exists()


@pytest.mark.parametrize("name", ["../outside.txt", "{tmp_path}/outside.txt", "link/outside.txt"])
def test_nothing_outside_of_the_site_is_removed(make: Make, tmp_path: Path, name: str) -> None:
    """The list of an earlier site may have come from somebody else."""
    (tmp_path / "outside.txt").write_text("kept")
    target = tmp_path / "site"
    target.mkdir()
    (target / "link").symlink_to(tmp_path)
    (target / MANIFEST).write_text(name.format(tmp_path=tmp_path) + "\n")
    site(stored(tmp_path / "results", make()), target)
    assert (tmp_path / "outside.txt").read_text() == "kept"


def test_a_record_whose_command_cannot_be_said_has_a_page(
    ferbench: Callable[..., Any], make: Make, tmp_path: Path
) -> None:
    """Its configuration says neither where results went nor what protocol it had."""
    folder = stored(tmp_path / "results", make(), make(fold=1))
    done = ferbench("site", folder, "--output", tmp_path / "site")
    assert done.status == 0, done.err
    assert "1 boards, 1 methods, 2 trials, " in done.out
    assert [trial["command"] for trial in data(tmp_path / "site", "m")["trials"]] == ["", ""]
