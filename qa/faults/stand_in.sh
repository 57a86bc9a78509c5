#!/bin/sh
# Starts QEMU, through stand_in.py if its QMP session is to be broken. Python for every QEMU would be slow.
tool=${0##*/} work=$(pwd -P)
case=${work%/work}
[ -e "$FAULTS/orders/${case##*/}/stand-in" ] || exec "$FAULTS/real/$tool" "$@"
exec "$FAULTS/real/python" -IS "$FAULTS/real/stand_in.py" "$FAULTS/real/$tool" "$@"
