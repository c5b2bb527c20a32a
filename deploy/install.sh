#!/bin/sh
# Installs jiqun from the bundle that this script lies in, without network: sh install.sh [DIR]   (default /opt/jiqun)
# Run it again with a newer bundle to upgrade; the workspace is not touched.
set -eu
bundle=$(cd "$(dirname "$0")" && pwd)
target=${1:-/opt/jiqun}
python=${PYTHON:-python3}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "jiqun needs Python 3.11 or later (PYTHON=python3.13 names another)"; exit 1; }
[ -x "$target/bin/python" ] || "$python" -m venv "$target" || { echo "Install the package python3-venv, then try again."; exit 1; }
pip() { "$target/bin/python" -m pip -q --disable-pip-version-check --no-input "$@"; }
pip install --no-index --find-links "$bundle" --require-hashes -r "$bundle/server.lock"
pip install --no-index --no-deps --force-reinstall "$bundle"/jiqun-*.whl
version=$("$target/bin/jiqun" --version)
echo "$version is in $target. Next: $target/bin/jiqun init DIR"
