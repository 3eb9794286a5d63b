"""`ferbench compare`: two methods, one screen."""

from __future__ import annotations

import rich_click as click

from ferbench.cli.options import dataset_option, folders_argument, plugin_option

BARS = " ▁▂▃▄▅▆▇█"


@click.command("compare")
@click.argument("ours", metavar="A")
@click.argument("theirs", metavar="B")
@folders_argument
@dataset_option
@click.option("--metric", metavar="NAME", default="accuracy", show_default=True, help="What is compared.")
@plugin_option
def command(
    ours: str, theirs: str, folders: tuple[str, ...], dataset: str | None, metric: str, plugins: tuple[str, ...]
) -> None:
    """Compare A with B, each a method or method/variant, on the same subjects, folds and seeds.

    \b
    ferbench compare degan cross_entropy
    ferbench compare degan degan/no_identity_head results/demo --metric identity_leakage

    The interval and the p-value are of a t-test in which subjects and trainings (fold and seed) are both samples; see
    docs/reference/statistics.md. With one seed, training luck cannot be measured, and the sentence at the end says so.
    """
    from ferbench.api.reading import known_cards, need_metric
    from ferbench.cli.records import collected
    from ferbench.ranking.compare import compare
    from ferbench.registry.loader import load_registry
    from ferbench.report.columns import cell, p_value, points

    given = collected(folders)
    cards = known_cards(load_registry(plugins), given)
    need_metric(given, metric)
    for found in compare(list(given.records.values()), ours, theirs, dataset, cards, metric):
        a, b, d = found.ours, found.theirs, found.difference
        click.secho(f"\n{found.heading}", bold=True)
        click.echo(f"{found.board.setting}; {found.trials} trials each, {len(found.subjects)} subjects")
        click.echo(f"  accuracy          {cell(a, 'accuracy')}  against  {cell(b, 'accuracy')}")
        click.echo(f"  identity leakage  {cell(a, 'identity_leakage')}  against  {cell(b, 'identity_leakage')}")
        if metric not in ("accuracy", "identity_leakage"):
            click.echo(f"  {found.metric.title:<17} {cell(a, metric, cards)}  against  {cell(b, metric, cards)}")
        unit = "points " if found.metric.unit == "%" else ""
        mean, _, interval = points(d, found.metric).partition(" ")
        click.echo(f"  difference        {mean} {unit}{interval},  p {p_value(d.p)}")
        gaps = sorted(found.subjects.values())
        counts = [sum(g > 0 for g in gaps), sum(g == 0 for g in gaps), sum(g < 0 for g in gaps)]
        click.echo(f"  subjects          in accuracy better on {counts[0]}, equal on {counts[1]}, worse on {counts[2]}")
        click.echo(f"                    {histogram(gaps)}")
        click.echo("  recall")
        width = max(len(expression) for expression, _, _ in found.classes)
        for expression, x, y in found.classes:
            click.echo(f"    {expression:{width}}  {100 * x:5.1f}  {100 * y:5.1f}  {100 * (x - y):+6.1f}")
        click.echo(click.wrap_text(found.words(), 78, "  ", "  "))
        if found.code:
            click.echo(click.wrap_text(found.code, 78, "  ", "  "))


def histogram(gaps: list[float], bins: int = 21) -> str:
    """How many subjects differ by how much: from -1 (all right with B, none with A) to +1, zoomed to what occurs."""
    reach = max(0.05, *(abs(gap) for gap in gaps))
    counts = [0] * bins
    for gap in gaps:
        counts[min(bins - 1, int((gap / reach + 1) / 2 * bins))] += 1
    most = max(counts)
    drawn = "".join(BARS[0 if not c else max(1, round(c / most * (len(BARS) - 1)))] for c in counts)
    return f"-{100 * reach:.0f} |{drawn}| +{100 * reach:.0f} points"
