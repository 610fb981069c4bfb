"""Private keys: checked when they are loaded, each message naming the file and what to do."""

from __future__ import annotations

import os
import shutil
import stat

import pytest

from noa_mlops.errors import NotAuthorised
from noa_mlops.evidence import SigningKey
from noa_mlops.ledger import KeyStore, Ledger
from noa_mlops.records.policy import KeyRecord


@pytest.fixture
def keys(keystore):
    return keystore.create("demo")


def test_each_role_gets_a_key_of_its_own_that_only_its_owner_can_read(keys, keystore):
    assert keys.folder.parent == keystore.root
    assert keys.folder.name == f"demo-{keys.signing_key('verifier').public.keyid[:16]}"
    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o700
    files = sorted(keys.folder.iterdir())
    assert [file.name for file in files] == ["model.pem", "operator.pem", "root.pem", "verifier.pem"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert len({keys.signing_key(file.stem).public.keyid for file in files}) == 4
    assert keys.signing_key("model").public.scheme == "ecdsa-sha2-nistp256"


def test_the_keys_are_found_again_by_the_policy(keys, keystore):
    assert keystore.find(keys.policy).signing_key("root").public == keys.signing_key("root").public


def test_two_projects_of_one_name_have_folders_of_their_own(keys, keystore):
    assert keystore.create("demo").folder != keys.folder


def refuse(keys, match, hint):
    with pytest.raises(NotAuthorised, match=match) as caught:
        keys.signing_key("verifier")
    assert str(keys.folder) in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601])
def test_refuses_a_key_file_that_is_open_to_others(keys, mode):
    (keys.folder / "verifier.pem").chmod(mode)
    refuse(keys, f"mode 0{mode:o}", f"chmod 600 {keys.folder / 'verifier.pem'}")


def test_refuses_a_key_folder_that_is_open_to_others(keys):
    keys.folder.chmod(0o755)
    refuse(keys, "mode 0755", f"chmod 700 {keys.folder}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("name", ["", "verifier.pem"])
def test_refuses_a_key_of_another_owner(keys, name):
    os.chown(keys.folder / name, 12345, -1)
    refuse(keys, "belongs to user 12345", "chown")


def test_refuses_a_link_in_place_of_a_key_or_of_the_folder(keys, tmp_path):
    path = keys.folder / "verifier.pem"
    path.rename(tmp_path / "elsewhere.pem")
    path.symlink_to(tmp_path / "elsewhere.pem")
    refuse(keys, "cannot be read as a key", "not a link")
    path.unlink()
    (tmp_path / "elsewhere.pem").rename(path)
    keys.folder.rename(tmp_path / "moved")
    keys.folder.symlink_to(tmp_path / "moved")
    refuse(keys, "is not a folder", "not a link")


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_refuses_what_is_no_regular_file_and_does_not_hang(keys, make):
    (keys.folder / "verifier.pem").unlink()
    make(keys.folder / "verifier.pem")
    refuse(keys, "is not a regular file|cannot be read", "file")


@pytest.mark.parametrize("content", [b"", b"nonsense", b"x" * 100_000])
def test_refuses_a_file_that_holds_no_key(keys, content):
    (keys.folder / "verifier.pem").write_bytes(content)
    refuse(keys, "is not an unencrypted private key", "backup")


def test_refuses_a_missing_key(keys):
    (keys.folder / "verifier.pem").unlink()
    refuse(keys, "No such file", "regular file")


@pytest.mark.parametrize("scheme", ["ed25519", "ecdsa-sha2-nistp256"])
def test_refuses_a_key_that_is_not_the_one_of_the_policy(keys, scheme):
    (keys.folder / "verifier.pem").write_bytes(SigningKey.generate(scheme).private_pem())
    refuse(keys, "does not give the role 'verifier'", "in its place")


def test_a_ledger_does_not_open_with_keys_open_to_others(layout, keystore):
    with Ledger.create(layout, "demo", keystore) as ledger:
        file = ledger.keys.folder / "verifier.pem"
    file.chmod(0o644)
    with pytest.raises(NotAuthorised, match="mode 0644"):
        Ledger.open(layout, keystore)
    file.chmod(0o600)
    Ledger.open(layout, keystore).close()


def test_says_where_keys_were_looked_for(keys, keystore):
    shutil.rmtree(keys.folder)
    with pytest.raises(NotAuthorised, match=f"{keys.folder.name}, are not in {keystore.root}") as caught:
        keystore.find(keys.policy)
    assert "NOA_KEYS" in caught.value.hint


def test_says_so_when_the_folder_of_one_project_is_named_instead_of_the_one_around_it(keys):
    with pytest.raises(NotAuthorised) as caught:
        KeyStore(keys.folder).find(keys.policy)
    assert caught.value.hint == f"NOA_KEYS must name the folder around that one: {keys.folder.parent}"


def test_keys_that_cannot_be_written_leave_nothing_behind(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(NotAuthorised, match="could not be written"):
        KeyStore(tmp_path / "file" / "keys").create("demo")


def test_the_environment_says_where_keys_lie(monkeypatch, tmp_path):
    monkeypatch.setenv("NOA_KEYS", str(tmp_path / "mine"))
    assert KeyStore().root == tmp_path / "mine"
    monkeypatch.delenv("NOA_KEYS")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert KeyStore().root == tmp_path / "config" / "noa" / "keys"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert KeyStore().root == tmp_path / ".config" / "noa" / "keys"


def record(key):
    return KeyRecord(key.public.keyid, key.public.scheme, key.public.pem)


def test_a_key_that_was_added_is_found_by_its_id_and_refused_when_its_file_holds_another(keys):
    fresh, other = SigningKey.generate(), SigningKey.generate()
    assert keys.key(record(fresh), {}) is None
    path = keys.add(fresh)
    assert (path, stat.S_IMODE(path.stat().st_mode)) == (keys.path(fresh.public.keyid), 0o600)
    assert keys.key(record(fresh), {}).public == fresh.public
    path.write_bytes(other.private_pem())
    with pytest.raises(NotAuthorised, match="holds another key than its name says"):
        keys.key(record(fresh), {})


def test_a_key_of_the_founding_is_found_by_its_role(keys):
    founding = {role: keys.policy.keys[keys.policy.roles[role].keys[0]] for role in keys.policy.roles}
    assert keys.key(founding["root"], founding).public == keys.signing_key("root").public
    assert keys.key(founding["root"], {}) is None


def test_no_key_is_looked_for_or_added_in_a_folder_that_is_open_to_others(keys):
    fresh = SigningKey.generate()
    keys.folder.chmod(0o750)
    with pytest.raises(NotAuthorised, match="mode 0750"):
        keys.key(record(fresh), {})
    with pytest.raises(NotAuthorised, match="mode 0750"):
        keys.add(fresh)


def test_a_key_that_cannot_be_kept_says_which_file(keys):
    fresh = SigningKey.generate()
    keys.path(fresh.public.keyid).mkdir()
    with pytest.raises(NotAuthorised, match=f"{fresh.public.keyid[:16]}.pem could not be written"):
        keys.add(fresh)
