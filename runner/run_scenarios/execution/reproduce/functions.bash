# shellcheck shell=bash
# Environment: QEMU_PROG, QEMU_IMG_PROG, QEMU_IO_PROG, QEMU_NBD_PROG, QSD_PROG: the programs; LIMIT: the seconds to
# wait for anything; KEEP=1: keep the directory with the images.

# shellcheck disable=SC2034,SC2317 # not every replay uses every function and variable
set -u
export LC_ALL=C
: "${LIMIT:=60}"
declare -A in=() out=() pid=()        # by VM: its input, its output, its process (a server's by its socket)
events=()                             # not waited for yet, each preceded by the name of its VM
message='' printed='' output='' stdout='' stderr='' seen='' status=0 same=yes lenient=
place=$(mktemp -d "${TMPDIR:-/tmp}/reproduce.XXXXXX") || exit 125
mkdir "$place/work" && cd "$place/work" || exit 125

clean_up() {
    local each
    for each in "${pid[@]}"; do kill -KILL -- "-$each"; done
    wait
    for each in "${!in[@]}"; do show_stderr "$each"; done
    if [[ ${KEEP-} ]]; then echo "# kept: $place/work"; else rm -rf "$place"; fi
} 2>"$place/noise"

# show_stderr VM: print what a VM wrote to standard error.
show_stderr() {
    local line
    [[ -e $place/$1.err ]] || return 0
    while IFS= read -r line; do echo "$1 ! $line"; done <"$place/$1.err"
}

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
        case $part in
        !*) [[ $1 != *"${part#!}"* ]] || return 1 ;;
        *[0-9]) [[ $1 == *"$part"[!0-9.]* ]] || return 1 ;;
        *) [[ $1 == *"$part"* ]] || return 1 ;;
        esac
    done
}

# start VM PROGRAM ARGUMENT...: start a QEMU with QMP on its standard streams.
start() {
    local vm=$1 to from
    shift
    echo "$vm \$ $*"
    rm -f "$place/$vm.in" "$place/$vm.out"
    mkfifo "$place/$vm.in" "$place/$vm.out"
    setsid "$@" <"$place/$vm.in" >"$place/$vm.out" 2>"$place/$vm.err" &
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
    timeout --kill-after=5 "$LIMIT" "${@:2}" </dev/null >"$place/stdout" 2>"$place/stderr"
    status=$?
    stdout=$(head --bytes=65536 "$place/stdout" | tr -d '\0')
    stderr=$(head --bytes=65536 "$place/stderr" | tr -d '\0')
    output=$stdout${stdout:+$'\n'}$stderr
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
    stderr=$(<"$place/$1.err")
    show_stderr "$1"
    rm "$place/$1.err"
    echo "$1 = $status"
    exec {to}>&- {from}<&-
    unset "pid[$1]"
}

# exits VM STATUS: a VM must exit with this status.
exits() { { ended "$1" "$LIMIT" && [[ $status == "$2" ]]; } || differs "$1 does not exit with status $2"; }

# replies KIND: the last reply must be of this kind: return or error.
replies() { [[ $message == "{\"$1\""* ]] || differs "expected a reply '$1'"; }

# has_status STATUS: the last tool must have exited with this status.
has_status() { [[ $status == "$1" ]] || differs "status $status instead of $1"; }

# accepts OPERATOR OPERAND VALUE: whether a value is as expected; nothing is, if that cannot be tested here.
accepts() {
    case $1 in
    is) [[ $3 == "$2" ]] ;;
    ne) [[ $3 != "$2" ]] ;;
    contains) [[ $3 == *"$2"* ]] ;;
    lacks) [[ $3 != *"$2"* ]] ;;
    any) true ;;
    gt | ge | lt | le) [[ $3 =~ ^-?[0-9]+$ ]] && test "$3" "-$1" "$2" ;;
    *) false ;;
    esac
}

# meets NAME OPERATOR OPERAND...: whether the last reply or output, by the names of its parts, is as expected.
meets() {
    local value
    while [[ $# -gt 0 ]]; do
        case $1 in
        class | desc) get_values "$message" "\"$1\": "; value=$(printf %b "${values[0]-}"); value=${value#\"} value=${value%\"} ;;
        status) value=$status ;;
        stdout) value=$stdout ;;
        stderr) value=$stderr ;;
        *) value=$output ;;
        esac
        accepts "$2" "$3" "$value" || return
        shift 3
    done
}

