# bash completion of shopwarm; the program itself knows what can follow.
_shopwarm() {
    local line value word last=-1 current=${COMP_WORDS[COMP_CWORD]}
    local -a words=()
    # bash makes three words of --tag=a, and completes only the last.
    for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
        if ((last >= 0)) && [[ ${words[last]} == --* && ($word == "=" || ${words[last]} == *=) ]]; then
            words[last]+=$word
        else
            words[++last]=$word
        fi
    done
    [[ $current == "=" ]] && current=
    COMPREPLY=()
    while IFS= read -r line; do
        value=${line%%$'\t'*}
        case $value in
        :files | :folders)
            local action=-f
            [[ $value == :folders ]] && action=-d
            compopt -o filenames 2>/dev/null
            while IFS= read -r line; do
                COMPREPLY+=("$line")
            done < <(compgen "$action" -- "$current")
            ;;
        *)
            [[ $value == --*=* && $current != --*=* ]] && value=${value#*=}
            [[ $value == *= ]] && compopt -o nospace 2>/dev/null
            COMPREPLY+=("$value")
            ;;
        esac
    done < <("$1" __complete "${words[@]}" 2>/dev/null)
}
complete -F _shopwarm shopwarm
