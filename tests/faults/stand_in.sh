#!/bin/sh
# Stands in for QEMU: steps aside for the real one where the case is not struck, else stand_in.py does it. Where we are
# not struck nobody shall see that we are here: who kills us waits for our end, and not for QEMU's.
tool=${0##*/} work=$(pwd -P)
case=${work%/work}
[ -e "$FAULTS/orders/${case##*/}/stand-in" ] || exec "$FAULTS/real/$tool" "$@"
exec "$FAULTS/real/python" -IS "$FAULTS/real/stand_in.py" "$FAULTS/real/$tool" "$@"
