"""`--print-completion`: what completes the command in bash, zsh and fish, from its parser. Imports nothing of ours.

The cases of a file, behind `FILE::`, and tags are asked of the command itself, by `--complete`, which no help lists.
Sources: bash's manual, "Programmable Completion"; zshcompsys(1), `_arguments`; fish's `complete` command.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

FILES, DIRECTORIES, PROGRAMS, TAGS, WORDS, TEXT, NOTHING = range(7)
KINDS = {"FILE": FILES, "DIR": DIRECTORIES, "PROG": PROGRAMS, "TAG": TAGS}


@dataclass(frozen=True)
class _Option:
    """One option: its spellings, what its value is, and whether it may come again."""

    names: tuple[str, ...]
    help: str
    kind: int
    words: tuple[str, ...] = ()
    metavar: str = ""
    optional: bool = False
    repeated: bool = False


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script that completes the command in a shell: "bash", "zsh" or "fish"."""
    options = list(_options(parser))
    match shell:
        case "bash":
            return _bash(options)
        case "zsh":
            return _zsh(options)
        case _:
            return _fish(options)


def _options(parser: argparse.ArgumentParser) -> Iterator[_Option]:
    for action in parser._actions:
        if not action.option_strings or action.help == argparse.SUPPRESS:
            continue
        text = (action.help or "") % {"default": action.default, "prog": parser.prog}
        words = tuple(map(str, action.choices or ()))
        metavar = str(action.metavar or action.dest.upper())
        kind = NOTHING if action.nargs == 0 else WORDS if words else KINDS.get(metavar, TEXT)
        # A file is worth completing behind a space too, whatever may stand there instead.
        optional = action.nargs == "?" and kind != FILES
        repeated = isinstance(action, argparse._AppendAction)
        yield _Option(tuple(action.option_strings), text, kind, words, metavar, optional, repeated)


BASH = r"""# bash completion for run-scenarios
_run_scenarios_filter() { # prefix, what to cut off; candidates on standard input
    local each
    while IFS= read -r each; do
        [[ $each == "$1"* ]] || continue
        each=${each#"$2"}
        [[ $each =~ ^[A-Za-z0-9_./:=,@%+-]+$ ]] || each=$(printf %q "$each")
        COMPREPLY+=("$each")
    done
}

_run_scenarios() {
    local line=${COMP_LINE:0:COMP_POINT} current before option breaks= cut= each
    local -a paths=()
    current=${line##*[[:space:]]}
    before=${line%"$current"}
    before=${before%"${before##*[![:space:]]}"}
    option=${before##*[[:space:]]}
    COMPREPLY=()
    # What bash takes for several words is one to us.
    [[ $COMP_WORDBREAKS == *:* ]] && breaks+=:
    [[ $COMP_WORDBREAKS == *=* ]] && breaks+==
    if [[ $current == --*=* ]]; then
        option=${current%%=*}
        [[ $breaks == *=* ]] || cut=$option=
        current=${current#*=}
    elif [[ -n $breaks ]]; then
        cut=${current%"${current##*[$breaks]}"}
    fi
    case $option in
@CASES@
    esac
    case $current in
    -*)
        mapfile -t COMPREPLY < <(compgen -W "@NAMES@" -- "$current")
        ;;
    *::*)
        _run_scenarios_filter "$current" "$cut" < <(
            run-scenarios --complete case -- "${current%%::*}" 2>/dev/null |
                while IFS= read -r each; do printf '%s::%s\n' "${current%%::*}" "$each"; done
        )
        ;;
    *)
        mapfile -t COMPREPLY < <(
            compgen -d -- "$current"
            compgen -f -X '!*.yaml' -- "$current"
            compgen -f -X '!*.yml' -- "$current"
        )
        compopt -o filenames 2>/dev/null
        ;;
    esac
}
complete -F _run_scenarios run-scenarios"""
BASH_VALUES = {
    FILES: 'mapfile -t COMPREPLY < <(compgen -f -- "$current"); compopt -o filenames 2>/dev/null',
    DIRECTORIES: 'mapfile -t COMPREPLY < <(compgen -d -- "$current"); compopt -o filenames 2>/dev/null',
    PROGRAMS: 'mapfile -t COMPREPLY < <(compgen -c -f -- "$current")',
    TAGS: r"""for each in "${COMP_WORDS[@]:1}"; do [[ -e $each ]] && paths+=("$each"); done
        [[ ${#paths[@]} -eq 0 && -d scenarios ]] && paths=(scenarios)
        [[ ${#paths[@]} -eq 0 ]] ||
            _run_scenarios_filter "$current" "" < <(run-scenarios --complete tag -- "${paths[@]}" 2>/dev/null)""",
    WORDS: 'mapfile -t COMPREPLY < <(compgen -W "@WORDS@" -- "$current")',
    TEXT: ":",
}


