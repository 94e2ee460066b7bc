_shmkit_names() {
  local name
  COMPREPLY=()
  while IFS= read -r name; do
    if [[ "$1" == regions && "$name" == */* ]]; then continue; fi
    if [[ "$name" == "$word"* ]]; then COMPREPLY+=("$(printf %q "$name")"); fi
  done < <(shmkit ls --names 2>/dev/null)
}
# Of a program behind so many arguments; the options in the second argument take a value.
_shmkit_program() {
  local at behind="" arguments=0
  for ((at = 2; at < COMP_CWORD; at++)); do
    case "${COMP_WORDS[at]}" in
      --) if [ -n "$behind" ]; then arguments=$((arguments + 1)); fi; behind=yes ;;
      -?*)
        if [ -n "$behind" ]; then arguments=$((arguments + 1))
        elif [[ " $2 " == *" ${COMP_WORDS[at]} "* ]]; then
          at=$((at + 1))
          if [ "${COMP_WORDS[at]}" = "=" ]; then at=$((at + 1)); fi
        fi ;;
      *) arguments=$((arguments + 1)) ;;
    esac
  done
  if [ "$arguments" -lt "$1" ]; then return 1; fi
  COMPREPLY=()
  if [ "$arguments" -gt "$1" ]; then return 0; fi
  if [[ -z "$behind" && "$word" == -* ]]; then return 1; fi
  if [[ "$word" != */* ]]; then COMPREPLY=($(compgen -c -- "$word")); fi
  return 0
}
_shmkit() {
  local word="${COMP_WORDS[COMP_CWORD]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="demo ls inspect top send recv lock rm ipcs ipcrm clean doctor bench struct example completion --help --version"
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    return
  fi
  case "${COMP_WORDS[1]}" in
      lock) _shmkit_program 1 "--timeout -t --conflict-exit-code -E" && return ;;
  esac
  if [[ "$word" == -* ]]; then
    case "${COMP_WORDS[1]}" in
      demo) words="--quick --only --limit-mib --json --help" ;;
      ls) words="--json --names --interval --help" ;;
      inspect) words="--json --hex --help" ;;
      top) words="--interval --once --json --help" ;;
      send) words="--bytes --json --keep --timeout --capacity --size --max-size --help" ;;
      recv) words="--json --count --follow --timeout --help" ;;
      lock) words="--shared --timeout --no-wait --conflict-exit-code --json --help" ;;
      rm) words="--json --force --timeout --help" ;;
      ipcs) words="--shmems --queues --semaphores --all --posix --regions --time --pid --creator --limits --summary --id --human --bytes --who --json --help" ;;
      ipcrm) words="--shmem-id --shmem-key --queue-id --queue-key --semaphore-id --semaphore-key --all --verbose --orphans --dry-run --older-than --json --help" ;;
      clean) words="--kernel --dry-run --json --help" ;;
      doctor) words="--json --help" ;;
      bench) words="--time --json --help" ;;
      struct) words="--json --c --python --help" ;;
      example) words="--reset --json --help" ;;
      completion) words="--json --help" ;;
    esac
  else
    case "${COMP_WORDS[1]}" in
      ls) _shmkit_names regions; return ;;
      inspect) _shmkit_names addresses; return ;;
      top) _shmkit_names regions; return ;;
      send) _shmkit_names addresses; return ;;
      recv) _shmkit_names addresses; return ;;
      lock) _shmkit_names addresses; return ;;
      rm) _shmkit_names addresses; return ;;
      ipcs) words="" ;;
      ipcrm) words="shm msg sem" ;;
      clean) words="" ;;
      doctor) words="" ;;
      bench) words="" ;;
      example) words="serverside middleside clientside counter producer-consumer deque sysv persistence brighten picture proxy cache proxy-load process-a process-b process-c" ;;
      completion) words="bash zsh fish" ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _shmkit shmkit
