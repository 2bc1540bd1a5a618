"""The `vp` command.

Here belong the names of the commands, their options and their exit codes. Each command imports what
it needs when it is called, so that `vp --help` answers at once.
"""

import sys
from importlib import import_module
from signal import SIG_BLOCK, SIGHUP, SIGINT, SIGTERM, pthread_sigmask
from typing import Any, ClassVar

import click


class LazyGroup(click.Group):
    """Finds a command's module only when the command is used."""

    modules: ClassVar[dict[str, str]] = {
        "backfill": "vp_pipeline.runtime.backfill",
        "backup": "vp_pipeline.operations.backup_command",
        "demo": "vp_pipeline.runtime.commands",
        "doctor": "vp_pipeline.operations.doctor_command",
        "exchanges": "vp_pipeline.runtime.commands",
        "export": "vp_pipeline.operations.export_command",
        "migrate": "vp_pipeline.operations.migrate_command",
        "poll": "vp_pipeline.poller.command",
        "profile": "vp_pipeline.own_data.commands",
        "restore": "vp_pipeline.operations.restore_command",
        "sandbox": "vp_pipeline.sandbox.command",
        "sessions": "vp_pipeline.own_data.commands",
        "site": "vp_pipeline.site.command",
        "status": "vp_pipeline.operations.status_command",
        "strategies": "vp_pipeline.own_data.strategies",
        "tearsheet": "vp_pipeline.own_data.tearsheet",
        "up": "vp_pipeline.runtime.commands",
        "volatility": "vp_pipeline.own_data.commands",
        "worker": "vp_pipeline.cluster.command",
    }

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """All commands."""
        return sorted(self.modules)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        if cmd_name not in self.modules:
            return None
        module = import_module(self.modules[cmd_name])
        command = getattr(module, cmd_name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{cmd_name} is not a command")
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; told to stop, it ends with 128 and the signal's number, as shells do."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as told:
            # Python gives up its handlers before it is gone: a signal that comes then would be fatal.
            pthread_sigmask(SIG_BLOCK, {SIGINT, SIGTERM, SIGHUP})
            sys.exit(128 + getattr(told, "number", SIGINT))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vp-pipeline")
def main() -> None:
    """Cross-exchange volume profiles, session volatility and strategy tearsheets."""


if __name__ == "__main__":
    main()
