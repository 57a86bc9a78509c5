#!/bin/sh
# Starts QEMU; through stand_in.py where its session is to misbehave, which a Python for each QEMU would be slow to find.
tool=${0##*/} work=$(pwd -P)
case=${work%/work}
[ -e "$FAULTS/orders/${case##*/}/stand-in" ] || exec "$FAULTS/real/$tool" "$@"
exec "$FAULTS/real/python" -IS "$FAULTS/real/stand_in.py" "$FAULTS/real/$tool" "$@"
