"""`ferbench splits`: who is tested where, as CSV."""

from __future__ import annotations

import rich_click as click

from ferbench.cli.options import complete_overrides, plugin_option


@click.command("splits")
@plugin_option
@click.argument("overrides", nargs=-1, type=click.UNPROCESSED, shell_complete=complete_overrides)
def command(plugins: tuple[str, ...], overrides: tuple[str, ...]) -> None:
    """Print the frames that a protocol selects and the fold in which each is tested.

    \b
    ferbench splits dataset=oulu dataset.root=/data/OuluCASIA protocol=subject_10fold_ordered
    """
    from ferbench.config import compose
    from ferbench.plan import load_data
    from ferbench.protocols.base import chosen_folds
    from ferbench.registry import load_registry

    registry = load_registry(plugins)
    (config,) = compose(registry, [*overrides], method_needed=False)
    data = load_data(registry, config)
    chosen = chosen_folds(data.fold_numbers, config.protocol.get("folds"))
    rows = data.selected[data.selected["fold"].isin(chosen)]
    columns = ["frame_id", "subject", "sequence", "expression", "phase", "fold"]
    click.echo(rows[columns].to_csv(index=False, lineterminator="\n"), nl=False)
