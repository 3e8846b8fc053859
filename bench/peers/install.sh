#!/bin/sh
# Each peer into build/bench-peers at the versions pinned beside this file. One that cannot be had is named with
# the last line of its log, and the rest go on; the bench names it again.
set -u
cd "$(dirname "$0")/../.." || exit 1
python=${PYTHON:-.venv/bin/python}
to=build/bench-peers
mkdir -p "$to/node"

python_peer() {
  "$python" -m venv "$to/$1" &&
    "$to/$1/bin/python" -m pip install -q --disable-pip-version-check -r "bench/peers/requirements-$1.txt"
}

node_peers() {
  cp bench/peers/*.mjs bench/peers/*.cql bench/peers/*.xml bench/peers/*.json "$to/node/" &&
    (cd "$to/node" && npm ci --no-audit --no-fund && node translate.mjs answer.cql answer.json)
}

attempt() {
  name=$1
  shift
  if "$@" >"$to/$name.log" 2>&1; then echo "$name: installed"; else echo "$name: NOT installed: $(tail -n 1 "$to/$name.log")"; fi
}

"$python" -m bench.peers "$to/value_sets.json" || exit 1
attempt healthchain python_peer healthchain
attempt fastapi python_peer fastapi
attempt node node_peers
