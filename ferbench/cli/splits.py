"""`ferbench splits`: who is tested where, as CSV."""

from __future__ import annotations

import rich_click as click

from ferbench.cli.options import complete_overrides, plugin_option, say
from ferbench.errors import FerbenchError


@click.command("splits")
@plugin_option
@click.argument("overrides", nargs=-1, type=click.UNPROCESSED, shell_complete=complete_overrides)
def command(plugins: tuple[str, ...], overrides: tuple[str, ...]) -> None:
    """Print the frames that a protocol selects and the fold in which each is tested.

    Where folds differ in more than their test sets (fixed, cross_dataset, protocol.validation), the column is split, with train,
    test and val, for one fold at a time.

    \b
    ferbench splits dataset=oulu dataset.root=/data/OuluCASIA protocol=subject_10fold_ordered
    """
    from ferbench.config.compose import compose
    from ferbench.data.load import load_data
    from ferbench.interfaces.protocol import TRAIN_ONLY
    from ferbench.protocols.select import SIDE, chosen_folds
    from ferbench.registry.loader import load_registry
    from ferbench.tables import cell

    registry = load_registry(plugins)
    (config,) = compose(registry, [*overrides], method_needed=False, tell=say)
    data = load_data(registry, config)
    chosen = chosen_folds(data.folds, config.protocol.settings.get("folds"))
    for note in data.notes:
        say(note)
    fixed = (data.selected["fold"] == TRAIN_ONLY).any()
    if fixed or SIDE in data.selected or data.protocol.settings.get("validation"):
        if len(chosen) > 1:
            raise FerbenchError(
                "These folds differ in more than the test set; print one at a time, with protocol.folds=0 and so on."
            )
        sides = data.sides(chosen[0])
        rows = data.selected.assign(split="")
        for name, chosen_rows in (("test", sides.tested), ("val", sides.validation), ("train", sides.trained)):
            rows.loc[chosen_rows, "split"] = name
        rows, last = rows[rows["split"] != ""], "split"
    else:
        rows, last = data.selected[data.selected["fold"].isin(chosen)], "fold"
    columns = ["frame_id", "subject", "sequence", "expression", "phase", last]
    click.echo(rows[columns].map(cell).to_csv(index=False, lineterminator="\n"), nl=False)
