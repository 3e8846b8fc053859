#!/bin/sh
# Installs the wheels of the folder $1 into a new virtual environment $2, without pip in it and without the
# network, then checks from another folder that the installed catalogue is complete.
set -eu
wheels=${1:?usage: docker/install.sh WHEELS VENV}
venv=${2:?usage: docker/install.sh WHEELS VENV}
python=${PYTHON:-python3}
"$python" -m venv --without-pip "$venv"
"$python" -m pip --python "$venv/bin/python" install --quiet --disable-pip-version-check --no-index \
  --find-links "$wheels" "rr-all-cds[postgres]"
venv=$(cd "$venv" && pwd)
cd /
"$venv/bin/cds-service" check