# get_values TEXT PATTERN: set $values to the JSON scalars that follow a pattern in a text.
get_values() {
    local rest=$1 scalar='("([^"\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null)'
    values=()
    while [[ $rest =~ $2$scalar ]]; do
        values+=("${BASH_REMATCH[1]}")
        rest=${rest#*"${BASH_REMATCH[0]}"}
    done
}

# failed_if_value TEXT PATTERN INDEX COUNT RECORDED OPERATOR OPERAND: one of the values that follow a pattern.
failed_if_value() {
    local value
    get_values "$1" "$2"
    [[ $6 == absent && ${#values[@]} -lt $4 ]] && does_not_fail "not found: $2"
    [[ ${#values[@]} == "$4" ]] || differs "${#values[@]} instead of $4 values of $2"
    value=${values[$3]}
    [[ $value == "$5" ]] && fails "$2$value"
    accepts "$6" "$7" "$value" && does_not_fail "$2$value"
    differs "$2$value is neither as recorded nor as expected"
}

# failed_if_missing TEXT PATTERN OPERATOR OPERAND: no value follows the pattern.
failed_if_missing() {
    get_values "$1" "$2"
    [[ ${#values[@]} == 0 ]] && fails "not found: $2"
    [[ ${#values[@]} == 1 ]] && accepts "$3" "$4" "${values[0]}" && does_not_fail "$2${values[0]}"
    differs "$2${values[*]} is not as expected"
}

# failed_if_text TEXT RECORDED OPERATOR OPERAND: a whole text, or a number.
failed_if_text() {
    local text
    text=$(trim "$1")
    [[ $text == "$(trim "$2")" ]] && fails "$text"
    accepts "$3" "$4" "$text" && does_not_fail "$text"
    differs "neither as recorded nor as expected: $text"
}

# failed_if_same TEXT RECORDED: a whole text without an expected one; if it differs, nobody knows whether it is right.
failed_if_same() {
    # shellcheck disable=SC2086 # spaces do not count
    [[ $(set -f; echo $1) == "$2" ]] && fails "the same as recorded"
    differs "the reply or output differs, and only the runner can judge it"
}

# trim TEXT: print a text without spaces at its ends.
trim() {
    local text=${1#"${1%%[![:space:]]*}"}
    printf %s "${text%"${text##*[![:space:]]}"}"
}

# failed_if_returns NAME OPERATOR OPERAND...: a command that must fail, with an error that meets these conditions.
failed_if_returns() {
    [[ $message == '{"return"'* ]] && fails "the command succeeds"
    [[ $message ]] && meets "$@" && does_not_fail "the command fails as expected"
    differs "the command fails, but perhaps not as expected"
}

# failed_if_succeeds NAME OPERATOR OPERAND...: the same for a tool.
failed_if_succeeds() {
    [[ $status == 0 ]] && fails "the tool succeeds"
    meets "$@" && does_not_fail "the tool fails as expected"
    differs "the tool fails, but perhaps not as expected"
}

# failed_if_error DESC: a command that must succeed.
failed_if_error() {
    [[ $message == '{"return"'* ]] && does_not_fail "the command succeeds"
    [[ $message == *"\"desc\": $1"* ]] && fails "$1"
    differs "another error"
}

# failed_if_printed TEXT: qemu-io in a monitor.
failed_if_printed() {
    [[ $message ]] || differs "no reply"
    [[ $printed == *"$1"* ]] && fails "$1"
    [[ $printed =~ failed|rror ]] && differs "another error"
    does_not_fail "not printed: $1"
}

failed_if_silent() {
    [[ $message ]] && does_not_fail "a reply came"
    if [[ $status -gt 128 ]]; then fails "no reply within $LIMIT s"; else differs "QEMU has exited"; fi
}

failed_if_status() { # STATUS TEXT WANTED
    [[ $status == "$1" && $output == *"$2"* ]] && fails "status $status $2"
    [[ $status == "$3" ]] && does_not_fail "status $status"
    differs "status $status, or another message"
}

failed_if_exits() { # VM STATUS WANTED [STDERR]
    ended "$1" 5 || does_not_fail "$1 has not exited"
    [[ $status == "$2" && $stderr == *"${4-}"* ]] && fails "status $status ${4-}"
    [[ $status == "$3" ]] && does_not_fail "status $status"
    differs "status $status"
}

failed_unless_exits() { if ended "$1" "$2"; then does_not_fail "$1 has exited"; else fails "$1 has not exited"; fi; }

failed_unless_event() { # VM SECONDS certain|uncertain PART...: whether an event with these parts is the awaited one
    local LIMIT=$2 lenient=yes
    message=
    event "$1" "${@:4}"
    lenient=
    [[ $message && $3 == certain ]] && does_not_fail "the event came"
    [[ $message ]] && differs "an event came that may be the awaited one"
    if [[ $status -gt 128 ]]; then fails "no such event"; else differs "QEMU has exited"; fi
}

# follow_job VM ID PATTERN: collect the events of a job in $seen until one matches, or it has concluded.
follow_job() {
    local i vm=$1 id=$2 pattern="$3|\"status\": \"(concluded|null)\""
    seen=
    while [[ ! $seen =~ $pattern ]]; do
        for i in "${!events[@]}"; do
            matches "${events[i]}" "$vm {" "\"$id\"" || continue
            [[ ${events[i]} =~ JOB_STATUS_CHANGE|BLOCK_JOB_COMPLETED|BLOCK_JOB_CANCELLED ]] || continue
            seen+=${events[i]}$'\n'
            unset 'events[i]'
            continue 2
        done
        receive "$vm" || { differs "no more events of job $id"; return; }
        events+=("$vm $message")
    done
}

failed_if_seen() { # PART... -- PART...: the parts of the recorded events, and those of the expected ones
    local recorded=()
    while [[ $1 != -- ]]; do recorded+=("$1"); shift; done
    shift
    matches "$seen" "${recorded[@]}" && fails "${recorded[*]}"
    matches "$seen" "$@" && does_not_fail "$*"
    differs "the job ends neither as recorded nor as expected"
}

failed_if_left() { # VM PART...
    local i
    for i in "${!events[@]}"; do matches "${events[i]}" "$1 {" "${@:2}" && fails "${events[i]}"; done
    does_not_fail "no such event"
}

# failed_if_results_are_same: an assertion about results that were saved; only the runner can judge others.
failed_if_results_are_same() {
    [[ $same == yes ]] && fails "the results are the same"
    differs "the results differ, and only the runner can judge them"
}
