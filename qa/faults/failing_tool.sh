#!/bin/sh
# Stands in for qemu-img or qemu-io. In the working directory of a case that has a file "tool" among its orders, it fails
# as that file says; otherwise it runs the real tool.
tool=${0##*/} work=$(pwd -P)
case=${work%/work}
orders=$FAULTS/orders/${case##*/}
if [ "$case" != "$work" ] && read -r how 2>/dev/null < "$orders/tool"; then
    : > "$orders/hit"
    case $how in
    fails) echo "injected failure" >&2; exit 86 ;;
    killed) kill -SEGV $$ ;;
    hangs) exec sleep 1000 ;;
    floods) head -c 100M /dev/zero | tr '\0' y >&2; exit 86 ;;
    esac
fi
exec "$FAULTS/real/$tool" "$@"
