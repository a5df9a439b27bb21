#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Checks the trace that catalog writes: catalog/check_trace.sh CATALOG DIR. The tree is only read.

set -eu
command -v python3 > /dev/null || {
  echo "skipped: there is no python3 to read the trace with"
  exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1" --threads 4 --db "$work/catalog.db" --trace "$work/trace.json" "$2"
python3 "$(dirname "$0")/check_trace.py" "$work/trace.json"
