# fish completion of shopwarm; the program itself knows what can follow.
function __shopwarm_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l option (string match -r -- '^--[^=]*=' "$current")
    set -l path (string replace -r -- '^--[^=]*=' '' "$current")
    for line in (command $before[1] __complete $before[2..-1] "$current" 2>/dev/null)
        switch $line
            case ':files*'
                printf "$option%s\n" (__fish_complete_path "$path")
            case ':folders*'
                printf "$option%s\n" (__fish_complete_directories "$path")
            case '*'
                echo $line
        end
    end
end
complete -c shopwarm -f -a '(__shopwarm_complete)'
