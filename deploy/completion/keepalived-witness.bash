# bash completion for witnessd, witness-agent, witness-check and witnessctl. It completes only words, so that no program is
# started at a key press. Checked against the programs' --help by test/programs/deploy/completion.test.ts.

_keepalived_witness() {
    local program=${1##*/} current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local commands='' options='' command='' word index
    case $program in
    witness-agent) commands='join setup doctor leave take-vote-back help' ;;
    witnessctl) commands='status events invite nodes remove rotate drill help' ;;
    esac
    COMPREPLY=()

    case $previous in
    --config | --keepalived-config | --check-program)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    --state-dir | --identity)
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        return
        ;;
    --url | --cluster | --node | --address | --limit | --listen | --config-id)
        return
        ;;
    esac

    for ((index = 1; index < COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        case " $commands " in *" $word "*) command=$word && break ;; esac
    done
    case $program/$command in
    witnessd/) options='--config' ;;
    witness-check/) options='--state-dir' ;;
    witness-agent/) options='--config' ;;
    witness-agent/join) options='--config --state-dir --listen --no-start' ;;
    witness-agent/setup) options='--apply --undo --advised --keepalived-config --config-id --check-program --config' ;;
    witness-agent/doctor) options='--config --json' ;;
    witness-agent/leave) options='--config --no-stop' ;;
    witness-agent/take-vote-back) options='--config' ;;
    witnessctl/) options='--url --identity' ;;
    witnessctl/status | witnessctl/nodes) options='--json' ;;
    witnessctl/events) options='--json --limit --follow' ;;
    witnessctl/invite) options='--cluster --node --address --json' ;;
    witnessctl/remove) options='--cluster --node --even-holder --is-off' ;;
    witnessctl/rotate) options='--cluster --node --all' ;;
    witnessctl/drill) options='--cluster --node --including-holder --json' ;;
    */help) mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current") && return ;;
    esac
    [ "$program" = witness-check ] || options="$options --help"
    [ -n "$command" ] || [ "$program" = witness-check ] || options="$options --version"

    case $current in
    -*) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current") ;;
    *) [ -n "$command" ] || mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current") ;;
    esac
}

complete -F _keepalived_witness witnessd witness-agent witness-check witnessctl
