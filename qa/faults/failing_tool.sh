#!/bin/sh
# Stands in for qemu-img or qemu-io: runs the real one, or fails as the file "tool" says among the orders for the case,
# if it runs in the case's directory of work.
tool=${0##*/} work=$(pwd -P)
case=${work%/work}
orders=$FAULTS/orders/${case##*/}
if [ "$case" != "$work" ] && read -r how 2>/dev/null < "$orders/tool"; then
    : > "$orders/struck"
    case $how in
    fails) echo "injected failure" >&2; exit 86 ;;
    killed) kill -SEGV $$ ;;
    hangs) exec sleep 1000 ;;
    floods) head -c 100M /dev/zero | tr '\0' y >&2; exit 86 ;;
    esac
fi
exec "$FAULTS/real/$tool" "$@"
