"""The installed packages as a lock file, on packages that are laid out as installers do."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import socket
import tomllib
from importlib import metadata

import pytest
from packaging.pylock import PackageDirectory, Pylock

from hopsml_flows.tracking.versions.installed import installed_packages
from hopsml_flows.tracking.versions.lock_file import RECORD_HASH, lock_text
from hopsml_flows.tracking.versions.toml_text import toml_text

ANY = "Wheel-Version: 1.0\nTag: py3-none-any\n"
HASH = "5" * 64


def install(site, name, version, *, wheel=ANY, direct=None, record="a.py,sha256=x,1\n"):
    """Lay out a package's metadata as an installer does."""
    directory = site / f"{name.replace('-', '_')}-{version}.dist-info"
    directory.mkdir(parents=True)
    text = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n\nName: not-this\n"
    (directory / "METADATA").write_text(text)
    (directory / "RECORD").write_text(record)
    if wheel is not None:
        (directory / "WHEEL").write_text(wheel)
    if direct is not None:
        (directory / "direct_url.json").write_text(json.dumps(direct))


def locked(site):
    """The lock file of what is installed in a directory, read back; and its text."""
    text = lock_text(installed_packages(metadata.distributions(path=[str(site)])))
    return Pylock.from_dict(tomllib.loads(text)), text


def packages(site):
    return {package.name: package for package in locked(site)[0].packages}


def test_this_environment_is_a_valid_lock_file_with_every_package():
    lock = Pylock.from_dict(tomllib.loads(lock_text(installed_packages())))
    installed = {package.key: package.version for package in installed_packages()}
    assert {package.name: str(package.version) for package in lock.packages} == installed
    # Installers of this Python on this machine find something to install for each.
    assert len(list(lock.select())) == len(installed)
    assert lock.tool["hopsml-flows"]["python"] == platform.python_version()


def test_it_is_written_without_a_network(monkeypatch):
    def refused(*_, **__):
        raise AssertionError("something connected")

    monkeypatch.setattr(socket.socket, "connect", refused)
    assert lock_text(installed_packages()).startswith("lock-version")


def test_another_python_is_refused_by_what_installs_from_it(tmp_path):
    install(tmp_path, "a", "1.0")
    lock, _ = locked(tmp_path)
    assert not lock.requires_python.contains("3.5.0")
    assert lock.requires_python.contains(platform.python_version())
    assert lock.environments[0].evaluate()


def test_the_name_of_a_wheel_is_rebuilt_from_its_tags(tmp_path):
    tags = (
        "Build: 1\nTag: cp311-cp311-manylinux_2_28_x86_64\nTag: cp311-cp311-manylinux_2_27_x86_64\n"
    )
    install(tmp_path, "Some.Thing", "2.4.6+cu1", wheel=tags)
    (package,) = packages(tmp_path).values()
    (wheel,) = package.wheels
    assert package.name == "some-thing"
    assert wheel.filename == (
        "some_thing-2.4.6+cu1-1-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl"
    )


def test_a_wheel_whose_hash_is_not_known_has_that_of_its_files_under_another_name(tmp_path):
    install(tmp_path, "a", "1.0", record="a.py,sha256=x,1\n")
    install(tmp_path, "b", "1.0", record="b.py,sha256=y,1\n")
    found = packages(tmp_path)
    hashes = [found[name].wheels[0].hashes for name in "ab"]
    assert [list(each) for each in hashes] == [[RECORD_HASH], [RECORD_HASH]]
    assert hashes[0] != hashes[1]


def test_a_repository_is_locked_to_its_commit_without_user_and_token(tmp_path):
    install(
        tmp_path, "a", "1.0",
        direct={
            "url": "https://user:ghp_token@host/team/a.git?private_token=other",
            "subdirectory": "python",
            "vcs_info": {"vcs": "git", "commit_id": "c0ffee", "requested_revision": "main"},
        },
    )  # fmt: skip
    lock, text = locked(tmp_path)
    vcs = lock.packages[0].vcs
    assert (vcs.type, vcs.url, vcs.commit_id) == ("git", "https://host/team/a.git", "c0ffee")
    assert (vcs.requested_revision, vcs.subdirectory) == ("main", "python")
    for secret in ("user", "ghp_token", "other"):
        assert secret not in text


