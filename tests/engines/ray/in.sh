#!/usr/bin/env bash
# in.sh COMMAND...: runs it beside a Ray cluster of a head without CPUs and NODES raylets with one CPU each, all in network and process
# namespaces of their own: Ray's servers listen on all interfaces whatever --node-ip-address says, and here there is only `lo`; whatever
# happens, the end of this script ends every process of the cluster. Needs root or user namespaces.
#
#   RAY_HOME    folder of the cluster: logs, home of its token, node1.pid, node2.pid, ... Paths of sockets in it have to be short.
#   NODES       0 for no cluster. HIDE: a folder that the raylets see empty, as machines that do not share it. CGROUP: a folder that
#               stands for /sys/fs/cgroup, with which a test says how much memory is used.
# RAY_ADDRESS is set for the command.
set -euo pipefail
if [ "${RAY_IN:-}" != 1 ]; then
    as_root=""; [ "$(id -u)" = 0 ] || as_root=--map-root-user
    RAY_IN=1 exec unshare $as_root --net --pid --mount --fork --mount-proc --kill-child "$0" "$@"
fi
ip link set lo up
[ -z "${CGROUP:-}" ] || mount --bind "$CGROUP" /sys/fs/cgroup
: "${RAY_HOME:?}" "${NODES:=2}" "${PORT:=6399}" "${RAY:=ray}"
export HOME=$RAY_HOME TMPDIR=$RAY_HOME RAY_USAGE_STATS_ENABLED=0 OMP_NUM_THREADS=1
export RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S=300  # on a busy machine ray:// takes longer than the 30 that Ray gives its server
mkdir -p "$RAY_HOME"
common=(--node-ip-address=127.0.0.1 --disable-usage-stats --log-style=record --object-store-memory=100000000)
if [ "$NODES" != 0 ]; then
    "$RAY" start --head --port="$PORT" --num-cpus=0 --include-dashboard=false --temp-dir="$RAY_HOME/t" "${common[@]}" >"$RAY_HOME/up.log" 2>&1
    hide=${HIDE:+"mount -t tmpfs none '$HIDE'; "}
    for i in $(seq "$NODES"); do
        unshare --mount bash -c "$hide"'exec "$@"' start "$RAY" start --address=127.0.0.1:"$PORT" --num-cpus=1 \
            --resources="{\"node$i\": 1}" "${common[@]}" >>"$RAY_HOME/up.log" 2>&1
        pgrep -f 'ray/raylet/raylet ' | tail -1 >"$RAY_HOME/node$i.pid"  # only this namespace's processes are seen
    done
    export RAY_ADDRESS=127.0.0.1:$PORT
fi
set +e; "$@"; exit $?
