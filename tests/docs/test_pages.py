"""What the documents tell people to type exists, and what they link to is there."""

from __future__ import annotations

import itertools
import re
import shlex
from pathlib import Path

import pytest
import typer.main
from tests.contracts.tree import ROOT, files

from faultline.cli.app import APP
from faultline.sources.archives.csv_messages import kind_of_name

PAGES = [
    *sorted(path for path in ROOT.glob("*.md")),
    *files("docs", "changes", "examples", suffixes=(".md",)),
]
COMMANDS = typer.main.get_command(APP)
MAKE_TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def code_lines(text):
    """Commands in fenced shell blocks, continuation lines joined."""
    for language, body in re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        if language in ("", "sh", "bash", "console", "shell"):
            for line in body.replace("\\\n", " ").splitlines():
                yield line.strip().removeprefix("$ ").strip()


def typed(text, program):
    """Arguments that a page gives to a program: in shell blocks and in `code`."""
    lines = [*code_lines(text), *re.findall(r"`([^`\n]+)`", text)]
    for line in lines:
        for part in re.split(r"\s(?:&&|\|\|?|;)\s", line.partition(" #")[0]):
            words = shlex.split(part) if part.count("'") % 2 == part.count('"') % 2 == 0 else part.split()
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words and words[0].rpartition("/")[2] == program:
                yield words[1:]


def is_kind(path):
    """Whether a file's name says of what kind its rows are."""
    try:
        kind_of_name(path)
    except ValueError:
        return False
    return True


def complaint(arguments):
    """What is wrong with the arguments of ``faultline``, or None."""
    command = COMMANDS
    words = list(arguments)
    while words and hasattr(command, "list_commands"):
        word = words.pop(0)
        if word.startswith(("-", "…", "...")) or word.isupper():
            return None
        below = command.get_command(None, word)
        if below is None:
            return f"there is no command {word!r} in {command.list_commands(None)}"
        command = below
    options = {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    if arguments[:3] == ["tape", "import", "csv"]:
        for word in itertools.takewhile(lambda word: not word.startswith("-"), words[1:]):
            if word.endswith((".csv", ".csv.gz")) and not is_kind(Path(word)):
                return f"{word} names no kind of message"
    for word in words:
        option = word.strip("[]()").partition("=")[0]
        if option.startswith("--") and option not in options | {"--help"}:
            return f"there is no option {option}"
    return None


def test_there_is_a_readme():
    assert (ROOT / "README.md").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_tells_people_to_type_exists(page):
    text = page.read_text(encoding="utf-8")
    found = [f"make {words[0]}" for words in typed(text, "make") if words and unknown_target(words[0])]
    for arguments in typed(text, "faultline"):
        if (wrong := complaint(arguments)) is not None:
            found.append(f"faultline {' '.join(arguments)}: {wrong}")
    assert not found, "\n".join(found)


def unknown_target(word):
    return re.fullmatch(r"[a-z][a-z0-9-]*", word) is not None and word not in MAKE_TARGETS


def anchors(text):
    """Anchors that a Markdown page offers."""
    heads = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_inside_the_repository_lead_somewhere(page):
    found = []
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (
            anchor and target.suffix == ".md" and anchor not in anchors(target.read_text(encoding="utf-8"))
        ):
            found.append(link)
    assert not found, "\n".join(found)


def test_every_command_is_named_in_the_reference():
    text = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    missing = [name for name in walk(COMMANDS, "faultline") if f"## `{name}`" not in text]
    assert not missing, "\n".join(missing)


def walk(command, name):
    """Full names of all commands below one."""
    for word in command.list_commands(None):
        child, below = command.get_command(None, word), f"{name} {word}"
        if hasattr(child, "list_commands"):
            yield from walk(child, below)
        else:
            yield below


def test_the_checks_see_what_is_not_there():
    assert complaint(["no-such-command"]) is not None
    assert complaint(["tape", "no-such-command"]) is not None
    assert complaint(["serve", "--no-such-option"]) is not None
    assert complaint(["tape", "import", "csv", "bars.csv"]) is not None
    assert complaint(["tape", "import", "csv", "bar.csv", "--out", "x"]) is None
    assert complaint(["serve", "--simulated"]) is None
    assert unknown_target("no-such-target")
    assert not unknown_target("run")
    assert list(typed("```sh\nFAULTLINE_DATA=x faultline tape ls T && make run\n```", "make")) == [["run"]]
