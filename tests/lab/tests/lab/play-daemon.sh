#!/bin/sh
# Called like the daemon, `run --config FILE SCRIPT`: runs SCRIPT, for which "$3" is FILE.
exec /bin/sh -c "$4" "$@"
