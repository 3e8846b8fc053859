#!/bin/sh
# Builds the wheel of this project and those of everything it needs into the folder $1.
# Run from the top of the source. PYTHON names another interpreter.
set -eu
wheels=${1:?usage: docker/build.sh WHEELS}
python=${PYTHON:-python3}
mkdir -p "$wheels"
"$python" -m pip wheel --quiet --disable-pip-version-check --wheel-dir "$wheels" .
