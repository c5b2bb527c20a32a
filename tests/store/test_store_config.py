import tomllib

import pytest

from jiqun.core.errors import UsageError
from jiqun.store import Workspace
from jiqun.store.config import SETTINGS, resolve, template


def test_the_environment_goes_before_the_file_and_the_file_before_the_default(workspace, monkeypatch):
    def found():
        one = Workspace.open(workspace.path).settings["lock_wait_seconds"]
        return one.value, one.origin

    assert found() == (10.0, "default")
    (workspace.path / "jiqun.toml").write_text("lock_wait_seconds = 3")
    assert found() == (3.0, "jiqun.toml")
    monkeypatch.setenv("JIQUN_LOCK_WAIT_SECONDS", "0.5")
    assert found() == (0.5, "environment")
    monkeypatch.setenv("JIQUN_LOCK_WAIT_SECONDS", "")
    assert found() == (3.0, "jiqun.toml")


def test_the_language_of_messages_is_a_setting(workspace, monkeypatch):
    monkeypatch.delenv("JIQUN_LANG")
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert resolve(None)["language"].value == "zh"
    (workspace.path / "jiqun.toml").write_text('language = "en"')
    assert (resolve(workspace.path)["language"].value, resolve(workspace.path)["language"].origin) == (
        "en",
        "jiqun.toml",
    )


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("lock_wait_seconds = -1", "JQ-STORE-022"),
        ("lock_wait_seconds = true", "JQ-STORE-022"),
        ("lock_wait_seconds = inf", "JQ-STORE-022"),
        ("lock_wait_seconds = [1]", "JQ-STORE-022"),
        ('lock_wait_seconds = "soon"', "JQ-STORE-022"),
        ('langauge = "zh"', "JQ-STORE-023"),
        ('workspace = "/x"', "JQ-STORE-023"),
        ("language = ", "JQ-STORE-024"),
        ("\xff\xfe", "JQ-STORE-024"),
    ],
)
def test_a_wrong_setting_is_said_with_its_place(workspace, content, code):
    (workspace.path / "jiqun.toml").write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError) as caught:
        Workspace.open(workspace.path)
    assert caught.value.code == code
    assert str(workspace.path / "jiqun.toml") in caught.value.render("zh")


def test_a_wrong_variable_is_said_by_name(monkeypatch):
    monkeypatch.setenv("JIQUN_LANG", "fr")
    with pytest.raises(UsageError) as caught:
        resolve(None)
    assert (caught.value.code, caught.value.fields["where"]) == ("JQ-STORE-022", "JIQUN_LANG")


def test_the_template_changes_nothing_and_its_lines_work_when_uncommented(workspace):
    assert tomllib.loads(template()) == {}
    text = "\n".join(line.removeprefix("# ") if " = " in line else line for line in template().splitlines())
    assert set(tomllib.loads(text)) == {setting.name for setting in SETTINGS if setting.in_file}
    (workspace.path / "jiqun.toml").write_text(text)
    assert all(found.value is not None for found in Workspace.open(workspace.path).settings.values())
