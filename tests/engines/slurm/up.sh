#!/usr/bin/env bash
# A Slurm cluster of one machine, for tests, without systemd: munged, slurmctld and two slurmd, all on 127.0.0.1, with state, logs
# and pids below SLURM_HOME, and ports from SLURM_PORT on. Run again, it starts what is missing. Afterwards:
#   export SLURM_CONF=$SLURM_HOME/slurm.conf
# It needs Debian's packages slurmctld, slurmd, slurm-client and munge.
set -euo pipefail
home=${SLURM_HOME:?a folder for the cluster}; port=${SLURM_PORT:-16817}; nodes=2
host=$(hostname -s); user=$(id -un)
mkdir -p "$home"/{state,spool,log,run,munge}
alive() { [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }

# a key, socket and log of its own; munged insists on tight permissions
if ! alive "$home/munge/munged.pid"; then
    chmod 0755 "$home/munge"
    [ -s "$home/munge/munge.key" ] || (umask 077; head -c 1024 /dev/urandom >"$home/munge/munge.key")
    rm -f "$home"/munge/munge.socket*
    munged --force --key-file="$home/munge/munge.key" --socket="$home/munge/munge.socket" --pid-file="$home/munge/munged.pid" \
        --log-file="$home/munge/munged.log" --seed-file="$home/munge/munged.seed" --num-threads=2
fi

cat >"$home/slurm.conf" <<CONF
ClusterName=ferbench
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$home/munge/munge.socket
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$home/state
SlurmdSpoolDir=$home/spool/%n
SlurmctldPidFile=$home/run/slurmctld.pid
SlurmdPidFile=$home/run/slurmd-%n.pid
SlurmctldLogFile=$home/log/slurmctld.log
SlurmdLogFile=$home/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2,batch_sched_delay=0,default_queue_depth=1000
SlurmdParameters=config_overrides
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SlurmctldTimeout=10
SlurmdTimeout=10
KillWait=20
OverTimeLimit=0
MinJobAge=600
InactiveLimit=0
MessageTimeout=10
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
GresTypes=gpu
CONF
for i in $(seq "$nodes"); do
    echo "NodeName=node$i NodeAddr=127.0.0.1 NodeHostname=$host Port=$((port + i)) CPUs=2 RealMemory=4000 Gres=gpu:1 State=UNKNOWN"
done >>"$home/slurm.conf"
cat >>"$home/slurm.conf" <<CONF
PartitionName=low Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=20
PartitionName=high Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10
CONF
echo "NodeName=node[1-$nodes] Name=gpu File=/dev/null" >"$home/gres.conf"  # GPUs in name only
echo "CgroupPlugin=cgroup/v1" >"$home/cgroup.conf"  # Slurm 22.05 wants one even where nothing uses it

export SLURM_CONF=$home/slurm.conf
alive "$home/run/slurmctld.pid" || slurmctld -f "$SLURM_CONF"
for i in $(seq "$nodes"); do
    mkdir -p "$home/spool/node$i"
    alive "$home/run/slurmd-node$i.pid" || slurmd -f "$SLURM_CONF" -N "node$i"
done
for _ in $(seq 150); do
    [ "$(sinfo -h -N -p low -t idle,mixed,alloc -o %N 2>/dev/null | sort -u | wc -l)" -ge "$nodes" ] && exit 0
    sleep 0.2
done
echo "the nodes are not up:" >&2
sinfo -N >&2
exit 1
