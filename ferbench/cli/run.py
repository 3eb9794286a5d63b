"""`ferbench run`: its overrides go to Hydra whole."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import rich_click as click

from ferbench.cli.options import complete_overrides, plugin_option, say
from ferbench.errors import FerbenchError

if TYPE_CHECKING:
    from ferbench.plan.study import Study

HYDRA_ONLY = ("cfg", "info", "hydra_help", "shell_completion", "version")
"""Options of Hydra that print something and run nothing."""


@click.command("run", context_settings={"ignore_unknown_options": True})
@click.option("--dry-run", is_flag=True, help="Show the plan, and what of it is done already; run nothing.")
@click.option(
    "--retry",
    type=click.Choice(["failed", "oom", "all"]),
    default=None,
    help="Run again what ended in an error, out of memory, or either.",
)
@click.option("--fresh", is_flag=True, help="Run again what is stored but was made by other code of the same versions.")
@click.option(
    "--cancel", is_flag=True, help="Cancel the jobs of this study that an executor such as slurm has queued or runs."
)
@plugin_option
@click.argument("overrides", nargs=-1, type=click.UNPROCESSED, shell_complete=complete_overrides)
def command(
    dry_run: bool, retry: str | None, fresh: bool, cancel: bool, plugins: tuple[str, ...], overrides: tuple[str, ...]
) -> int:
    """Train and evaluate; run only what is missing.

    OVERRIDES are Hydra's: key=value.

    \b
    ferbench run method=degan dataset=oulu dataset.root=/data/OuluCASIA

    \b
    ablation=all                  the full method and every ablation of its card
    budget=smoke|demo|paper       a few steps, minutes on two cores, the published size
    seeds=[0,1,2] protocol.folds=0
    backbone=timm backbone.model=resnet18
    trainer.device=cuda:0 trainer.precision=fp32 results_dir=elsewhere
    method=degan,cross_entropy --multirun      several as one study
    study=paper                                methods, datasets, protocols and seeds of a study file

    Hydra's own options work too: --multirun, --cfg job, --info, --config-dir DIR, --config-name NAME, --hydra-help.

    Exit status: 0 all trials are done, 1 some failed (the others are recorded), 2 wrong usage or configuration.
    """
    from ferbench.api.studies import planned, reviewed
    from ferbench.registry.loader import load_registry

    options = _hydra_options(overrides)
    registry = load_registry(plugins)
    if options.config_path is not None:
        raise FerbenchError("ferbench has its own configuration tree; add a folder to it with --config-dir DIR.")
    if any(getattr(options, name, None) for name in HYDRA_ONLY):
        return _print_by_hydra(registry, overrides)
    study = planned(
        registry,
        options.overrides,
        multirun=options.multirun,
        config_dir=options.config_dir,
        config_name=options.config_name,
        tell=say,
    )
    if cancel:
        return _cancel(registry, study)
    study = reviewed(study, retry or "", fresh, note=say, tell=click.echo)
    if dry_run:
        from ferbench.cli.progress import print_estimate, print_plan

        print_plan(study, retry or "")
        print_estimate(registry, study, retry or "")
        return 0
    return _run(registry, study, retry or "")


def _cancel(registry: Any, study: Study) -> int:
    """Cancel the jobs of a study.

    Raises:
        FerbenchError: the study's executor has no queue, or its engine does not answer.
    """
    from ferbench.cards import ExecutorCard
    from ferbench.interfaces.executor import Queues
    from ferbench.plan.work import keys

    executor = study.executor.make(registry, ExecutorCard)
    if not isinstance(executor, Queues):
        raise FerbenchError(
            f"executor={study.executor.name} has no queue: its trials end with the command that runs them, by Ctrl-C. "
            "--cancel is for the same command with an executor whose jobs outlive it, such as slurm."
        )
    cancelled = executor.cancel(study.results_dir, keys(study.trials))
    click.echo(f"{cancelled} jobs cancelled. The same command without --cancel goes on from what they have left.")
    return 0


def _hydra_options(arguments: Sequence[str]) -> argparse.Namespace:
    from hydra._internal.utils import get_args_parser

    parser = get_args_parser()
    parser.prog = "ferbench run"
    with contextlib.suppress(AttributeError):
        parser.exit_on_error = False
    try:
        return parser.parse_intermixed_args(list(arguments))
    except argparse.ArgumentError as error:
        raise FerbenchError(f"{error}. 'ferbench run --help' shows what there is.") from error


def _print_by_hydra(registry: Any, arguments: Sequence[str]) -> int:
    from ferbench.config.compose import hydra_main

    try:
        hydra_main(registry, arguments)
    except SystemExit as stop:
        return 2 if stop.code else 0
    return 0


def _run(registry: Any, study: Any, retry: str) -> int:
    from ferbench.api.studies import carried_out
    from ferbench.cli.progress import print_outcomes
    from ferbench.records.schema import DONE, STORED

    outcomes = carried_out(registry, study, retry, sys.argv[1:])
    print_outcomes(study, outcomes)
    return 0 if all(o.status in (DONE, STORED) for o in outcomes) else 1


if __name__ == "__main__":
    sys.exit(command())
