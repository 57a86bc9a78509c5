#!/bin/sh
# Stands in for qemu-img or qemu-io: runs the real one, or fails as the file $FAULTS/tool says, in the directory it says.
tool=${0##*/}
if read -r how where 2>/dev/null < "$FAULTS/tool" && [ "$(pwd -P)" = "$where" ]; then
    : > "$FAULTS/struck"
    case $how in
    fails) echo "injected failure" >&2; exit 86 ;;
    killed) kill -SEGV $$ ;;
    hangs) exec sleep 1000 ;;
    floods) head -c 100M /dev/zero | tr '\0' y >&2; exit 86 ;;
    esac
fi
exec "$FAULTS/real/$tool" "$@"
