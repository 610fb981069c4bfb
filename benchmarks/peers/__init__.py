"""The same three steps run by others, each in an environment of its own: `python -m benchmarks.peers`.

They promise other things than we do: which of them is durable before the next step, and what none of them does, stands in
``docs/benchmarks.md``. The scripts `run_*` belong to their environments; nothing of this package is imported there.
"""
