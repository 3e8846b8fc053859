#!/bin/sh
# Builds the wheel of this project into the folder $1 and collects there the wheels of everything it needs, as
# requirements.lock names them by version and hash.
# Run from the top of the source. PYTHON names another interpreter.
set -eu
wheels=${1:?usage: docker/build.sh WHEELS}
python=${PYTHON:-python3}
mkdir -p "$wheels"
"$python" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$wheels" .
"$python" -m pip wheel --quiet --disable-pip-version-check --no-deps --require-hashes --wheel-dir "$wheels" \
  --requirement requirements.lock
