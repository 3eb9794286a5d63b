"""`ferbench compare`: two methods, one screen."""

from __future__ import annotations

import math

import rich_click as click

from ferbench.cli.options import dataset_option, folders_argument

BARS = " ▁▂▃▄▅▆▇█"


@click.command("compare")
@click.argument("ours", metavar="A")
@click.argument("theirs", metavar="B")
@folders_argument
@dataset_option
def command(ours: str, theirs: str, folders: tuple[str, ...], dataset: str | None) -> None:
    """Compare A with B, each a method or method/variant, on the same subjects, folds and seeds.

    \b
    ferbench compare degan cross_entropy
    ferbench compare degan degan/no_identity_head results/demo

    The interval resamples subjects in pairs. The first p is of sign flips by subject, the second of the corrected resampled
    t-test over folds and seeds (Nadeau and Bengio 2003), which share training data.
    """
    from ferbench.cli.records import collected, installed_cards
    from ferbench.ranking.compare import compare
    from ferbench.report.columns import cell

    records = collected(folders).records
    for found in compare(list(records.values()), ours, theirs, dataset, installed_cards()):
        a, b, d = found.ours, found.theirs, found.difference
        click.secho(f"\n{a.name} against {b.name} · {found.board.dataset} · {found.board.protocol}", bold=True)
        click.echo(f"{found.board.setting}; {found.trials} trials each, {len(found.subjects)} subjects")
        click.echo(f"  accuracy          {cell(a, 'accuracy')}  against  {cell(b, 'accuracy')}")
        click.echo(f"  identity leakage  {cell(a, 'identity_leakage')}  against  {cell(b, 'identity_leakage')}")
        click.echo(
            f"  difference        {100 * d.mean:+.1f} points [{100 * d.low:+.1f}, {100 * d.high:+.1f}],  p {_p(found.p)} by "
            f"subject, {_p(found.p_folds)} by fold"
        )
        gaps = sorted(found.subjects.values())
        counts = [sum(g > 0 for g in gaps), sum(g == 0 for g in gaps), sum(g < 0 for g in gaps)]
        click.echo(f"  subjects          better on {counts[0]}, equal on {counts[1]}, worse on {counts[2]}")
        click.echo(f"                    {histogram(gaps)}")
        click.echo("  recall")
        width = max(len(expression) for expression, _, _ in found.classes)
        for expression, x, y in found.classes:
            click.echo(f"    {expression:{width}}  {100 * x:5.1f}  {100 * y:5.1f}  {100 * (x - y):+6.1f}")
        click.echo(click.wrap_text(found.words(), 78, "  ", "  "))
        if found.code:
            click.echo(click.wrap_text(found.code, 78, "  ", "  "))


def _p(value: float) -> str:
    return "-" if math.isnan(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"


def histogram(gaps: list[float], bins: int = 21) -> str:
    """How many subjects differ by how much: from -1 (all right with B, none with A) to +1, zoomed to what occurs."""
    reach = max(0.05, *(abs(gap) for gap in gaps))
    counts = [0] * bins
    for gap in gaps:
        counts[min(bins - 1, int((gap / reach + 1) / 2 * bins))] += 1
    most = max(counts)
    drawn = "".join(BARS[0 if not c else max(1, round(c / most * (len(BARS) - 1)))] for c in counts)
    return f"-{100 * reach:.0f} |{drawn}| +{100 * reach:.0f} points"
