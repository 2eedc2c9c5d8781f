"""``gridtrail config``: every setting with its value, default and meaning."""

import dataclasses

import click

from service.config import PREFIX, Config

SECRET = ("signing_key", "metrics_token", "database_url")


@click.command("config")
def command() -> None:
    """Show every setting: variable, value now, meaning. Secrets are not shown."""
    config = Config.from_environment()
    for each in dataclasses.fields(config):
        value = getattr(config, each.name)
        shown = "(set)" if each.name in SECRET and value != each.default else repr(value)
        click.echo(f"{PREFIX}{each.name.upper()} = {shown}\n    {each.metadata['meaning']} Default: {each.default!r}.")
