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
redis=
started=
end_all() {
  for process in $started $redis; do # Redis ends last
    kill "$process" 2> /dev/null || :
    wait "$process" || :
  done
  rm -rf "$work"
}
trap end_all EXIT
trap 'exit 130' INT TERM

redis-server --port 0 --unixsocket "$work/redis.sock" --save '' --appendonly no --dir "$work" > "$work/log" &
redis=$!
until redis-cli -s "$work/redis.sock" ping > /dev/null 2>&1; do
  kill -0 "$redis" 2> /dev/null || {
    cat "$work/log" >&2
    exit 1
  }
done

while [ "$workers" -gt 0 ]; do
  "$cluster" work --redis "unix:$work/redis.sock" &
  started="$started $!"
  workers=$((workers - 1))
done
"$cluster" coordinate "$directory" --redis "unix:$work/redis.sock" --db "$database"
