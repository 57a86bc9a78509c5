# shellcheck shell=bash
# Environment: QEMU_PROG, QEMU_IMG_PROG, QEMU_IO_PROG, QEMU_NBD_PROG, QSD_PROG: the programs; LIMIT: the seconds to
# wait for anything; KEEP=1: keep the directory with the images.

# shellcheck disable=SC2034,SC2317 # not every replay uses every function and variable
set -u
export LC_ALL=C
: "${LIMIT:=60}"
declare -A in=() out=() pid=()        # by VM: its input, its output, its process (a server's by its socket)
events=()                             # not waited for yet, each preceded by the name of its VM
message='' printed='' output='' status=0 same=yes lenient=
place=$(mktemp -d "${TMPDIR:-/tmp}/reproduce.XXXXXX") || exit 125
mkdir "$place/work" && cd "$place/work" || exit 125

clean_up() {
    local each
    for each in "${pid[@]}"; do kill -KILL -- "-$each"; done
    wait
    if [[ ${KEEP-} ]]; then echo "# kept: $place/work"; else rm -rf "$place"; fi
} 2>"$place/noise"

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap '' PIPE

step() { echo "# step $*"; }

differs() { echo "# differs from the recording: $*"; [[ $lenient ]] || exit "$DIFFERS"; }

fails() { echo "# FAILS as recorded: $*"; exit 1; }

does_not_fail() { echo "# does not fail as recorded: $*"; exit 0; }

cannot_tell() { echo "# cannot judge this failure from what QEMU and its tools report: $*"; exit 125; }

maybe() { lenient=yes; "$@"; lenient=; }

# matches TEXT PART...: whether a text has every part, and none of the parts that begin with !.
matches() {
    local part
    for part in "${@:2}"; do
        if [[ $part == !* ]]; then [[ $1 != *"${part#!}"* ]] || return 1; else [[ $1 == *"$part"* ]] || return 1; fi
    done
}

# start VM PROGRAM ARGUMENT...: start a QEMU with QMP on its standard streams.
start() {
    local vm=$1 to from
    shift
    echo "$vm \$ $*"
    rm -f "$place/$vm.in" "$place/$vm.out"
    mkfifo "$place/$vm.in" "$place/$vm.out"
    setsid "$@" <"$place/$vm.in" >"$place/$vm.out" &
    pid[$vm]=$!
    exec {to}>"$place/$vm.in" {from}<"$place/$vm.out"
    in[$vm]=$to out[$vm]=$from
}

# greets VM: QEMU must send its QMP greeting.
greets() { { receive "$1" && [[ $message == '{"QMP"'* ]]; } || differs "no greeting from $1"; }

# receive VM: read its next QMP message. Other output, such as that of qemu-io, goes to $printed.
receive() {
    local line json='\{"(QMP|return|error|timestamp)".*'
    while IFS= read -r -t "$LIMIT" -u "${out[$1]}" line || { status=$?; false; }; do
        line=${line%$'\r'}
        message=
        [[ $line =~ $json ]] && message=${BASH_REMATCH[0]}
        line=${line%"$message"}
        [[ -z $line ]] || { echo "$1 | $line"; printed+=$line$'\n'; }
        [[ -z $message ]] || { echo "$1 <- ${message:0:600}"; return 0; }
    done
    message=                          # $status is above 128 after a timeout, else QEMU closed its end
    return 1
}

# qmp VM COMMAND KIND: send a command; its reply must be of this kind: return, error, or any.
qmp() {
    echo "$1 -> $2"
    printed=
    echo "$2" >&"${in[$1]}"
    while receive "$1" && [[ $message == '{"timestamp"'* ]]; do events+=("$1 $message"); done
    [[ $3 == any || $message == "{\"$3\""* ]] || differs "expected a reply '$3'"
} 2>>"$place/noise"

# event VM PART...: consume the first event with these parts, waiting for it if necessary.
event() {
    local i vm=$1
    shift
    while :; do
        for i in "${!events[@]}"; do
            matches "${events[i]}" "$vm {" "$@" || continue
            message=${events[i]}
            unset 'events[i]'
            return
        done
        receive "$vm" || { differs "no event with: $*"; return; }
        events+=("$vm $message")
    done
}

# job VM ID STATUS PART...: wait until a job has a status; the events on the way must have these parts together.
job() {
    local i vm=$1 id=$2 end=$3 seen=
    shift 3
    while [[ $seen != *"\"status\": \"$end\""* ]]; do
        for i in "${!events[@]}"; do
            matches "${events[i]}" "$vm {" "\"$id\"" || continue
            [[ ${events[i]} =~ JOB_STATUS_CHANGE|BLOCK_JOB_COMPLETED|BLOCK_JOB_CANCELLED ]] || continue
            seen+=${events[i]}$'\n'
            unset 'events[i]'
            continue 2
        done
        receive "$vm" || { differs "job $id does not become $end"; return; }
        events+=("$vm $message")
    done
    matches "$seen" "$@" || differs "job $id ends differently; expected: $*"
}

# prints TEXT: the output since the last command must have this text.
prints() { [[ $printed == *"$1"* ]] || differs "expected output: $1"; }

