# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_shopwarm_global_optspecs
    string join \n database-url= database-url-file= database-url-command= primary-url= primary-url-file= primary-url-command= cache-url= cache-url-file= cache-url-command= cache-ca= cache-cert= cache-key= session-timezone= prefix= contexts= config= demo demo-dir= o/output= progress= q/quiet v/verbose log-format= color= h/help V/version
end

function __fish_shopwarm_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_shopwarm_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_shopwarm_using_subcommand
    set -l cmd (__fish_shopwarm_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c shopwarm -n "__fish_shopwarm_needs_command" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_needs_command" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_needs_command" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_needs_command" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_needs_command" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_needs_command" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_needs_command" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_needs_command" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_needs_command" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_needs_command" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_needs_command" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_needs_command" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_needs_command" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_needs_command" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_needs_command" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_needs_command" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_needs_command" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_needs_command" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_needs_command" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_needs_command" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_needs_command" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_needs_command" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_needs_command" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_needs_command" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c shopwarm -n "__fish_shopwarm_needs_command" -s V -l version -d 'Print version'
complete -c shopwarm -n "__fish_shopwarm_needs_command" -f -a "warmup" -d 'Warm the cache'
complete -c shopwarm -n "__fish_shopwarm_needs_command" -f -a "keys" -d 'List keys, or show one'
complete -c shopwarm -n "__fish_shopwarm_needs_command" -f -a "dry-run" -d 'Show what a run would do, and write nothing'
complete -c shopwarm -n "__fish_shopwarm_needs_command" -f -a "verify" -d 'Compare the cache with the database'
complete -c shopwarm -n "__fish_shopwarm_needs_command" -f -a "init" -d 'Write definitions that fit your database; overwrites nothing'
complete -c shopwarm -n "__fish_shopwarm_needs_command" -f -a "strategies" -d 'Show the merged definitions and where each field came from'
complete -c shopwarm -n "__fish_shopwarm_needs_command" -f -a "doctor" -d 'Check what a run needs: configuration, definitions, database and cache'
complete -c shopwarm -n "__fish_shopwarm_needs_command" -f -a "config" -d 'Show or check the configuration'
complete -c shopwarm -n "__fish_shopwarm_needs_command" -f -a "serve" -d 'Run the schedule, the admin API and its page until stopped'
complete -c shopwarm -n "__fish_shopwarm_needs_command" -f -a "runs" -d 'List earlier runs, show one, or compare two'
complete -c shopwarm -n "__fish_shopwarm_needs_command" -f -a "effect" -d 'Show which keys of earlier runs have been used since'
complete -c shopwarm -n "__fish_shopwarm_needs_command" -f -a "probe" -d 'Watch for cache misses, and show which strategy would have covered them'
complete -c shopwarm -n "__fish_shopwarm_needs_command" -f -a "schedule" -d 'Show scheduled jobs'
complete -c shopwarm -n "__fish_shopwarm_needs_command" -f -a "completions" -d 'Print completions for a shell'
complete -c shopwarm -n "__fish_shopwarm_needs_command" -f -a "man" -d 'Print the manual page, or that of a command'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l concurrency -d 'Batches in flight [default: 20]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l batch-size -d 'Keys per batch [default: 500]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l db-concurrency -d 'Strategies to read from the database at the same time, 1 to 16 [default: 1]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l default-ttl -d 'TTL for definitions that do not set one [default: 1h]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l ttl-jitter -d 'Shorten each TTL by a random share of up to this much, so that keys do not expire together; 0 turns it off [default: 10%]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l tag -d 'Only strategies with this tag; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l exclude -d 'Leave this context or CONTEXT/NAME out, also with *; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l var -d 'Value for a variable of the definitions; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l limit -d 'Max keys per strategy' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l deadline -d 'Stop the run after this time and exit 9' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l wait -d 'Wait up to this long for servers that are still starting' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l statement-timeout -d 'Timeout for the database to answer a query or send its next rows [default: 5m]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l mode -d 'What to do with keys that are already cached [default: refresh]' -r -f -a "refresh\t'Overwrite them'
only-missing\t'Keep them'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l full-every -d 'With --changed: do a full read at least this often [default: 1day]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l changed-overlap -d 'With --changed: also reread rows that changed up to this long before the last run [default: 5m]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l fail-under -d 'Exit 0 if at least this share of the keys did not fail; a failed strategy still fails the run' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l max-shrink -d 'Fail a strategy that lost more than this share of its keys since its last complete run' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l on-eviction -d 'What to do when the cache evicts keys during the run [default: warn]' -r -f -a "stop\t'End the run'
warn\t'Warn and go on'
ignore\t'Do not watch for evictions'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l rate -d 'Max keys per second, spread evenly, such as 500 or 20k' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l max-bytes-rate -d 'Max bytes per second, such as 5MiB' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l max-cache-latency -d 'With --gentle: max latency of the cache [default: its latency before the run plus 1ms, or twice that latency if that is more]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l max-db-latency -d 'With --gentle: max latency of the database [default: its latency before the run plus 10ms, or three times that latency if that is more]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l shape -d 'What to do when a run would change the fields or types that readers of the cache see [default: warn]' -r -f -a "warn\t'Warn and go on'
fail\t'Fail the strategy before it writes'
off\t'Do not check'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l verify -d 'Read back what the run wrote; exit 10 if less than this share is present and equal [default: 100%]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l verify-sample -d 'Read back this many keys per strategy, chosen at random, instead of all' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l plan -d 'Run exactly the plan that `dry-run --plan FILE` saved; refuse if it is out of date' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l lock-wait -d 'Wait up to this long for another run to release the lock' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l metrics-file -d 'Write the run\'s metrics to this .prom file, for the node exporter' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l plan-tolerance -d 'How far a strategy\'s key count may be from the plan\'s [default: 10%]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l strict -d 'Warm nothing if any definition is invalid or does not fit the database; without it only that strategy fails'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l allow-empty -d 'Exit 0 when there is nothing to warm'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l skip-identical -d 'Refresh only the TTL of values that are already cached, if comparing digests is cheaper than sending them'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l changed -d 'Read only rows that changed since the last complete run, and refresh the TTL of all other keys'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l stop-on-error -d 'Stop the run when a strategy fails'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l no-verify-writes -d 'Do not check row versions after writing; rows that change during the run may stay stale'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l gentle -d 'Slow down when the database or cache gets slower, and speed up again when it recovers'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l prune -d 'Remove keys of earlier runs that no longer have a row; asks first'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l yes -d 'With --prune: do not ask'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l no-lock -d 'Do not take the lock: other runs may write the same keys at the same time'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -a "all" -d 'Warm every strategy'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -a "context" -d 'Warm all strategies of the named contexts'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -a "strategy" -d 'Warm the named strategies'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and not __fish_seen_subcommand_from all context strategy keys" -a "keys" -d 'Warm single keys'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l concurrency -d 'Batches in flight [default: 20]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l batch-size -d 'Keys per batch [default: 500]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l db-concurrency -d 'Strategies to read from the database at the same time, 1 to 16 [default: 1]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l default-ttl -d 'TTL for definitions that do not set one [default: 1h]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l ttl-jitter -d 'Shorten each TTL by a random share of up to this much, so that keys do not expire together; 0 turns it off [default: 10%]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l tag -d 'Only strategies with this tag; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l exclude -d 'Leave this context or CONTEXT/NAME out, also with *; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l var -d 'Value for a variable of the definitions; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l limit -d 'Max keys per strategy' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l deadline -d 'Stop the run after this time and exit 9' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l wait -d 'Wait up to this long for servers that are still starting' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l statement-timeout -d 'Timeout for the database to answer a query or send its next rows [default: 5m]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l mode -d 'What to do with keys that are already cached [default: refresh]' -r -f -a "refresh\t'Overwrite them'
only-missing\t'Keep them'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l full-every -d 'With --changed: do a full read at least this often [default: 1day]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l changed-overlap -d 'With --changed: also reread rows that changed up to this long before the last run [default: 5m]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l fail-under -d 'Exit 0 if at least this share of the keys did not fail; a failed strategy still fails the run' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l max-shrink -d 'Fail a strategy that lost more than this share of its keys since its last complete run' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l on-eviction -d 'What to do when the cache evicts keys during the run [default: warn]' -r -f -a "stop\t'End the run'
warn\t'Warn and go on'
ignore\t'Do not watch for evictions'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l rate -d 'Max keys per second, spread evenly, such as 500 or 20k' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l max-bytes-rate -d 'Max bytes per second, such as 5MiB' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l max-cache-latency -d 'With --gentle: max latency of the cache [default: its latency before the run plus 1ms, or twice that latency if that is more]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l max-db-latency -d 'With --gentle: max latency of the database [default: its latency before the run plus 10ms, or three times that latency if that is more]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l shape -d 'What to do when a run would change the fields or types that readers of the cache see [default: warn]' -r -f -a "warn\t'Warn and go on'
fail\t'Fail the strategy before it writes'
off\t'Do not check'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l verify -d 'Read back what the run wrote; exit 10 if less than this share is present and equal [default: 100%]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l verify-sample -d 'Read back this many keys per strategy, chosen at random, instead of all' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l plan -d 'Run exactly the plan that `dry-run --plan FILE` saved; refuse if it is out of date' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l lock-wait -d 'Wait up to this long for another run to release the lock' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l metrics-file -d 'Write the run\'s metrics to this .prom file, for the node exporter' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l plan-tolerance -d 'How far a strategy\'s key count may be from the plan\'s [default: 10%]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l strict -d 'Warm nothing if any definition is invalid or does not fit the database; without it only that strategy fails'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l allow-empty -d 'Exit 0 when there is nothing to warm'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l skip-identical -d 'Refresh only the TTL of values that are already cached, if comparing digests is cheaper than sending them'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l changed -d 'Read only rows that changed since the last complete run, and refresh the TTL of all other keys'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l stop-on-error -d 'Stop the run when a strategy fails'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l no-verify-writes -d 'Do not check row versions after writing; rows that change during the run may stay stale'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l gentle -d 'Slow down when the database or cache gets slower, and speed up again when it recovers'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l prune -d 'Remove keys of earlier runs that no longer have a row; asks first'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l yes -d 'With --prune: do not ask'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l no-lock -d 'Do not take the lock: other runs may write the same keys at the same time'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from all" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l concurrency -d 'Batches in flight [default: 20]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l batch-size -d 'Keys per batch [default: 500]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l db-concurrency -d 'Strategies to read from the database at the same time, 1 to 16 [default: 1]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l default-ttl -d 'TTL for definitions that do not set one [default: 1h]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l ttl-jitter -d 'Shorten each TTL by a random share of up to this much, so that keys do not expire together; 0 turns it off [default: 10%]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l tag -d 'Only strategies with this tag; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l exclude -d 'Leave this context or CONTEXT/NAME out, also with *; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l var -d 'Value for a variable of the definitions; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l limit -d 'Max keys per strategy' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l deadline -d 'Stop the run after this time and exit 9' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l wait -d 'Wait up to this long for servers that are still starting' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l statement-timeout -d 'Timeout for the database to answer a query or send its next rows [default: 5m]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l mode -d 'What to do with keys that are already cached [default: refresh]' -r -f -a "refresh\t'Overwrite them'
only-missing\t'Keep them'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l full-every -d 'With --changed: do a full read at least this often [default: 1day]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l changed-overlap -d 'With --changed: also reread rows that changed up to this long before the last run [default: 5m]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l fail-under -d 'Exit 0 if at least this share of the keys did not fail; a failed strategy still fails the run' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l max-shrink -d 'Fail a strategy that lost more than this share of its keys since its last complete run' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l on-eviction -d 'What to do when the cache evicts keys during the run [default: warn]' -r -f -a "stop\t'End the run'
warn\t'Warn and go on'
ignore\t'Do not watch for evictions'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l rate -d 'Max keys per second, spread evenly, such as 500 or 20k' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l max-bytes-rate -d 'Max bytes per second, such as 5MiB' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l max-cache-latency -d 'With --gentle: max latency of the cache [default: its latency before the run plus 1ms, or twice that latency if that is more]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l max-db-latency -d 'With --gentle: max latency of the database [default: its latency before the run plus 10ms, or three times that latency if that is more]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l shape -d 'What to do when a run would change the fields or types that readers of the cache see [default: warn]' -r -f -a "warn\t'Warn and go on'
fail\t'Fail the strategy before it writes'
off\t'Do not check'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l verify -d 'Read back what the run wrote; exit 10 if less than this share is present and equal [default: 100%]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l verify-sample -d 'Read back this many keys per strategy, chosen at random, instead of all' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l plan -d 'Run exactly the plan that `dry-run --plan FILE` saved; refuse if it is out of date' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l lock-wait -d 'Wait up to this long for another run to release the lock' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l metrics-file -d 'Write the run\'s metrics to this .prom file, for the node exporter' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l plan-tolerance -d 'How far a strategy\'s key count may be from the plan\'s [default: 10%]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l strict -d 'Warm nothing if any definition is invalid or does not fit the database; without it only that strategy fails'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l allow-empty -d 'Exit 0 when there is nothing to warm'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l skip-identical -d 'Refresh only the TTL of values that are already cached, if comparing digests is cheaper than sending them'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l changed -d 'Read only rows that changed since the last complete run, and refresh the TTL of all other keys'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l stop-on-error -d 'Stop the run when a strategy fails'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l no-verify-writes -d 'Do not check row versions after writing; rows that change during the run may stay stale'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l gentle -d 'Slow down when the database or cache gets slower, and speed up again when it recovers'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l prune -d 'Remove keys of earlier runs that no longer have a row; asks first'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l yes -d 'With --prune: do not ask'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l no-lock -d 'Do not take the lock: other runs may write the same keys at the same time'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from context" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l concurrency -d 'Batches in flight [default: 20]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l batch-size -d 'Keys per batch [default: 500]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l db-concurrency -d 'Strategies to read from the database at the same time, 1 to 16 [default: 1]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l default-ttl -d 'TTL for definitions that do not set one [default: 1h]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l ttl-jitter -d 'Shorten each TTL by a random share of up to this much, so that keys do not expire together; 0 turns it off [default: 10%]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l tag -d 'Only strategies with this tag; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l exclude -d 'Leave this context or CONTEXT/NAME out, also with *; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l var -d 'Value for a variable of the definitions; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l limit -d 'Max keys per strategy' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l deadline -d 'Stop the run after this time and exit 9' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l wait -d 'Wait up to this long for servers that are still starting' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l statement-timeout -d 'Timeout for the database to answer a query or send its next rows [default: 5m]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l mode -d 'What to do with keys that are already cached [default: refresh]' -r -f -a "refresh\t'Overwrite them'
only-missing\t'Keep them'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l full-every -d 'With --changed: do a full read at least this often [default: 1day]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l changed-overlap -d 'With --changed: also reread rows that changed up to this long before the last run [default: 5m]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l fail-under -d 'Exit 0 if at least this share of the keys did not fail; a failed strategy still fails the run' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l max-shrink -d 'Fail a strategy that lost more than this share of its keys since its last complete run' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l on-eviction -d 'What to do when the cache evicts keys during the run [default: warn]' -r -f -a "stop\t'End the run'
warn\t'Warn and go on'
ignore\t'Do not watch for evictions'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l rate -d 'Max keys per second, spread evenly, such as 500 or 20k' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l max-bytes-rate -d 'Max bytes per second, such as 5MiB' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l max-cache-latency -d 'With --gentle: max latency of the cache [default: its latency before the run plus 1ms, or twice that latency if that is more]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l max-db-latency -d 'With --gentle: max latency of the database [default: its latency before the run plus 10ms, or three times that latency if that is more]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l shape -d 'What to do when a run would change the fields or types that readers of the cache see [default: warn]' -r -f -a "warn\t'Warn and go on'
fail\t'Fail the strategy before it writes'
off\t'Do not check'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l verify -d 'Read back what the run wrote; exit 10 if less than this share is present and equal [default: 100%]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l verify-sample -d 'Read back this many keys per strategy, chosen at random, instead of all' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l plan -d 'Run exactly the plan that `dry-run --plan FILE` saved; refuse if it is out of date' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l lock-wait -d 'Wait up to this long for another run to release the lock' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l metrics-file -d 'Write the run\'s metrics to this .prom file, for the node exporter' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l plan-tolerance -d 'How far a strategy\'s key count may be from the plan\'s [default: 10%]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l strict -d 'Warm nothing if any definition is invalid or does not fit the database; without it only that strategy fails'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l allow-empty -d 'Exit 0 when there is nothing to warm'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l skip-identical -d 'Refresh only the TTL of values that are already cached, if comparing digests is cheaper than sending them'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l changed -d 'Read only rows that changed since the last complete run, and refresh the TTL of all other keys'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l stop-on-error -d 'Stop the run when a strategy fails'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l no-verify-writes -d 'Do not check row versions after writing; rows that change during the run may stay stale'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l gentle -d 'Slow down when the database or cache gets slower, and speed up again when it recovers'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l prune -d 'Remove keys of earlier runs that no longer have a row; asks first'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l yes -d 'With --prune: do not ask'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l no-lock -d 'Do not take the lock: other runs may write the same keys at the same time'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from strategy" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l concurrency -d 'Batches in flight [default: 20]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l batch-size -d 'Keys per batch [default: 500]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l db-concurrency -d 'Strategies to read from the database at the same time, 1 to 16 [default: 1]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l default-ttl -d 'TTL for definitions that do not set one [default: 1h]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l ttl-jitter -d 'Shorten each TTL by a random share of up to this much, so that keys do not expire together; 0 turns it off [default: 10%]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l tag -d 'Only strategies with this tag; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l exclude -d 'Leave this context or CONTEXT/NAME out, also with *; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l var -d 'Value for a variable of the definitions; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l limit -d 'Max keys per strategy' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l deadline -d 'Stop the run after this time and exit 9' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l wait -d 'Wait up to this long for servers that are still starting' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l statement-timeout -d 'Timeout for the database to answer a query or send its next rows [default: 5m]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l mode -d 'What to do with keys that are already cached [default: refresh]' -r -f -a "refresh\t'Overwrite them'
only-missing\t'Keep them'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l full-every -d 'With --changed: do a full read at least this often [default: 1day]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l changed-overlap -d 'With --changed: also reread rows that changed up to this long before the last run [default: 5m]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l fail-under -d 'Exit 0 if at least this share of the keys did not fail; a failed strategy still fails the run' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l max-shrink -d 'Fail a strategy that lost more than this share of its keys since its last complete run' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l on-eviction -d 'What to do when the cache evicts keys during the run [default: warn]' -r -f -a "stop\t'End the run'
warn\t'Warn and go on'
ignore\t'Do not watch for evictions'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l rate -d 'Max keys per second, spread evenly, such as 500 or 20k' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l max-bytes-rate -d 'Max bytes per second, such as 5MiB' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l max-cache-latency -d 'With --gentle: max latency of the cache [default: its latency before the run plus 1ms, or twice that latency if that is more]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l max-db-latency -d 'With --gentle: max latency of the database [default: its latency before the run plus 10ms, or three times that latency if that is more]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l shape -d 'What to do when a run would change the fields or types that readers of the cache see [default: warn]' -r -f -a "warn\t'Warn and go on'
fail\t'Fail the strategy before it writes'
off\t'Do not check'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -s 0 -l null -d 'Keys on stdin are separated by NUL bytes, as `keys list -0` writes them'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l strict -d 'Warm nothing if any definition is invalid or does not fit the database; without it only that strategy fails'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l allow-empty -d 'Exit 0 when there is nothing to warm'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l skip-identical -d 'Refresh only the TTL of values that are already cached, if comparing digests is cheaper than sending them'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l changed -d 'Read only rows that changed since the last complete run, and refresh the TTL of all other keys'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l stop-on-error -d 'Stop the run when a strategy fails'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l no-verify-writes -d 'Do not check row versions after writing; rows that change during the run may stay stale'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l gentle -d 'Slow down when the database or cache gets slower, and speed up again when it recovers'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand warmup; and __fish_seen_subcommand_from keys" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -f -a "list" -d 'List the keys that a run would warm, in the order of the run'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and not __fish_seen_subcommand_from list get" -f -a "get" -d 'Compare a cached value with the database'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l context -d 'Only keys of this context; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l strategy -d 'Only keys of this strategy; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l pattern -d 'Only keys that match: `*` any text, `?` one character, `[ab]` one of these' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l state -d 'Only keys in this state (implies --cached); can be given several times' -r -f -a "missing\t'Not cached'
different\t'Cached with another value'
expiring\t'Cached, but expires soon'
wrong-type\t'Cached as another type'
identical\t'Cached with the same value'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l expiring-within -d 'A key with less time left than this counts as `expiring` [default: a quarter of its TTL, max 1h]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l concurrency -d 'Batches in flight [default: 20]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l batch-size -d 'Keys per batch [default: 500]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l db-concurrency -d 'Strategies to read from the database at the same time, 1 to 16 [default: 1]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l default-ttl -d 'TTL for definitions that do not set one [default: 1h]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l ttl-jitter -d 'Shorten each TTL by a random share of up to this much, so that keys do not expire together; 0 turns it off [default: 10%]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l tag -d 'Only strategies with this tag; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l exclude -d 'Leave this context or CONTEXT/NAME out, also with *; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l var -d 'Value for a variable of the definitions; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l limit -d 'Max keys per strategy' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l deadline -d 'Stop the run after this time and exit 9' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l wait -d 'Wait up to this long for servers that are still starting' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l statement-timeout -d 'Timeout for the database to answer a query or send its next rows [default: 5m]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l cached -d 'Also show each key\'s state, time left, size and type in the cache'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -s 0 -l null -d 'End each key with a NUL byte instead of a newline, and do not escape it'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l strict -d 'Warm nothing if any definition is invalid or does not fit the database; without it only that strategy fails'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l allow-empty -d 'Exit 0 when there is nothing to warm'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -l raw -d 'Print only the cached bytes'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand keys; and __fish_seen_subcommand_from get" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l expiring-within -d 'A key with less time left than this counts as `expiring` [default: a quarter of its TTL, max 1h]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l plan -d 'Save the plan to this file, for `shopwarm warmup --plan FILE`' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l mode -d 'What the run would do with keys that are already cached [default: refresh]' -r -f -a "refresh\t'Overwrite them'
only-missing\t'Keep them'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l concurrency -d 'Batches in flight [default: 20]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l batch-size -d 'Keys per batch [default: 500]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l db-concurrency -d 'Strategies to read from the database at the same time, 1 to 16 [default: 1]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l default-ttl -d 'TTL for definitions that do not set one [default: 1h]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l ttl-jitter -d 'Shorten each TTL by a random share of up to this much, so that keys do not expire together; 0 turns it off [default: 10%]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l tag -d 'Only strategies with this tag; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l exclude -d 'Leave this context or CONTEXT/NAME out, also with *; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l var -d 'Value for a variable of the definitions; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l limit -d 'Max keys per strategy' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l deadline -d 'Stop the run after this time and exit 9' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l wait -d 'Wait up to this long for servers that are still starting' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l statement-timeout -d 'Timeout for the database to answer a query or send its next rows [default: 5m]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l keys -d 'Print every key and its class'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l orphans -d 'Search the cache for orphans: keys that no longer have a row'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l exit-code -d 'Exit 10 if a run would change something'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l strict -d 'Warm nothing if any definition is invalid or does not fit the database; without it only that strategy fails'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l allow-empty -d 'Exit 0 when there is nothing to warm'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand dry-run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l sample -d 'Check this many keys per strategy, chosen at random, instead of all' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l seed -d 'Use this seed to check the same sample again' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l require -d 'Share of keys that must be present and equal: 99%, catalog=99.5%,hot-products=100%' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l expiring-within -d 'A key with less time left than this counts as `expiring`, and still as equal [default: a quarter of its TTL, max 1h]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l concurrency -d 'Batches in flight [default: 20]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l batch-size -d 'Keys per batch [default: 500]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l db-concurrency -d 'Strategies to read from the database at the same time, 1 to 16 [default: 1]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l default-ttl -d 'TTL for definitions that do not set one [default: 1h]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l ttl-jitter -d 'Shorten each TTL by a random share of up to this much, so that keys do not expire together; 0 turns it off [default: 10%]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l tag -d 'Only strategies with this tag; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l exclude -d 'Leave this context or CONTEXT/NAME out, also with *; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l var -d 'Value for a variable of the definitions; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l limit -d 'Max keys per strategy' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l deadline -d 'Stop the run after this time and exit 9' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l wait -d 'Wait up to this long for servers that are still starting' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l statement-timeout -d 'Timeout for the database to answer a query or send its next rows [default: 5m]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l strict -d 'Warm nothing if any definition is invalid or does not fit the database; without it only that strategy fails'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l allow-empty -d 'Exit 0 when there is nothing to warm'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -l tables -d 'Only tables whose names match, such as `oc_product*`; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -l template -d 'Write the definitions that come with shopwarm, without looking at a database' -r -f -a "shop\t'Catalog, ordering and identity of the shop in the documentation'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -l empty -d 'Write a commented file to begin with, without looking at a database'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand strategies" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l concurrency -d 'Batches in flight [default: 20]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l batch-size -d 'Keys per batch [default: 500]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l db-concurrency -d 'Strategies to read from the database at the same time, 1 to 16 [default: 1]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l default-ttl -d 'TTL for definitions that do not set one [default: 1h]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l ttl-jitter -d 'Shorten each TTL by a random share of up to this much, so that keys do not expire together; 0 turns it off [default: 10%]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l tag -d 'Only strategies with this tag; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l exclude -d 'Leave this context or CONTEXT/NAME out, also with *; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l var -d 'Value for a variable of the definitions; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l limit -d 'Max keys per strategy' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l deadline -d 'Stop the run after this time and exit 9' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l wait -d 'Wait up to this long for servers that are still starting' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l statement-timeout -d 'Timeout for the database to answer a query or send its next rows [default: 5m]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l mode -d 'What to do with keys that are already cached [default: refresh]' -r -f -a "refresh\t'Overwrite them'
only-missing\t'Keep them'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l full-every -d 'With --changed: do a full read at least this often [default: 1day]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l changed-overlap -d 'With --changed: also reread rows that changed up to this long before the last run [default: 5m]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l fail-under -d 'Exit 0 if at least this share of the keys did not fail; a failed strategy still fails the run' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l max-shrink -d 'Fail a strategy that lost more than this share of its keys since its last complete run' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l on-eviction -d 'What to do when the cache evicts keys during the run [default: warn]' -r -f -a "stop\t'End the run'
warn\t'Warn and go on'
ignore\t'Do not watch for evictions'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l rate -d 'Max keys per second, spread evenly, such as 500 or 20k' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l max-bytes-rate -d 'Max bytes per second, such as 5MiB' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l max-cache-latency -d 'With --gentle: max latency of the cache [default: its latency before the run plus 1ms, or twice that latency if that is more]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l max-db-latency -d 'With --gentle: max latency of the database [default: its latency before the run plus 10ms, or three times that latency if that is more]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l shape -d 'What to do when a run would change the fields or types that readers of the cache see [default: warn]' -r -f -a "warn\t'Warn and go on'
fail\t'Fail the strategy before it writes'
off\t'Do not check'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l strict -d 'Warm nothing if any definition is invalid or does not fit the database; without it only that strategy fails'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l allow-empty -d 'Exit 0 when there is nothing to warm'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l skip-identical -d 'Refresh only the TTL of values that are already cached, if comparing digests is cheaper than sending them'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l changed -d 'Read only rows that changed since the last complete run, and refresh the TTL of all other keys'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l stop-on-error -d 'Stop the run when a strategy fails'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l no-verify-writes -d 'Do not check row versions after writing; rows that change during the run may stay stale'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l gentle -d 'Slow down when the database or cache gets slower, and speed up again when it recovers'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -f -a "show" -d 'Show every setting, its value and where it came from'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and not __fish_seen_subcommand_from show check" -f -a "check" -d 'Check configuration, definitions and schedule without connecting'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l concurrency -d 'Batches in flight [default: 20]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l batch-size -d 'Keys per batch [default: 500]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l db-concurrency -d 'Strategies to read from the database at the same time, 1 to 16 [default: 1]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l default-ttl -d 'TTL for definitions that do not set one [default: 1h]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l ttl-jitter -d 'Shorten each TTL by a random share of up to this much, so that keys do not expire together; 0 turns it off [default: 10%]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l tag -d 'Only strategies with this tag; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l exclude -d 'Leave this context or CONTEXT/NAME out, also with *; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l var -d 'Value for a variable of the definitions; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l limit -d 'Max keys per strategy' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l deadline -d 'Stop the run after this time and exit 9' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l wait -d 'Wait up to this long for servers that are still starting' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l statement-timeout -d 'Timeout for the database to answer a query or send its next rows [default: 5m]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l mode -d 'What to do with keys that are already cached [default: refresh]' -r -f -a "refresh\t'Overwrite them'
only-missing\t'Keep them'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l full-every -d 'With --changed: do a full read at least this often [default: 1day]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l changed-overlap -d 'With --changed: also reread rows that changed up to this long before the last run [default: 5m]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l fail-under -d 'Exit 0 if at least this share of the keys did not fail; a failed strategy still fails the run' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l max-shrink -d 'Fail a strategy that lost more than this share of its keys since its last complete run' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l on-eviction -d 'What to do when the cache evicts keys during the run [default: warn]' -r -f -a "stop\t'End the run'
warn\t'Warn and go on'
ignore\t'Do not watch for evictions'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l rate -d 'Max keys per second, spread evenly, such as 500 or 20k' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l max-bytes-rate -d 'Max bytes per second, such as 5MiB' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l max-cache-latency -d 'With --gentle: max latency of the cache [default: its latency before the run plus 1ms, or twice that latency if that is more]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l max-db-latency -d 'With --gentle: max latency of the database [default: its latency before the run plus 10ms, or three times that latency if that is more]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l shape -d 'What to do when a run would change the fields or types that readers of the cache see [default: warn]' -r -f -a "warn\t'Warn and go on'
fail\t'Fail the strategy before it writes'
off\t'Do not check'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l listen -d 'Address to listen on; needs a token if other machines can reach it [default: 127.0.0.1:8787]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l token-file -d 'File with the token that clients must send [env: SHOPWARM_TOKEN: the token itself]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l allowed-host -d 'A host name that clients may use, besides localhost and IP addresses; `*` allows any' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l ready-after -d 'When /readyz reports ready [default: start]' -r -f -a "start\t'As soon as it listens'
first-run\t'After its first complete run'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l on-start -d 'What to warm at the start: all, or contexts and CONTEXT/NAME' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l grace -d 'How long runs may take to finish when the server is stopped [default: 25s]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l timezone -d 'Time zone of jobs that do not set one, such as Europe/Berlin [default: the system\'s, else UTC]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l strict -d 'Warm nothing if any definition is invalid or does not fit the database; without it only that strategy fails'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l allow-empty -d 'Exit 0 when there is nothing to warm'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l skip-identical -d 'Refresh only the TTL of values that are already cached, if comparing digests is cheaper than sending them'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l changed -d 'Read only rows that changed since the last complete run, and refresh the TTL of all other keys'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l stop-on-error -d 'Stop the run when a strategy fails'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l no-verify-writes -d 'Do not check row versions after writing; rows that change during the run may stay stale'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l gentle -d 'Slow down when the database or cache gets slower, and speed up again when it recovers'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l concurrency -d 'Batches in flight [default: 20]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l batch-size -d 'Keys per batch [default: 500]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l db-concurrency -d 'Strategies to read from the database at the same time, 1 to 16 [default: 1]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l default-ttl -d 'TTL for definitions that do not set one [default: 1h]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l ttl-jitter -d 'Shorten each TTL by a random share of up to this much, so that keys do not expire together; 0 turns it off [default: 10%]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l tag -d 'Only strategies with this tag; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l exclude -d 'Leave this context or CONTEXT/NAME out, also with *; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l var -d 'Value for a variable of the definitions; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l limit -d 'Max keys per strategy' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l deadline -d 'Stop the run after this time and exit 9' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l wait -d 'Wait up to this long for servers that are still starting' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l statement-timeout -d 'Timeout for the database to answer a query or send its next rows [default: 5m]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l mode -d 'What to do with keys that are already cached [default: refresh]' -r -f -a "refresh\t'Overwrite them'
only-missing\t'Keep them'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l full-every -d 'With --changed: do a full read at least this often [default: 1day]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l changed-overlap -d 'With --changed: also reread rows that changed up to this long before the last run [default: 5m]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l fail-under -d 'Exit 0 if at least this share of the keys did not fail; a failed strategy still fails the run' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l max-shrink -d 'Fail a strategy that lost more than this share of its keys since its last complete run' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l on-eviction -d 'What to do when the cache evicts keys during the run [default: warn]' -r -f -a "stop\t'End the run'
warn\t'Warn and go on'
ignore\t'Do not watch for evictions'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l rate -d 'Max keys per second, spread evenly, such as 500 or 20k' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l max-bytes-rate -d 'Max bytes per second, such as 5MiB' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l max-cache-latency -d 'With --gentle: max latency of the cache [default: its latency before the run plus 1ms, or twice that latency if that is more]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l max-db-latency -d 'With --gentle: max latency of the database [default: its latency before the run plus 10ms, or three times that latency if that is more]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l shape -d 'What to do when a run would change the fields or types that readers of the cache see [default: warn]' -r -f -a "warn\t'Warn and go on'
fail\t'Fail the strategy before it writes'
off\t'Do not check'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l listen -d 'Address to listen on; needs a token if other machines can reach it [default: 127.0.0.1:8787]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l token-file -d 'File with the token that clients must send [env: SHOPWARM_TOKEN: the token itself]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l allowed-host -d 'A host name that clients may use, besides localhost and IP addresses; `*` allows any' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l ready-after -d 'When /readyz reports ready [default: start]' -r -f -a "start\t'As soon as it listens'
first-run\t'After its first complete run'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l on-start -d 'What to warm at the start: all, or contexts and CONTEXT/NAME' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l grace -d 'How long runs may take to finish when the server is stopped [default: 25s]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l timezone -d 'Time zone of jobs that do not set one, such as Europe/Berlin [default: the system\'s, else UTC]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l strict -d 'Warm nothing if any definition is invalid or does not fit the database; without it only that strategy fails'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l allow-empty -d 'Exit 0 when there is nothing to warm'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l skip-identical -d 'Refresh only the TTL of values that are already cached, if comparing digests is cheaper than sending them'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l changed -d 'Read only rows that changed since the last complete run, and refresh the TTL of all other keys'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l stop-on-error -d 'Stop the run when a strategy fails'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l no-verify-writes -d 'Do not check row versions after writing; rows that change during the run may stay stale'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l gentle -d 'Slow down when the database or cache gets slower, and speed up again when it recovers'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand config; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l concurrency -d 'Batches in flight [default: 20]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l batch-size -d 'Keys per batch [default: 500]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l db-concurrency -d 'Strategies to read from the database at the same time, 1 to 16 [default: 1]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l default-ttl -d 'TTL for definitions that do not set one [default: 1h]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l ttl-jitter -d 'Shorten each TTL by a random share of up to this much, so that keys do not expire together; 0 turns it off [default: 10%]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l tag -d 'Only strategies with this tag; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l exclude -d 'Leave this context or CONTEXT/NAME out, also with *; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l var -d 'Value for a variable of the definitions; can be given several times' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l limit -d 'Max keys per strategy' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l deadline -d 'Stop the run after this time and exit 9' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l wait -d 'Wait up to this long for servers that are still starting' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l statement-timeout -d 'Timeout for the database to answer a query or send its next rows [default: 5m]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l mode -d 'What to do with keys that are already cached [default: refresh]' -r -f -a "refresh\t'Overwrite them'
only-missing\t'Keep them'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l full-every -d 'With --changed: do a full read at least this often [default: 1day]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l changed-overlap -d 'With --changed: also reread rows that changed up to this long before the last run [default: 5m]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l fail-under -d 'Exit 0 if at least this share of the keys did not fail; a failed strategy still fails the run' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l max-shrink -d 'Fail a strategy that lost more than this share of its keys since its last complete run' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l on-eviction -d 'What to do when the cache evicts keys during the run [default: warn]' -r -f -a "stop\t'End the run'
warn\t'Warn and go on'
ignore\t'Do not watch for evictions'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l rate -d 'Max keys per second, spread evenly, such as 500 or 20k' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l max-bytes-rate -d 'Max bytes per second, such as 5MiB' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l max-cache-latency -d 'With --gentle: max latency of the cache [default: its latency before the run plus 1ms, or twice that latency if that is more]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l max-db-latency -d 'With --gentle: max latency of the database [default: its latency before the run plus 10ms, or three times that latency if that is more]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l shape -d 'What to do when a run would change the fields or types that readers of the cache see [default: warn]' -r -f -a "warn\t'Warn and go on'
fail\t'Fail the strategy before it writes'
off\t'Do not check'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l listen -d 'Address to listen on; needs a token if other machines can reach it [default: 127.0.0.1:8787]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l token-file -d 'File with the token that clients must send [env: SHOPWARM_TOKEN: the token itself]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l allowed-host -d 'A host name that clients may use, besides localhost and IP addresses; `*` allows any' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l ready-after -d 'When /readyz reports ready [default: start]' -r -f -a "start\t'As soon as it listens'
first-run\t'After its first complete run'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l on-start -d 'What to warm at the start: all, or contexts and CONTEXT/NAME' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l grace -d 'How long runs may take to finish when the server is stopped [default: 25s]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l timezone -d 'Time zone of jobs that do not set one, such as Europe/Berlin [default: the system\'s, else UTC]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l strict -d 'Warm nothing if any definition is invalid or does not fit the database; without it only that strategy fails'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l allow-empty -d 'Exit 0 when there is nothing to warm'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l skip-identical -d 'Refresh only the TTL of values that are already cached, if comparing digests is cheaper than sending them'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l changed -d 'Read only rows that changed since the last complete run, and refresh the TTL of all other keys'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l stop-on-error -d 'Stop the run when a strategy fails'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l no-verify-writes -d 'Do not check row versions after writing; rows that change during the run may stay stale'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l gentle -d 'Slow down when the database or cache gets slower, and speed up again when it recovers'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -l diff -d 'Compare it with another run' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -l last-complete -d 'Show the last complete run of each strategy, however old'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand runs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -l sample -d 'Check at most this many keys per strategy, spread evenly' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand effect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -l for -d 'How long to listen' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -l access-log -d 'Read missed keys from this file instead: one per line, or JSON lines with `key` and optionally `hit`; `-` is stdin' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -l set-events -d 'Turn on the server\'s miss events while listening, and restore the setting afterwards'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand probe" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and not __fish_seen_subcommand_from list" -f -a "list" -d 'List upcoming runs and what each will warm'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -l next -d 'Show this many upcoming times per job' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -l timezone -d 'Time zone of jobs that do not set one, such as Europe/Berlin [default: the system\'s, else UTC]' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand schedule; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -l database-url -d 'The shop\'s database: postgres://, mysql://, mariadb:// or sqlite:FILE' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -l database-url-file -d 'File with the database URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -l database-url-command -d 'Shell command that prints the database URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -l primary-url -d 'The primary, if --database-url is a replica; row versions are checked there after writing' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -l primary-url-file -d 'File with the primary\'s URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -l primary-url-command -d 'Shell command that prints the primary\'s URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -l cache-url -l redis-url -d 'The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]' -r -f
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -l cache-url-file -d 'File with the cache URL' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -l cache-url-command -d 'Shell command that prints the cache URL within 10 s' -r -f -a "(__fish_complete_command)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -l cache-ca -d 'CA certificate (PEM) to verify the Redis server with [default: the system\'s]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -l cache-cert -d 'Client certificate (PEM), for a Redis server that requires one' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -l cache-key -d 'Private key (PEM) of the client certificate' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -l session-timezone -d 'Time zone of the sessions with the database: what NOW() and CURDATE() mean in definitions' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -l prefix -d 'Text to put before every key' -r
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -l contexts -d 'Your own definitions, a file or a folder; can be given several times' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -l config -d 'Configuration file [default: ./shopwarm.toml if it exists]' -r -F
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -l demo-dir -d 'Folder of the sample shop [default: your cache directory]' -r -f -a "(__fish_complete_directories)"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -s o -l output -d 'Format of the results on stdout' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
markdown\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -l progress -d 'How to show progress on stderr' -r -f -a "auto\t'Bars on a terminal, otherwise lines'
bars\t'A live bar for each strategy'
lines\t'A line every 10 seconds'
json\t'The engine\'s events, one JSON object per line'
none\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -l log-format -d 'Log to stderr in this format [default: text with serve, else none]' -r -f -a "text\t'One line per event'
json\t'One JSON object per line'"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -l color -d 'When to use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -l demo -d 'Use a sample shop and an embedded cache, both created on first use; needs no server'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -s q -l quiet -d 'Show only errors and requested results: no progress, no table'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -s v -l verbose -d 'Show more: every recorded error, every field'
complete -c shopwarm -n "__fish_shopwarm_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
