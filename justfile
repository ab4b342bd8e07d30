# The scripts of this repository. `just` lists them.

_default:
    @just --list --unsorted

# Warm the sample shop; needs no server
demo *ARGS:
    cargo run --release -- --demo {{ if ARGS == "" { "warmup all" } else { ARGS } }}

# Everything that must hold before a commit; ARGS select tests
test *ARGS:
    scripts/test {{ ARGS }}

# Look for faults with random seeds
hunt *ARGS:
    scripts/hunt {{ ARGS }}

# Measure against redis-cli --pipe
bench *ARGS:
    scripts/bench {{ ARGS }}

# Measure what a gentle run costs the shop
gentle *ARGS:
    scripts/gentle {{ ARGS }}

# Load the admin API
load *ARGS:
    scripts/load {{ ARGS }}

# Draw the pictures of the README again
pictures:
    scripts/readme-picture

# Licences, sources and advisories of what is built in
deny:
    cargo deny check