# saved TEXT: compare a result that a later step judges with the recorded one.
saved() { [[ $message$output == *"$1"* ]] || { same=no; echo "# the result differs"; }; }

# run STATUS PROGRAM ARGUMENT...: run a tool; its exit status must be STATUS, unless that is any.
run() {
    echo "\$ ${*:2}"
    timeout --kill-after=5 "$LIMIT" "${@:2}" </dev/null >"$place/output" 2>&1
    status=$?
    output=$(head --bytes=65536 "$place/output" | tr -d '\0')
    [[ -z $output ]] || echo "$output" | head --lines=20
    [[ $1 == any || $status == "$1" ]] || differs "status $status instead of $1"
}

# serve SOCKET PROGRAM ARGUMENT...: start a server on a Unix socket, and wait until it listens.
serve() {
    echo "\$ ${*:2} -k $1 &"
    setsid "$2" -k "$PWD/$1" "${@:3}" </dev/null &
    pid[$1]=$!
    until grep -q " 00010000 .* $PWD/$1\$" /proc/net/unix; do
        kill -0 "${pid[$1]}" 2>>"$place/noise" || { differs "the server has exited"; return; }
        sleep 0.02
    done
}

# stop SOCKET: terminate a server.
stop() {
    kill -TERM -- "-${pid[$1]}"
    wait "${pid[$1]}"
    unset "pid[$1]"
    rm -f "$1"
} 2>>"$place/noise"

# signal VM NAME: send a signal.
signal() { echo "$1 kill -$2"; kill "-$2" -- "-${pid[$1]}"; } 2>>"$place/noise"

# ended VM SECONDS: wait until a VM has exited; its exit status is in $status, 128 plus the signal's number for a crash.
ended() {
    local LIMIT=$2 to=${in[$1]} from=${out[$1]}
    while receive "$1"; do events+=("$1 $message"); done
    [[ $status -le 128 ]] || return 1
    { wait "${pid[$1]}"; } 2>>"$place/noise"
    status=$?
    echo "$1 = $status"
    exec {to}>&- {from}<&-
    unset "pid[$1]"
}

# exits VM STATUS: a VM must exit with this status.
exits() { { ended "$1" "$LIMIT" && [[ $status == "$2" ]]; } || differs "$1 does not exit with status $2"; }

# failed_if KIND PATTERN: the case failed if the last reply, or event, is of this kind and matches.
failed_if() {
    local kind='^([a-z0-9_-]+ )?\{"'$1'"'
    [[ $message ]] || differs "no reply"
    [[ $message =~ $kind ]] || does_not_fail "the reply is not of the kind '$1'"
    [[ $message =~ $2 ]] && fails "$2"
    [[ $1 == error ]] && differs "another error"
    does_not_fail "not found: $2"
}

failed_if_printed() {
    [[ $message ]] || differs "no reply"
    if [[ $printed == *"$1"* ]]; then fails "$1"; else does_not_fail "not printed: $1"; fi
}

failed_if_silent() {
    [[ $message ]] && does_not_fail "a reply came"
    if [[ $status -gt 128 ]]; then fails "no reply within $LIMIT s"; else differs "QEMU has exited"; fi
}

failed_if_status() { # STATUS [TEXT]
    [[ $status == "$1" && $output == *"${2-}"* ]] && fails "status $status ${2-}"
    [[ $status == 0 || $status == "$1" || $1$# == 01 ]] && does_not_fail "status $status"
    differs "status $status instead of $1"
}

failed_if_exits() { # VM STATUS WANTED
    ended "$1" 5 || does_not_fail "$1 has not exited"
    [[ $status == "$2" ]] && fails "status $status"
    [[ $status == "$3" ]] && does_not_fail "status $status"
    differs "status $status"
}

failed_unless_exits() { if ended "$1" "$2"; then does_not_fail "$1 has exited"; else fails "$1 has not exited"; fi; }

failed_unless_event() { # VM SECONDS PART...
    local LIMIT=$2 lenient=yes
    message=
    event "$1" "${@:3}"
    [[ $message ]] && does_not_fail "the event came"
    lenient=
    if [[ $status -gt 128 ]]; then fails "no such event"; else differs "QEMU has exited"; fi
}

failed_if_job() { # VM ID PART...: the case failed if an event of the job has these parts
    local i
    while :; do
        for i in "${!events[@]}"; do
            matches "${events[i]}" "$1 {" "\"$2\"" || continue
            matches "${events[i]}" "${@:3}" && fails "${*:3}"
            matches "${events[i]}" JOB_STATUS_CHANGE '"status": "null"' && does_not_fail "the job was dismissed"
            unset 'events[i]'
        done
        receive "$1" || differs "no more events of the job"
        events+=("$1 $message")
    done
}

failed_if_left() { # VM PART...
    local i
    for i in "${!events[@]}"; do matches "${events[i]}" "$1 {" "${@:2}" && fails "${events[i]}"; done
    does_not_fail "no such event"
}

failed_if_same() { if [[ $same == yes ]]; then fails "the results are the same"; else does_not_fail "the results differ"; fi; }
