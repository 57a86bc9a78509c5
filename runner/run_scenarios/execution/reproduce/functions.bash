# shellcheck shell=bash
# Environment: QEMU_PROG, QEMU_IMG_PROG, QEMU_IO_PROG, QEMU_NBD_PROG, QSD_PROG: the programs; LIMIT: how many seconds to
# wait for anything; KEEP=1: keep the directory with the images.

# shellcheck disable=SC2034,SC2317 # the functions and variables are those of any replay
set -u
export LC_ALL=C
: "${LIMIT:=60}"
declare -A in=() out=() pid=()        # by VM: what it reads, what it writes, its process (by socket, for a server)
events=()                             # those nobody has waited for yet, each behind the name of its VM
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

differs() { echo "# another way than the record: $*"; [[ $lenient ]] || exit "$ANOTHER_WAY"; }

fails() { echo "# FAILS as recorded: $*"; exit 1; }

does_not_fail() { echo "# does not fail as recorded: $*"; exit 0; }

cannot_tell() { echo "# what failed was nothing that QEMU or a tool said: $*"; exit 125; }

maybe() { lenient=yes; "$@"; lenient=; }

# matches TEXT PART...: whether a text has every part; one that begins with ! must not be there.
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

# greets VM: QEMU must say that it speaks QMP.
greets() { { receive "$1" && [[ $message == '{"QMP"'* ]]; } || differs "no greeting from $1"; }

# receive VM: read its next QMP message. What it prints beside QMP, as qemu-io does, goes to $printed.
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
    message=                          # $status is above 128 if nothing came in time, else QEMU has closed its end
    return 1
}

# qmp VM COMMAND KIND: send a command; its reply must be of that kind: return, error, or any.
qmp() {
    echo "$1 -> $2"
    printed=
    echo "$2" >&"${in[$1]}"
    while receive "$1" && [[ $message == '{"timestamp"'* ]]; do events+=("$1 $message"); done
    [[ $3 == any || $message == "{\"$3\""* ]] || differs "expected a reply '$3'"
} 2>>"$place/noise"

# event VM PART...: take the first event that has these parts, or wait for it.
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

# job VM ID STATUS PART...: follow a job to a status, and take its events; together they must have these parts.
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
        receive "$vm" || { differs "job $id does not get to be $end"; return; }
        events+=("$vm $message")
    done
    matches "$seen" "$@" || differs "job $id ends another way; expected: $*"
}

# prints TEXT: what qemu-io printed since the last command must have this text.
prints() { [[ $printed == *"$1"* ]] || differs "expected to be printed: $1"; }

# saved TEXT: whether a result that a later step looks at is the same as then.
saved() { [[ $message$output == *"$1"* ]] || { same=no; echo "# another result"; }; }

# run STATUS PROGRAM ARGUMENT...: run a tool to its end; its status must be that, or any.
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
        kill -0 "${pid[$1]}" 2>>"$place/noise" || { differs "the server has ended"; return; }
        sleep 0.02
    done
}

# stop SOCKET: end a server.
stop() {
    kill -TERM -- "-${pid[$1]}"
    wait "${pid[$1]}"
    unset "pid[$1]"
    rm -f "$1"
} 2>>"$place/noise"

# signal VM NAME: send a signal.
signal() { echo "$1 kill -$2"; kill "-$2" -- "-${pid[$1]}"; } 2>>"$place/noise"

# ended VM SECONDS: wait for its end; whether it came; $status is its status then, 128 and the signal's number for a crash.
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

# exits VM STATUS: it must end, with this status.
exits() { { ended "$1" "$LIMIT" && [[ $status == "$2" ]]; } || differs "$1 does not end with status $2"; }

# failed_if KIND PATTERN: whether the last reply, or event, is of this kind and has what made the case fail.
failed_if() {
    local kind='^([a-z0-9_-]+ )?\{"'$1'"'
    [[ $message ]] || differs "no reply"
    [[ $message =~ $kind ]] || does_not_fail "the reply is of another kind than '$1'"
    [[ $message =~ $2 ]] && fails "$2"
    [[ $1 == error ]] && differs "another error"
    does_not_fail "not there: $2"
}

failed_if_printed() {
    [[ $message ]] || differs "no reply"
    if [[ $printed == *"$1"* ]]; then fails "$1"; else does_not_fail "not printed: $1"; fi
}

failed_if_silent() {
    [[ $message ]] && does_not_fail "a reply came"
    if [[ $status -gt 128 ]]; then fails "no reply within $LIMIT s"; else differs "QEMU has ended"; fi
}

failed_if_status() { # STATUS [TEXT]
    [[ $status == "$1" && $output == *"${2-}"* ]] && fails "status $status ${2-}"
    [[ $status == 0 || $status == "$1" || $1$# == 01 ]] && does_not_fail "status $status"
    differs "status $status instead of $1"
}

failed_if_exits() { # VM STATUS WANTED
    ended "$1" 5 || does_not_fail "$1 has not ended"
    [[ $status == "$2" ]] && fails "status $status"
    [[ $status == "$3" ]] && does_not_fail "status $status"
    differs "status $status"
}

failed_unless_exits() { if ended "$1" "$2"; then does_not_fail "$1 has ended"; else fails "$1 has not ended"; fi; }

failed_unless_event() { # VM SECONDS PART...
    local LIMIT=$2 lenient=yes
    message=
    event "$1" "${@:3}"
    [[ $message ]] && does_not_fail "the event came"
    lenient=
    if [[ $status -gt 128 ]]; then fails "no such event"; else differs "QEMU has ended"; fi
}

failed_if_job() { # VM ID PART...: whether an event of a job has these parts before the job has gone
    local i
    while :; do
        for i in "${!events[@]}"; do
            matches "${events[i]}" "$1 {" "\"$2\"" || continue
            matches "${events[i]}" "${@:3}" && fails "${*:3}"
            matches "${events[i]}" JOB_STATUS_CHANGE '"status": "null"' && does_not_fail "the job has gone"
            unset 'events[i]'
        done
        receive "$1" || differs "nothing more of the job"
        events+=("$1 $message")
    done
}

failed_if_left() { # VM PART...
    local i
    for i in "${!events[@]}"; do matches "${events[i]}" "$1 {" "${@:2}" && fails "${events[i]}"; done
    does_not_fail "no such event"
}

failed_if_same() { if [[ $same == yes ]]; then fails "the results are the same"; else does_not_fail "other results"; fi; }
