#!/usr/bin/env bash
# All checks that need a CUDA device, in some fifteen minutes: bash benchmarks/gpu.sh [FOLDER]. FOLDER holds the trials (default: a
# temporary one). Goals stand beside the figures in docs/performance.md.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
folder=${1:-$(mktemp -d)}
mkdir -p "$folder"

echo "== tests that need a GPU: graphs equal to steps by Python, pixels"
$python -m pytest -q -m gpu tests/training tests/plugins/test_synthfaces.py

echo "== steps by Python and as graphs"
$python benchmarks/gpu.py

echo "== all standard metrics of one trial (goal: 1 s)"
$python benchmarks/evaluation.py

run() {  # name, words ...: seconds of a study, phases of its trials, and a digest of their weights
    local name=$1 start=$SECONDS
    shift
    $python -m ferbench run "$@" results_dir="$folder/$name" > "$folder/$name.log" 2>&1
    echo "$name: $((SECONDS - start)) s"
    grep "at a time on" "$folder/$name.log" || true
    $python - "$folder/$name" <<'END'
import sys

from ferbench.records.store import Store

records = sorted(Store(sys.argv[1]).scan()[0], key=lambda record: record.trial.repetition)
trained = [record.cost["train_seconds"] for record in records]
whole = [record.cost["seconds"] for record in records]
print(f"  {len(records)} trials: training {sum(trained):.1f} s, all else {sum(whole) - sum(trained):.1f} s")
for record in records if len(records) <= 16 else ():
    accuracy = 100 * record.metrics["accuracy"]
    print(f"  {record.trial.label}: weights {record.stages[-1].weights[:8]}, accuracy {accuracy:.1f} %")
END
}

echo "== sixteen trials of DE-GAN, budget=demo: one by one, sharing the GPU (goal: a third of the time, equal weights), by Python"
common=(method=degan dataset=synthfaces dataset.takes=1 budget=demo protocol=subject_kfold protocol.k=4 evaluation.judges=0)
run one-by-one "${common[@]}" seeds=[0,1,2,3] executor.lanes=1
run sharing "${common[@]}" seeds=[0,1,2,3]
run by-python "${common[@]}" seeds=[0] protocol.folds=[0,1] executor.lanes=1 trainer.graph=false

echo "== methods that classify made faces: graphs, steps by Python, fp32 (accuracies on CPUs: docs/results.md)"
faces=(--multirun method=tdgan,ifgan dataset=synthfaces dataset.takes=1 budget=demo protocol=subject_kfold protocol.k=3 evaluation.judges=0)
run faces-graph "${faces[@]}"
run faces-python "${faces[@]}" trainer.graph=false
run faces-fp32 "${faces[@]}" trainer.precision=fp32

echo "== ablation=all of DE-GAN at budget=paper, 1,449 frames, one of ten folds, a tenth of the steps (goal for all: an hour)"
run ablations method=degan ablation=all dataset=synthfaces dataset.subjects=69 dataset.takes=1 budget=paper budget.steps=1200 \
    protocol=subject_kfold protocol.k=10 protocol.folds=[0] evaluation.judges=0 evaluation.test_curve_points=0

echo "== the study, 342 trials with judges (goal: 15 minutes; the plan's estimate within a quarter)"
$python -m ferbench run study=synthfaces evaluation.judges=0.5 results_dir="$folder/planned" --dry-run | tail -3
run study study=synthfaces evaluation.judges=0.5
