#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A cluster on this machine: demo.sh CLUSTER DATABASE DIR [WORKERS]
#
# A Redis server on a Unix socket, some workers (3), and a coordinator that hashes every file below DIR into the database.
# All of them end with it.

set -eu
cluster=$1
database=$2
directory=$3
workers=${4:-3}
command -v redis-server > /dev/null || {
  echo "missing: redis-server (Debian: apt-get install redis-server)" >&2
  exit 1
}
work=$(mktemp -d)
started=
end_all() {
  # shellcheck disable=SC2086 # a list of process ids
  kill $started 2> /dev/null || :
  wait
  rm -rf "$work"
}
trap end_all EXIT
trap 'exit 130' INT TERM

redis-server --port 0 --unixsocket "$work/redis.sock" --save '' --appendonly no --dir "$work" > "$work/log" &
started=$!
until redis-cli -s "$work/redis.sock" ping > /dev/null 2>&1; do
  kill -0 "$started" 2> /dev/null || {
    cat "$work/log" >&2
    exit 1
  }
done

while [ "$workers" -gt 0 ]; do
  "$cluster" work --redis "unix:$work/redis.sock" &
  started="$! $started" # Redis ends last
  workers=$((workers - 1))
done
"$cluster" coordinate "$directory" --redis "unix:$work/redis.sock" --db "$database"
