"""The engine: contracts, plan, evaluation, store, statistics, command line."""
