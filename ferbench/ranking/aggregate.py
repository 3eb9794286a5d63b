"""Records -> boards. Rows of one board may be compared: same data, protocol, classes, preparation, budget and
sampling."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from ferbench.cards import Counts
from ferbench.errors import enumerate_first
from ferbench.hashing import digest
from ferbench.ranking import intervals, ties
from ferbench.ranking.answers import Answers
from ferbench.ranking.board import Board, Row, Score
from ferbench.ranking.cards import Cards
from ferbench.ranking.sample import Sample, columns_of, counted, measured
from ferbench.ranking.scores import SCORES, accuracy
from ferbench.records.differences import differences
from ferbench.records.identity import ComponentIdentity, Identity
from ferbench.records.metrics import UNMEASURED
from ferbench.records.schema import Outcome, Record, Repetition, Trial
from ferbench.records.store import no_collector

Asked = Callable[[Counts], Answers]
"""What a row answered, by which counts are asked for."""

ALIKE = {"accumulate": 1, "clip_norm": 0.0, "sampling": None, "choose": None, "patience": None}
"""Settings of the training that all trials of a board share, with the values that they have unless asked."""


@dataclass(frozen=True)
class BoardQuery:
    """What is asked of the records.

    Attributes:
        dataset: only this one.
        metric: to rank by. Rows are tied by metrics of confusion counts; a metric without a test by subject only orders them.
        include_ablations: also variants that are not the full method.
        baseline: a method with which every row is compared.
        group: a board for each "backbone" or "method".
        cards: of the metrics, datasets and backbones that are installed. What records state of their metrics counts before them.
    """

    dataset: str | None = None
    metric: str = "accuracy"
    include_ablations: bool = True
    baseline: str = ""
    group: str = ""
    cards: Cards = field(default_factory=Cards)


def boards(
    records: Sequence[Record], failures: Iterable[Outcome] = (), query: BoardQuery = BoardQuery()
) -> list[Board]:
    """Group, average and rank. Incomplete rows come last and have no rank: nothing is imputed."""
    with no_collector():
        query = dataclasses.replace(query, cards=query.cards.of_records(records))
        return _boards(records, failures, query)


def _boards(records: Sequence[Record], failures: Iterable[Outcome], query: BoardQuery) -> list[Board]:
    grouped: dict[str, dict[str, list[Record]]] = {}
    heads: dict[str, Trial] = {}
    failed: dict[str, list[Outcome]] = {}
    known = {record.trial.id for record in records}
    keys = _Keys(query.group)
    trials = [(record.trial, record) for record in records]
    trials += [(outcome.trial, outcome) for outcome in failures if outcome.trial.id not in known]  # type: ignore[misc]
    for trial, item in trials:
        if query.dataset is not None and trial.identity.dataset.name != query.dataset:
            continue
        if trial.variant != "full" and not query.include_ablations:
            continue
        before = _pretrained(item, query.cards)
        board, row = keys.of(trial, before)
        heads.setdefault(board, trial)
        members = grouped.setdefault(board, {}).setdefault(row, [])
        if isinstance(item, Record):
            members.append(item)
        else:
            failed.setdefault(board + row, []).append(item)
    made = []
    for key, by_row in grouped.items():
        notes: list[str] = []
        by_row = {name: _newest(found, notes) for name, found in by_row.items()}
        repetitions = {r.trial.repetition for found in by_row.values() for r in found}
        failures = [outcome for name in by_row for outcome in failed.get(key + name, [])]
        repetitions |= _counting(failures, repetitions, notes)
        answers = {name: _asked(found) for name, found in by_row.items()}
        rows = {
            name: _row(found, answers[name], failed.get(key + name, []), repetitions, query)
            for name, found in by_row.items()
        }
        for name, one in rows.items():
            one.key = digest(name, 8)
            one.superseded = any(other.method == one.method and other.version > one.version for other in rows.values())
        made.append(_board(heads[key], by_row, answers, rows, notes, query))
        made[-1].key = digest(key, 8)
    return sorted(made, key=lambda b: (b.dataset, b.protocol, b.setting))


def _newest(records: list[Record], notes: list[str]) -> list[Record]:
    """One record a repetition: where several trials of one method stand in it, since its code changed for instance, the newest."""
    by_repetition: dict[Repetition, list[Record]] = {}
    for record in records:
        by_repetition.setdefault(record.trial.repetition, []).append(record)
    newest = [max(found, key=lambda r: str(r.provenance.get("began", ""))) for found in by_repetition.values()]
    chosen = sorted(newest, key=lambda r: r.trial.repetition)  # no figure may depend on the names of folders
    doubled = [found for found in by_repetition.values() if len(found) > 1]
    if doubled:
        one, other = doubled[0][0].trial, doubled[0][1].trial
        what = [f"{found.kind} {found.name}" for found in differences(one.identity, other.identity)]
        notes.append(
            f"{one.label}: {len(doubled[0])} records, which differ in {enumerate_first(what)}; the newest counts"
            + (f". So for {len(doubled) - 1} more of {one.method}." if len(doubled) > 1 else ".")
        )
    return chosen


def _counting(failures: Sequence[Outcome], done: set[Repetition], notes: list[str]) -> set[Repetition]:
    """The repetitions of failed trials that count for the completeness of rows. A seed (or assignment) that no finished trial of
    the board has does not: otherwise a single failure would make every row incomplete. A note names it."""
    known = {(repetition.assignment, repetition.seed) for repetition in done}
    counting = {o.trial.repetition for o in failures if not done or o.trial.repetition[::2] in known}
    for outcome in failures:
        if outcome.trial.repetition not in counting:
            notes.append(
                f"{outcome.trial.label} failed; no finished trial has its seed, so that it does not count against any row."
            )
    return counting


def _board(
    head: Trial,
    members: Mapping[str, list[Record]],
    answers: Mapping[str, Asked],
    rows: Mapping[str, Row],
    notes: list[str],
    query: BoardQuery,
) -> Board:
    """Order, rank and tie the rows, and compare them with the baseline."""
    order = _order(rows, query)
    complete = [name for name in order if rows[name].complete]
    board = Board(
        query.cards.dataset(head),
        _protocol(head.identity.protocol),
        _setting(head),
        [rows[name] for name in order],
        notes=notes,
    )
    board.identity = head.identity
    board.metric = query.cards.metric(query.metric)
    board.expressions = next((r.expressions for found in members.values() for r in found), ())
    board.notes += [*_versions(members), *_trained_on(members), *_extra(rows.values())]
    board.notes += [*_unmeasured(members), *_doubts(rows, query.cards)]
    having = [name for name in complete if query.metric in rows[name].scores]
    if having and len(having) < len(complete):
        lacking = enumerate_first(rows[name].name for name in complete if name not in having)
        board.notes.append(f"Not ranked, since their records have no {query.metric}: {lacking}.")
    samples = [_sample(members[name], query.metric, query.cards, answers[name]) for name in having]
    known = [sample for sample in samples if sample is not None]
    if query.metric.partition("/")[0] in query.cards.unclear:
        if len(having) > 1:
            board.notes.append(
                f"Rows are ordered by {query.metric} and not ranked: records contradict each other in whether a high value is good."
            )
    elif len(known) == len(having) and query.cards.known(query.metric):
        ties.tie(board, [rows[name] for name in having], known, query.cards.metric(query.metric).higher_is_better)
    elif len(having) > 1 and not query.cards.known(query.metric):
        board.notes.append(
            f"Rows are ordered by {query.metric} and not ranked: neither the records nor an installed plugin say whether a high "
            "value is good."
        )
    elif len(having) > 1:
        board.notes.append(
            f"Rows are ordered by {query.metric} and not ranked: records do not hold it by subject, so that no test can say which "
            "differences are more than chance."
        )
    base = next((n for n in complete if rows[n].name == query.baseline), None)
    if base is not None:
        board.baseline = query.baseline
        theirs = counted(answers[base](Counts.FRAMES), SCORES["accuracy"])
        for name in complete:
            ours = counted(answers[name](Counts.FRAMES), SCORES["accuracy"])
            if name != base and not ours.unlike(theirs):
                rows[name].against = intervals.difference_of(ours, theirs)
    return board


def _unmeasured(members: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    """A sentence for each way in which evaluators failed, with the methods whose records lack their metrics."""
    lacking: dict[str, set[str]] = {}
    for record in (record for found in members.values() for record in found):
        for sentence in record.provenance.get(UNMEASURED, {}).values():
            lacking.setdefault(sentence, set()).add(record.trial.method)
    yield from (f"Of {enumerate_first(sorted(names))}: {sentence}" for sentence, names in sorted(lacking.items()))


def _doubts(rows: Mapping[str, Row], cards: Cards) -> Iterator[str]:
    """A sentence for each metric of the rows of which it is in doubt what it means."""
    shown = {name.partition("/")[0] for row in rows.values() for name in row.scores}
    yield from (sentence for name, sentence in sorted(cards.doubts.items()) if name in shown)


def _versions(members: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    """A sentence for each evaluator of which several versions measured the records. Records that state none have version 1."""
    records = [record for found in members.values() for record in found]
    stated = {name for record in records for name in record.provenance.get("evaluators", {})}
    for name in sorted(stated):
        versions = {int(record.provenance.get("evaluators", {}).get(name, 1)) for record in records}
        if len(versions) > 1:
            older = {r.trial.method for r in records if r.provenance.get("evaluators", {}).get(name, 1) < max(versions)}
            yield (
                f"Some records of {enumerate_first(sorted(older))} were measured by an older version of the evaluator '{name}'; "
                "'ferbench evaluate' measures them again where their outputs are stored."
            )


def _trained_on(members: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    """A sentence where tested subjects or images were trained on too."""
    identities = [record.trial.identity for found in members.values() for record in found]
    both = {name for identity in identities for name in set(identity.test_subjects) & set(identity.train_subjects)}
    allowed = next((a for i in identities if (a := i.protocol.settings.get("allow_overlap"))), "")
    if both:
        tested = {name for identity in identities for name in identity.test_subjects}
        what, unseen = ("images", "images") if allowed == "images" else ("subjects", "people")
        yield (
            f"{len(both)} of the {len(tested)} test {what} were trained on too, on request: these figures say nothing about "
            f"{unseen} that a model never saw."
        )
    elif allowed == "images":
        yield "Some test images were trained on too, on request (protocol.allow_overlap=images)."
    elif allowed:
        yield "Training set and test set are of the same people, on request; which of them are on both sides is not known."


def _extra(rows: Collection[Row]) -> Iterator[str]:
    """A sentence where some rows were trained on more data than others."""
    if names := sorted({row.extra for row in rows if row.extra}):
        yield (
            f"Rows with +{' or +'.join(names)} were trained on that dataset too (extra_dataset), and on its additional steps; a "
            "difference to rows without it may be the data's and not the method's."
        )


def _pretrained(item: Record | Outcome, cards: Cards) -> bool:
    """Whether the backbone's weights were trained before, as the record or the backbone's card says."""
    return cards.pretrained(item.trial) or (isinstance(item, Record) and bool(item.provenance.get("pretraining")))


class _Keys:
    """The keys of board and row of a trial. Trials of an index share the objects that make up both, which are written out once."""

    def __init__(self, group: str) -> None:
        self.group = group
        self._known: dict[tuple[Any, ...], tuple[Identity, str, str]] = {}

    def of(self, trial: Trial, pretrained: bool) -> tuple[str, str]:
        """The keys of board and row."""
        identity = trial.identity
        parts = (
            identity.dataset, identity.protocol, identity.preparation, identity.budget, identity.augment, identity.trainer,
            identity.backbone, identity.method, identity.extra,
        )  # fmt: skip
        place = (*map(id, parts), trial.fold_count, pretrained)
        if place not in self._known:  # with the identity, so that no other object gets the numbers of its parts
            self._known[place] = (identity, _board_key(trial, self.group, pretrained), _row_key(trial))
        _, board, row = self._known[place]
        return board, row


def _board_key(trial: Trial, group: str, pretrained: bool) -> str:
    identity = trial.identity
    return _key(
        [
            vars(identity.dataset),
            {**vars(identity.protocol), "settings": _shared_settings(identity.protocol)},
            identity.preparation,
            identity.budget,
            identity.augment,
            _training(identity),
            trial.fold_count,
            pretrained,
            {"backbone": vars(identity.backbone), "method": trial.method}.get(group),
        ]
    )


def _training(identity: Identity) -> dict[str, Any]:
    """The settings of the training that are other than usual."""
    return {name: identity.trainer[name] for name, usual in ALIKE.items() if identity.trainer.get(name, usual) != usual}


def _row_key(trial: Trial) -> str:
    extra = trial.identity.extra
    return _key([vars(trial.identity.method), vars(trial.identity.backbone), extra and vars(extra)])


def _key(parts: Any) -> str:
    return json.dumps(parts, sort_keys=True)


def _protocol(protocol: ComponentIdentity) -> str:
    settings = ", ".join(f"{k}={v}" for k, v in _shared_settings(protocol).items())
    return f"{protocol.name} ({settings})"


def _shared_settings(protocol: ComponentIdentity) -> dict[str, Any]:
    """The settings that all trials of a board share: rows may have several assignments of subjects to folds."""
    return {k: v for k, v in protocol.settings.items() if k != "assignment"}


def _setting(trial: Trial) -> str:
    budget, preparation = trial.identity.budget, trial.identity.preparation
    name = trial.config["budget"]["name"]
    training = "".join(f"{name} {value}, " for name, value in _training(trial.identity).items())
    return (
        f"budget {name}: {budget['steps']} steps of {budget['batch_size']}, {training}{preparation['image_size']} px, "
        f"data {trial.identity.dataset.fingerprint[:8]}"
    )


def _row(
    records: list[Record], answers: Asked, failures: list[Outcome], repetitions: set[Repetition], query: BoardQuery
) -> Row:
    """`repetitions`: those of the whole board; a row that lacks a seed that others have is incomplete."""
    items: list[Record | Outcome] = [*records, *failures]
    first, cards = items[0].trial, query.cards
    assignments, seeds = (tuple(sorted({repetition[i] for repetition in repetitions})) for i in (0, 2))
    done = {r.trial.repetition for r in records}
    wanted = product(assignments, range(first.fold_count), seeds)
    row = Row(
        method=first.method,
        version=first.identity.method.version,
        variant=first.variant,
        extra=first.identity.extra.name if first.identity.extra else "",
        backbone=cards.backbone(first, _pretrained(items[0], cards)),
        fold_count=first.fold_count,
        seeds=seeds,
        assignments=assignments,
        done=len(done),
        failed=len(failures),
        missing=[repetition for repetition in wanted if repetition not in done],
        trials=[r.trial.id for r in records],
        devices=tuple(sorted({str(r.provenance.get("device", "")) for r in records} - {""})),
        pretraining=" / ".join(sorted({str(r.provenance.get("pretraining") or "") for r in records} - {""})),
        codes=len({frozenset(code.items()) for r in records if (code := r.code)}),
        starts=len({str(r.provenance.get("initial_weights") or "") for r in records} - {""}),
        seconds=math.fsum(float(r.provenance.get("seconds", 0)) for r in records),
    )
    if not records:
        return row
    for name, values in columns_of([r.cost for r in records]).items():
        row.cost[name] = math.fsum(values) / len(values)
    for name in (name for name, metric in cards.metrics.items() if metric.by_subject is not None):
        sample = _sample(records, name, cards, answers)
        assert sample is not None  # every record holds counts
        row.scores[name] = intervals.score_of(sample)
    apart = [[r for r in records if r.trial.repetition[0] == number] for number in assignments]
    pooled = [Answers.of(part, Counts.FRAMES).pooled for part in apart if part]
    if len(pooled) > 1:
        row.spread = float(np.std(accuracy(np.stack(pooled)), ddof=1))
    for metric, values in columns_of([r.metrics for r in records]).items():
        if metric in row.scores:
            continue
        row.measured[metric] = len(values)
        if values:
            sample = _sample(records, metric, cards, answers)
            mean = math.fsum(values) / len(values)
            row.scores[metric] = Score(mean) if sample is None else intervals.score_of(sample)
    return row


def sample_of(records: Sequence[Record], metric: str, cards: Cards) -> Sample | None:
    """The sample of a metric of one row; None if its records do not hold the metric by subject."""
    return _sample(records, metric, cards, _asked(records))


def _asked(records: Sequence[Record]) -> Asked:
    """The answers of records of one row, of each kind made once."""
    return functools.cache(lambda source: Answers.of(records, source))


def _sample(records: Sequence[Record], metric: str, cards: Cards, answers: Asked) -> Sample | None:
    card = cards.metric(metric)
    if card.by_subject is not None and metric == card.name:
        return counted(answers(card.by_subject.counts), SCORES[card.by_subject.score])
    return measured(records, metric, answers(Counts.FRAMES), card)


def shared(ours: Sequence[Record], theirs: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    """Of two rows the records at repetitions (assignment, fold, seed) that both have, in the same order."""
    by_repetition = {r.trial.repetition: r for r in theirs}
    both = sorted((r for r in ours if r.trial.repetition in by_repetition), key=lambda r: r.trial.repetition)
    return both, [by_repetition[r.trial.repetition] for r in both]


def _order(rows: Mapping[str, Row], query: BoardQuery) -> list[str]:
    """Keys of the rows: complete ones by score, then the others."""
    sign = 1 if query.cards.metric(query.metric).higher_is_better else -1

    def key(name: str) -> tuple[bool, float, str]:
        row = rows[name]
        score = row.scores.get(query.metric)
        return not row.complete, math.inf if score is None else -sign * score.mean, row.name

    return sorted(rows, key=key)
