"""``noa`` and ``python -m noa_mlops``: the version is answered before the command-line library is imported."""

from __future__ import annotations

import sys

from noa_mlops.version import VERSION


def main() -> int:
    """Run the command line of this process and return its exit status."""
    try:
        return _run()
    except KeyboardInterrupt:  # between two handlers: nothing was begun yet, or all is done
        return 130


def _run() -> int:
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"noa {VERSION}\n")
        return 0
    import signal

    try:
        from noa_mlops.cli.app import main as command_line

        return command_line()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)  # nothing is left that could be stopped in order


if __name__ == "__main__":
    sys.exit(main())
