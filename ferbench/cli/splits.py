"""`ferbench splits`: who is tested where, as CSV."""

from __future__ import annotations

import rich_click as click

from ferbench.cli.options import complete_overrides, plugin_option, say


@click.command("splits")
@plugin_option
@click.argument("overrides", nargs=-1, type=click.UNPROCESSED, shell_complete=complete_overrides)
def command(plugins: tuple[str, ...], overrides: tuple[str, ...]) -> None:
    """Print the frames that a protocol selects and the fold in which each is tested.

    Where some are trained on in every fold (fixed, cross_dataset), the column is split, with train and test.

    \b
    ferbench splits dataset=oulu dataset.root=/data/OuluCASIA protocol=subject_10fold_ordered
    """
    from ferbench.config.compose import compose
    from ferbench.data.load import load_data
    from ferbench.interfaces.protocol import TRAIN_ONLY
    from ferbench.protocols.select import chosen_folds
    from ferbench.registry.loader import load_registry

    registry = load_registry(plugins)
    (config,) = compose(registry, [*overrides], method_needed=False, tell=say)
    data = load_data(registry, config)
    chosen = chosen_folds(data.folds, config.protocol.settings.get("folds"))
    train = data.selected["fold"] == TRAIN_ONLY
    rows = data.selected[data.selected["fold"].isin(chosen) | train]
    last = "fold"
    if train.any():
        rows = rows.assign(split=["train" if fold == TRAIN_ONLY else "test" for fold in rows["fold"]])
        last = "split"
    columns = ["frame_id", "subject", "sequence", "expression", "phase", last]
    click.echo(rows[columns].to_csv(index=False, lineterminator="\n"), nl=False)
