"""The README names every command, flag, script, setting and route there is, and no command that is not."""

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

import indexer.__main__
import localizer.__main__
import search_service.__main__
from search_service import settings

HOME = Path(__file__).parents[1]
README = (HOME / "README.md").read_text()
GROUPS = {
    "indexer": indexer.__main__.main,
    "localizer": localizer.__main__.main,
    "search_service": search_service.__main__.main,
}


COMMANDS = [
    (f"python -m {package} {name}", command)
    for package, group in GROUPS.items()
    for name, command in group.commands.items()
]


def section(command: str) -> str:
    """The part of the README under the heading of a command."""
    found = re.search(rf"^### `{re.escape(command)}.*?(?=^##)", README, re.MULTILINE | re.DOTALL)
    assert found, f"README lacks a heading for {command}"
    return found[0]


@pytest.mark.parametrize(("command", "definition"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_command_has_a_section_with_all_of_its_flags(command: str, definition: click.Command) -> None:
    text = section(command)

    for parameter in definition.params:
        for flag in (*parameter.opts, *parameter.secondary_opts):
            assert (flag if flag.startswith("-") else flag.upper()) in text, f"{command} {flag} is missing"


def test_every_command_the_readme_names_is_there() -> None:
    known = {name for name, _ in COMMANDS}

    assert set(re.findall(r"python -m (?:indexer|search_service|localizer) [a-z]+", README)) <= known


def test_every_route_is_named(client: FlaskClient) -> None:
    rules = [rule for rule in client.application.url_map.iter_rules() if rule.endpoint != "static"]

    for rule in rules:
        methods = (rule.methods or set()) & {"GET", "POST", "PUT", "DELETE"}
        for method in methods:
            route = rule.rule.replace("<int:image_id>", "<id>")
            assert f"`{method} {route}`" in README, f"{method} {route} is missing"


@pytest.mark.parametrize("script", sorted(path.name for path in (HOME / "scripts").iterdir() if path.is_file()))
def test_every_script_is_named(script: str) -> None:
    assert f"scripts/{script}" in README


def test_every_setting_is_named() -> None:
    named = set(re.findall(r"LOOKALIKE_[A-Z_]+", Path(settings.__file__).read_text()))

    assert named
    assert all(f"`{name}`" in README for name in named)


@pytest.mark.parametrize("package", GROUPS)
def test_help_lists_the_commands(package: str) -> None:
    result = CliRunner().invoke(GROUPS[package], ["--help"])

    assert result.exit_code == 0
    assert all(name in result.output for name in GROUPS[package].commands)


def test_links_inside_the_readme_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    }

    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert target.startswith("https://") or target[1:] in headings or (HOME / target).exists(), target