@pytest.mark.parametrize("info", [{"hashes": {"sha256": HASH}}, {"hash": f"sha256={HASH}"}])
def test_an_archive_has_its_hash_and_no_token(tmp_path, info):
    url = "https://tok-en@host/a-1.0.zip?X-Amz-Signature=sig-nature"
    install(tmp_path, "a", "1.0", direct={"url": url, "archive_info": info})
    lock, text = locked(tmp_path)
    archive = lock.packages[0].archive
    assert (archive.url, archive.hashes) == ("https://host/a-1.0.zip", {"sha256": HASH})
    assert "tok-en" not in text
    assert "sig-nature" not in text


def test_an_archive_without_a_hash_is_still_valid(tmp_path):
    direct = {"url": "https://host/a-1.0.zip", "archive_info": {}}
    install(tmp_path, "a", "1.0", direct=direct)
    assert list(packages(tmp_path)["a"].archive.hashes) == [RECORD_HASH]


def test_a_directory_says_whether_it_is_edited_in_place(tmp_path):
    info = {"url": "file:///home/me/my%20work", "dir_info": {"editable": True}}
    install(tmp_path, "a", "1.0", direct=info)
    install(tmp_path, "b", "1.0", direct={**info, "dir_info": {}})
    found = packages(tmp_path)
    assert found["a"].directory == PackageDirectory(path="/home/me/my work", editable=True)
    assert found["b"].directory == PackageDirectory(path="/home/me/my work")


def test_of_two_with_one_name_the_first_on_the_path_counts(tmp_path):
    install(tmp_path / "one", "a", "1.0")
    install(tmp_path / "two", "A", "2.0")
    places = [str(tmp_path / "one"), str(tmp_path / "two")]
    found = installed_packages(metadata.distributions(path=places))
    assert [(package.name, package.version) for package in found] == [("a", "1.0")]


@pytest.mark.parametrize(
    "broken",
    [
        {"version": "not a version"},
        {"version": "1.0", "wheel": None},
        {"version": "1.0", "wheel": "Tag: nonsense\n"},
        {"version": "1.0", "direct": ["no", "object"]},
        {"version": "1.0", "direct": {"url": "https://host/x", "vcs_info": {"vcs": "git"}}},
    ],
)
def test_what_cannot_be_described_is_named_and_the_rest_is_locked(tmp_path, broken):
    install(tmp_path, "good", "1.0")
    install(tmp_path, "bad", **broken)
    lock, _ = locked(tmp_path)
    assert [package.name for package in lock.packages] == ["good"]
    assert lock.tool["hopsml-flows"]["left-out"] == ["bad"]


def test_broken_json_costs_one_package(tmp_path):
    install(tmp_path, "good", "1.0")
    install(tmp_path, "bad", "1.0", direct={})
    (tmp_path / "bad-1.0.dist-info" / "direct_url.json").write_text("{")
    assert list(packages(tmp_path)) == ["good"]


def test_an_environment_without_packages_is_valid(tmp_path):
    assert packages(tmp_path) == {}


@pytest.mark.parametrize(
    "text", ["", 'a "quoted" \\ text', "tab\tline\nend\r", "\x00\x1f\x7f", "é 漢 🎉", "[x] # = '"]
)
def test_any_text_is_read_back_from_toml(text):
    document = {"a": text, "b": [text, text], "t": [{"k k": text, "in": {"x": [1, True, 2.5]}}]}
    assert tomllib.loads(toml_text(document)) == document


def test_half_a_surrogate_pair_does_not_break_toml():
    assert tomllib.loads(toml_text({"a": os.fsdecode(b"\xff")}))["a"]


def test_an_installer_knows_no_hash_of_the_stand_ins_name():
    assert RECORD_HASH not in hashlib.algorithms_available
