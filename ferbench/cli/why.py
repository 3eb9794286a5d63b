"""`ferbench why`: what sets a trial apart from its nearest stored relative."""

from __future__ import annotations

from typing import Any

import rich_click as click

from ferbench.cli.options import by_beginning
from ferbench.errors import FerbenchError


@click.command("why")
@click.argument("trial", metavar="TRIAL")
@click.option("--results-dir", default="results", show_default=True, metavar="DIR")
@click.argument("other", required=False, metavar="[OTHER]")
def command(trial: str, other: str | None, results_dir: str) -> None:
    """Say which setting, code or data sets TRIAL apart from the nearest stored record, or from OTHER.

    A trial is named by the first letters of its identifier, as 'ferbench run --dry-run' and the results folder show it.
    """
    from ferbench.records import differences
    from ferbench.store import Store

    store = Store(results_dir)
    records, _ = store.scan()
    identities = {r.trial.id: (r.trial.label, r.trial.identity) for r in records}
    identities |= {
        o.trial.id: (o.trial.label, o.trial.identity) for o in store.failures() if o.trial.id not in identities
    }
    name = by_beginning("trial", trial, identities)
    label, mine = identities[name]
    if other is not None:
        nearest = by_beginning("trial", other, identities)
    else:
        others = [key for key in identities if key != name]
        if not others:
            raise FerbenchError(f"{results_dir} holds no other trial to compare {name} with.")
        nearest = min(others, key=lambda key: len(differences(mine, identities[key][1])))
    click.echo(f"{name}  {label}\n{nearest}  {identities[nearest][0]}\ndiffer in:")
    found = differences(mine, identities[nearest][1])
    for path, a, b in found:
        click.echo(
            f"  {path}: {_short(a)} / {_short(b)}" if not path.startswith("code.") else f"  the code of {path[5:]}"
        )
    if not found:
        click.echo("  nothing")


def _short(value: Any) -> str:
    if isinstance(value, list) and len(value) > 6:
        return f"[{', '.join(map(str, value[:4]))} ... {len(value)} in all]"
    return "-" if value is None else str(value)
