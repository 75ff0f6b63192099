#!/usr/bin/env bash
# limit.sh SECONDS COMMAND...   runs a test, none of whose processes may take more SECONDS of processor time. How long it
# takes by the clock depends on what else the machine does, and says nothing of the test.
seconds=$1
shift
TIMEFORMAT='processor time: %1U s, and %1S s of the system'
limited() (
  ulimit -S -t "$seconds"
  exec "$@"
)
time limited "$@"
code=$?
((code != 128 + $(kill -l XCPU))) || echo "Stopped after $seconds s of processor time."
exit $code
