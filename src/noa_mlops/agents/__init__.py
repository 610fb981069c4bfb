"""Agents: who runs, where, and with what limits.

A trainer or predictor is a program in a folder of its own. It is started by a small supervisor process that
outlives none of its children and is outlived by none; on kernels that allow it the program sees nothing but
its own folder and what it needs to start. The room writes ``storage/artifacts/workspaces`` and nothing else.

Modules named in `supervisor.NEIGHBOURS` run inside the supervisor: they use the standard library only, and as
little of it as they can, because every agent waits for them.
"""
