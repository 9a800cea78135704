"""`python -m csperf` is the `csperf` command."""

from csperf.cli import main

main()
