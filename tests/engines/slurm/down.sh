#!/usr/bin/env bash
# Ends the cluster that up.sh started, by the pids in its own files, and nothing else.
home=${SLURM_HOME:?the folder of the cluster}
export SLURM_CONF=$home/slurm.conf
scancel --user="$(id -un)" 2>/dev/null
for _ in $(seq 120); do [ -z "$(squeue -h 2>/dev/null)" ] && break; sleep 0.25; done
for file in "$home"/run/slurmd-*.pid "$home/run/slurmctld.pid" "$home/munge/munged.pid"; do
    [ -s "$file" ] || continue
    pid=$(cat "$file"); kill "$pid" 2>/dev/null
    for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -0 "$pid" 2>/dev/null && kill -KILL "$pid"
    rm -f "$file"
done
exit 0
