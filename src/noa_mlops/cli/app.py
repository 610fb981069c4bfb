"""The ``noa`` command: its groups, its manners, and the one place where errors become words and exit codes."""

from __future__ import annotations

import importlib
import os
import select
import signal
import sys
from collections.abc import Mapping, Sequence
from types import FrameType

import click

from noa_mlops.cli import output
from noa_mlops.errors import LifecycleError, PlanInvalid, Problem
from noa_mlops.version import VERSION

COMMANDS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Work": {
        "init": ("init", "Make a project here: folders, policy, keys, the first entry; a first plan with --data."),
        "demo": ("demo", "The whole procedure on real weather data: promotion, drift, the way out, audit."),
        "run": ("run", "Train a plan, measure it, decide, promote."),
        "evaluate": ("evaluate", "Measure a version again; or judge it by another plan."),
        "status": ("status", "Lifecycles: champion, rollout, last runs."),
        "show": ("show", "One lifecycle or version: metrics, thresholds, evidence; or a data file."),
        "logs": ("logs", "What the agents of a version printed."),
        "watch": ("watch", "Events as they are recorded."),
        "diff": ("diff", "Two datasets or versions side by side, or what blocks a rollout."),
    },
    "Rollout": {
        "gate": ("gate", "May this be rolled out? From the registry and the origin alone, for CI."),
        "pull": ("pull", "The champion into a folder of a deployment, whole and verified."),
        "drift": ("drift", "Scan new data for drift; block the rollout when it must be."),
        "operate": (
            "operate",
            "The loop: scan, block, retrain, verify and propose, on a schedule or when files arrive.",
        ),
    },
    "Decide (signed)": {
        "investigate": ("investigate", "Say what was found of an incident."),
        "enable": ("enable", "Make a held version the champion, and the rollout ready."),
        "override": ("override", "Put a version in force against the gate's word, for a time."),
        "rollback": ("rollback", "Bring a former champion back."),
    },
    "Account": {
        "verify": (
            "verify",
            "Check ledger, signatures, promoted bytes and mirror, or one portable proof; change nothing.",
        ),
        "audit": ("audit", "The checklist of the operating procedure, over the evidence."),
        "export": ("export", "Attestations, a portable proof, or static tiles, for people without the project."),
        "doctor": ("doctor", "Say what is wrong and which command mends it."),
        "redact": ("redact", "Take an object out of the evidence, by a signed entry."),
    },
    "Set up": {
        "keys": ("keys", "List, export, make, rotate and revoke keys."),
        "policy": ("policy", "What policy.yaml would change; sign it."),
        "profiles": ("profiles", "Agent profiles and their hyperparameters."),
        "schema": ("schema", "JSON Schema of plans, definitions and settings; check files by themselves."),
    },
}
"""Every command by group: the module of `noa_mlops.cli` that holds it, and its line in the help."""

EPILOG = "Everything is addressed as LIFECYCLE[@N]. Exit codes: 0 done, 2 usage, 3 rejected or blocked, 4 does not verify, 5 conflict, 6 training failed, 7 not yet."


class _PipeBroken(Exception):
    """Nobody reads what was written: to standard output, or to another pipe."""

    def __init__(self, error: BrokenPipeError) -> None:
        super().__init__(str(error))
        self.error = error


class Commands(click.Group):
    """The commands, each loaded only when it is called, listed by group."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the help."""
        return [name for group in COMMANDS.values() for name in group]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command."""
        for group in COMMANDS.values():
            if cmd_name in group:
                module = importlib.import_module(f"noa_mlops.cli.{group[cmd_name][0]}")
                command: click.Command = getattr(module, cmd_name)
                return command
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one is refused with the nearest name."""
        name = args[0]
        if not name.startswith("-") and name not in self.list_commands(ctx):
            raise click.UsageError(f"no command {name!r}{output.did_you_mean(name, self.list_commands(ctx))}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; click would end in silence when a pipe breaks, whichever it was."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _PipeBroken(error) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The help's list, without loading any command."""
        for title, group in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl([(name, line) for name, (_, line) in group.items()])


@click.group(
    cls=Commands,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(VERSION, message="noa %(version)s")
@click.option("-C", "folder", metavar="DIR", help="The project folder; commands take it as well.")
@click.pass_context
def noa(context: click.Context, folder: str | None) -> None:
    """Train in isolation, measure without showing the labels, gate, promote, and keep signed evidence.

    Example: noa init && noa run plans/rainfall.yaml
    """
    if folder is not None:
        context.default_map = {name: {"folder": folder} for group in COMMANDS.values() for name in group}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        result = noa.main(args=given, prog_name="noa", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        return _told((error.format_message(), _usage(error), error.exit_code), given)
    except _PipeBroken as broken:
        if _nobody_reads():
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        return _told(_words(broken.error), given)
    except (click.Abort, KeyboardInterrupt):
        return _told(("interrupted", "Run the same command again: it continues where it was.", 130), given)
    except Exception as error:
        if "--debug" in given:
            raise
        problems = error.problems if isinstance(error, PlanInvalid) else ()
        return _told(_words(error), given, problems)
    return result if isinstance(result, int) else 0


def _usage(error: click.ClickException) -> str | None:
    """How the command is used that was misused."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return None
    return f"{context.get_usage()}    ('{context.command_path} --help' explains)"


def _words(error: Exception) -> tuple[str, str, int]:
    """Message, hint and exit status of an error."""
    if isinstance(error, LifecycleError):
        return str(error), error.hint, error.exit_code
    if isinstance(error, OSError):
        return output.system_error(error)
    if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("noa_mlops"):
        hint = "Install the extra that trains and measures: pip install 'noa-mlops[tabular]'."
        return f"this needs the package {error.name!r}, which is not installed", hint, 2
    return f"internal error: {type(error).__name__}: {error}", LifecycleError.hint, 1


def _told(words: tuple[str, str | None, int], given: Sequence[str], problems: tuple[Problem, ...] = ()) -> int:
    message, hint, status = words
    output.error(message, hint, status, as_json="--json" in given, problems=problems)
    return status


def _nobody_reads() -> bool:
    """Whether standard output is a pipe whose reader has gone (``noa show x | head -1``)."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _terminate(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