def _bash(options: list[_Option]) -> str:
    # An optional value would have to follow a "=", so there is nothing to complete behind a space.
    cases = [_bash_case(option) for option in options if option.kind != NOTHING and not option.optional]
    names = " ".join(name for option in options for name in option.names)
    return BASH.replace("@CASES@", "\n".join(cases)).replace("@NAMES@", names)


def _bash_case(option: _Option) -> str:
    values = BASH_VALUES[option.kind].replace("@WORDS@", " ".join(option.words))
    return f"    {' | '.join(option.names)})\n        {values}\n        return\n        ;;"


ZSH = r"""#compdef run-scenarios
_run_scenarios_paths() {
    if [[ $PREFIX == *::* ]]; then
        local -a cases
        cases=(${(f)"$(run-scenarios --complete case -- "${(Q)PREFIX%%::*}" 2>/dev/null)"})
        compset -P '*::'
        compadd -a cases
    else
        _files -g '*.(yaml|yml)'
    fi
}

_run_scenarios_tags() {
    local -a paths tags
    paths=(${^${(Q)words[2,-1]}}(N))
    (( $#paths )) || paths=(scenarios(N/))
    (( $#paths )) || return 1
    tags=(${(f)"$(run-scenarios --complete tag -- $paths 2>/dev/null)"})
    compadd -a tags
}

_run_scenarios() {
    _arguments -s -S \
@OPTIONS@
        '*:path:_run_scenarios_paths'
}

if [[ $funcstack[1] == _run_scenarios ]]; then
    _run_scenarios "$@"
else
    compdef _run_scenarios run-scenarios
fi"""
ZSH_VALUES = {
    FILES: "_files",
    DIRECTORIES: "_files -/",
    PROGRAMS: "{_command_names; _files}",
    TAGS: "_run_scenarios_tags",
    TEXT: "",
}


def _zsh(options: list[_Option]) -> str:
    specs = [f"        {_zsh_option(option, name)} \\" for option in options for name in option.names]
    return ZSH.replace("@OPTIONS@", "\n".join(specs))


def _zsh_option(option: _Option, name: str) -> str:
    others = "" if option.repeated else f"({' '.join(option.names)})"
    repeated = "*" if option.repeated else ""
    text = option.help.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    if option.kind == NOTHING:
        return _quoted(f"{others}{name}[{text}]")
    sign = ("=-" if option.optional else "=") if name.startswith("--") else "+"
    values = f"({' '.join(option.words)})" if option.kind == WORDS else ZSH_VALUES[option.kind]
    colons = "::" if option.optional else ":"
    return _quoted(f"{others}{repeated}{name}{sign}[{text}]{colons}{option.metavar.lower()}:{values}")


FISH = r"""# fish completion for run-scenarios
function __run_scenarios_paths
    set -l token (commandline -ct)
    if string match -q -- '*::*' $token
        set -l file (string split -m 1 -- :: $token)[1]
        for each in (run-scenarios --complete case -- $file 2>/dev/null)
            echo $file::$each
        end
    else
        for each in $token*
            if test -d $each
                echo $each/
            else if string match -qr -- '\.ya?ml$' $each
                echo $each
            end
        end
    end
end

function __run_scenarios_tags
    set -l paths
    for each in (commandline -opc)[2..]
        test -e $each; and set -a paths $each
    end
    test (count $paths) -eq 0; and test -d scenarios; and set paths scenarios
    test (count $paths) -eq 0; or run-scenarios --complete tag -- $paths 2>/dev/null
end

complete -c run-scenarios -f -a '(__run_scenarios_paths)'
@OPTIONS@"""
FISH_VALUES = {
    FILES: "-r -F",
    DIRECTORIES: "-x -a '(__fish_complete_directories)'",
    PROGRAMS: "-r -F",
    TAGS: "-x -a '(__run_scenarios_tags)'",
    TEXT: "-x",
    NOTHING: "",
}


def _fish(options: list[_Option]) -> str:
    return FISH.replace("@OPTIONS@", "\n".join(map(_fish_option, options)))


def _fish_option(option: _Option) -> str:
    names = [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names]
    values = f"-x -a {_quoted(' '.join(option.words))}" if option.kind == WORDS else FISH_VALUES[option.kind]
    values = "" if option.optional else values
    text = option.help.replace("\\", "\\\\").replace("'", "\\'")
    return " ".join(filter(None, ("complete -c run-scenarios", *names, values, f"-d '{text}'")))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
