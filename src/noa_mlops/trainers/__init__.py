"""What runs inside an agent: the built-in trainers, one module per agent profile.

Each is started as ``python -I -m noa_mlops.trainers.<module> train|predict`` in the workspace of its agent and
keeps the contract of a folder: it reads what ``NOA_PAYLOAD`` names and writes into ``out/``. A user's mistake ends
with status 2 and one line on stderr that begins with ``noa:``.
"""
