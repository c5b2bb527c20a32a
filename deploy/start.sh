#!/bin/sh
# Makes the workspace on the first start, then hands over to jiqun.
set -eu
[ -e "$JIQUN_WORKSPACE/manifest.json" ] || jiqun init "$JIQUN_WORKSPACE"
exec jiqun "$@"
