#!/bin/sh
# Installs MLServer into a virtual environment of its own, once, and serves the
# model "texts" on loopback until it is ended.
#
#   MLSERVER_HTTP_PORT=8080 MLSERVER_GRPC_PORT=8081 ./run.sh          serve
#   ./run.sh install                                                  only install
#
# LEAT_OPENINFERENCE_VENV says where the environment is, else it is
# leat/openinference in the user's cache. LEAT_TEST_CALLS is the file to which
# the model adds a line per request.
set -eu
cd "$(dirname "$0")"
venv=${LEAT_OPENINFERENCE_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/leat/openinference}

# The copy of the requirements is written last: it says that all of it is there.
if ! cmp -s requirements.txt "$venv/installed.txt"; then
	mkdir -p "$venv"
	python3 -m venv --clear "$venv" >&2
	"$venv/bin/pip" install --quiet --disable-pip-version-check -r requirements.txt >&2
	cp requirements.txt "$venv/installed.txt"
fi
[ "${1:-serve}" = install ] && exit 0

: "${LEAT_TEST_CALLS:=/dev/null}"
export LEAT_TEST_CALLS
exec "$venv/bin/mlserver" start server
