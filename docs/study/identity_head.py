"""What DE-GAN's two heads ask of made faces, by whether the target's subject shows the wanted expression in training. No goal.

    python docs/study/identity_head.py RESULTS TRIAL ...

Prints, for each trial of `degan` (by the first letters of its id): of 512 faces made from training frames for targets drawn at
random, the parts that the discriminator's heads take for the wanted expression and for the target; and the cosine of the gradients
of the two terms in the encoder, the mean over batches. `usual`: at least a quarter of the target's frames show the wanted
expression; `own`: the face keeps its subject.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from ferbench.cli.records import find
from ferbench.execution.gradients import trained
from ferbench.execution.setup import Setup
from ferbench.records.schema import Record
from ferbench_degan.method import DeGan

FACES, BATCHES, USUAL = 512, 48, 0.25


def usual(setup: Setup) -> Tensor:
    """(N, E), bool: the expressions that each training subject usually shows."""
    labels, task = setup.fold.labels, setup.fold.task
    counts = torch.zeros(len(task.subjects), len(task.expressions))
    counts.index_put_((labels.subject, labels.expression), torch.ones(len(labels.rows)), accumulate=True)
    return counts / counts.sum(1, keepdim=True) >= USUAL


def accepted(setup: Setup, method: DeGan, known: Tensor) -> str:
    labels = setup.fold.labels
    chosen = torch.randperm(len(labels.rows))[:FACES]
    target = torch.randint(0, len(known), (len(chosen),))
    expression = labels.expression[chosen]
    with torch.inference_mode(), setup.device.autocast():
        _, f = method.encoder(setup.images(labels.rows[chosen]))
        heads = method.discriminator(method.decoder(method.code(f, target)))
    right = heads["expression"][:, : known.shape[1]].argmax(1) == expression
    meant = heads["identity"][:, : len(known)].argmax(1) == target
    shows = known[target, expression]
    return "; ".join(
        f"{name}: {int(of.sum())} faces, expression {100 * right[of].float().mean():.0f} %, "
        f"identity {100 * meant[of].float().mean():.0f} %"
        for name, of in (("usual", shows), ("seldom", ~shows))
    )


def opposed(setup: Setup, method: DeGan, known: Tensor) -> str:
    weights = [p for p in method.encoder.parameters() if p.requires_grad]
    found: dict[str, list[float]] = {"usual": [], "seldom": [], "own": []}
    for number in range(BATCHES):
        batch = setup.batches(5000 + number)
        target, own = method.targets(batch.subject)
        _, f = method.encoder(batch.images)
        heads = method.discriminator(method.decoder(method.code(f, target)))
        shows = known[target, batch.expression]
        for name, of in (("usual", ~own & shows), ("seldom", ~own & ~shows), ("own", own)):
            if of.sum() > 1:
                losses = [
                    F.cross_entropy(heads[head][of], wanted[of])
                    for head, wanted in (("expression", batch.expression), ("identity", target))
                ]
                first, second = (
                    torch.cat(
                        [
                            g.flatten()
                            for g in torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
                            if g is not None
                        ]
                    )
                    for loss in losses
                )
                found[name].append(float(torch.cosine_similarity(first, second, dim=0)))
    return ", ".join(f"{name} {sum(v) / len(v):+.2f}" for name, v in found.items() if v)


def measure(record: Record, folder: Path) -> str:
    torch.manual_seed(0)
    setup = trained(record, folder)
    method = setup.method.eval()
    if not isinstance(method, DeGan) or not method.settings.identity_head:
        raise SystemExit(f"{record.trial.label} has no identity head of DE-GAN.")
    known = usual(setup)
    return f"{record.trial.label}\n  {accepted(setup, method, known)}\n  cosine: {opposed(setup, method, known)}"


def main() -> None:
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    results, *trials = sys.argv[1:]
    for trial in trials:
        print(measure(*find(trial, [results])), flush=True)


if __name__ == "__main__":
    main()
