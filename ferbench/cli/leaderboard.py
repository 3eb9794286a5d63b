"""`ferbench leaderboard`: records, aggregated with statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import rich_click as click

from ferbench.cli.options import (
    baseline_option,
    dataset_option,
    folders_argument,
    include_ablations_option,
    plugin_option,
    reported_option,
)
from ferbench.cli.output import printed, write
from ferbench.errors import FerbenchError

if TYPE_CHECKING:
    from ferbench.ranking.board import Board
    from ferbench.records.merge import Collected

FORMATS = ("table", "markdown", "csv", "json", "latex")


class Format(click.Choice[str]):
    """One of FORMATS."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value == "html":
            raise FerbenchError("Pages for a browser are written by 'ferbench site RESULTS --output DIR'.")
        return super().convert(value, param, ctx)


@click.command("leaderboard")
@folders_argument
@click.option("--format", "kind", type=Format(FORMATS), default="table", show_default=True)
@click.option("--output", metavar="FILE", help="Write to a file instead of the terminal.")
@dataset_option
@click.option(
    "--metric", "metrics", metavar="NAME", multiple=True, help="Show this metric; may be repeated. The first one ranks."
)
@click.option("--group", type=click.Choice(["backbone", "method"]), help="A board for each of these.")
@click.option("--by", "factor", metavar="FACTOR", help="Accuracy by subject, expression or any column of the frames.")
@include_ablations_option
@baseline_option
@click.option("--optimism", is_flag=True, help="Show what choosing the best epoch on the test fold would have claimed.")
@reported_option
@click.option(
    "--cost", is_flag=True, help="Show images seen, parameters, FLOPs, memory and time instead of further metrics."
)
@plugin_option
def command(
    folders: tuple[str, ...],
    kind: str,
    output: str | None,
    dataset: str | None,
    metrics: tuple[str, ...],
    group: str | None,
    factor: str | None,
    include_ablations: bool,
    baseline: str | None,
    optimism: bool,
    with_reported: bool,
    cost: bool,
    plugins: tuple[str, ...],
) -> None:
    """Rank what was run, from one or several results folders (default: results).

    A board holds what may be compared: the same data, protocol, classes, preparation, pretraining and budget. A row is a method
    variant on a backbone. Intervals are 95 %, with subjects and trainings as samples.
    Rows that lack folds are shown below, without a rank; rows that the data do not tell apart share one.

    \b
    ferbench leaderboard results/a results/b --baseline cross_entropy
    ferbench leaderboard --metric identity_leakage --metric accuracy
    ferbench leaderboard --by expression
    ferbench leaderboard --format latex --output board.tex
    """
    from ferbench.api.reading import chosen_boards, known_cards, published
    from ferbench.cli.records import collected
    from ferbench.ranking.aggregate import BoardQuery
    from ferbench.registry.loader import load_registry
    from ferbench.report import export
    from ferbench.report.columns import DEFAULT, OPTIMISM, columns
    from ferbench.report.latex import latex
    from ferbench.report.markdown import markdown
    from ferbench.report.terminal import render

    given = collected(folders)
    registry = load_registry(plugins)
    cards = known_cards(registry, given)
    shown = columns(metrics or (OPTIMISM if optimism else DEFAULT), cards)
    query = BoardQuery(dataset, shown[0].metric, include_ablations, baseline or "", group or "", cards)
    found = chosen_boards(given, query, metrics)
    papers = published(registry, found, cards) if with_reported else []
    if factor is not None:
        if kind not in ("table", "csv"):
            raise FerbenchError(f"--by {factor} is given as a table or as CSV, not as {kind}.")
        text = _by_factor(given, found, factor, kind, output is not None)
    elif kind == "table":
        text = printed(render(found, shown, cost, papers), to_file=output is not None)
    else:
        text = {
            "markdown": lambda: markdown(found, shown, papers),
            "latex": lambda: latex(found, shown),
            "csv": lambda: export.to_csv(found),
            "json": lambda: export.to_json(found),
        }[kind]()
    write(text, output)


def _by_factor(given: Collected, found: Sequence[Board], factor: str, kind: str, to_file: bool) -> str:
    from ferbench.ranking.breakdown import breakdown
    from ferbench.report import export
    from ferbench.report.terminal import render_breakdown

    tables = [(board, breakdown(board, given.records, given.where, factor)) for board in found]
    return export.breakdown_csv(tables) if kind == "csv" else printed(render_breakdown(tables), to_file)
