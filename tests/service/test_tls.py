"""TLS by flag: a real certificate, spoken by a real process, read again at SIGHUP, and clear when it is none."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from claxon.exporter import Batch, Exporter, Outcome
from claxon.settings import Settings as ClientSettings

from service.settings import SettingsError, TlsFiles
from service.tls import Certificate
from tests.support.certificates import Authority, authority
from tests.support.peers import require
from tests.support.running import Process, refused_start, until

EVENT = [{"model": "m", "status": 200}]


def trusting(one: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(one.own.cert))


def secure(folder: Path, one: Authority) -> Process:
    """Return a Claxon with a certificate, in cert.pem and key.pem of a folder; its client trusts the authority."""
    install(folder, one)
    files = ("--tls-cert", str(folder / "cert.pem"), "--tls-key", str(folder / "key.pem"))
    process = Process(folder, arguments=files)
    process.url, process.context = process.url.replace("http://", "https://"), trusting(one)
    return process


def install(folder: Path, one: Authority) -> None:
    made = one.sign("server", alternative="IP:127.0.0.1")
    shutil.copy(made.cert, folder / "cert.pem")
    shutil.copy(made.key, folder / "key.pem")


def test_events_are_taken_over_tls_and_nothing_over_plain_http(tmp_path: Path) -> None:
    with secure(tmp_path, authority(tmp_path)) as process:
        assert process.post(EVENT)[0] == 202
        assert f'"url": "{process.url}"' in process.log.read_text()

        process.url = process.url.replace("https://", "http://")
        with pytest.raises((OSError, urllib.error.URLError)):
            process.post(EVENT)


def test_nothing_older_than_tls_1_2_is_spoken(tmp_path: Path) -> None:
    one = authority(tmp_path)
    with secure(tmp_path, one) as process:

        def spoken(most: ssl.TLSVersion) -> str | None:
            context = trusting(one)
            # Or the client itself would refuse to speak it.
            context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, most
            with (
                socket.create_connection(("127.0.0.1", process.port), timeout=10) as plain,
                context.wrap_socket(plain, server_hostname="127.0.0.1") as encrypted,
            ):
                return encrypted.version()

        assert spoken(ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
        assert spoken(ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
        with pytest.raises((ssl.SSLError, ConnectionError)):
            spoken(ssl.TLSVersion.TLSv1_1)


def test_a_renewed_certificate_counts_from_a_reload_on_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    (old := tmp_path / "old").mkdir()
    (new := tmp_path / "new").mkdir()
    before, after = authority(old), authority(new)
    with secure(tmp_path, before) as process:
        (tmp_path / "cert.pem").write_text("no certificate\n")
        status, body, _ = process.request("POST", "/-/reload", b"")
        assert (status, body["detail"].split(": ")[1:3]) == (422, ["--tls-cert", str(tmp_path / "cert.pem")])
        assert process.post(EVENT)[0] == 202

        install(tmp_path, after)
        assert process.post(EVENT)[0] == 202
        process.signal(signal.SIGHUP)

        process.context = trusting(after)
        assert until(lambda: reached(process), 10)
        process.context = trusting(before)
        assert not reached(process)


def reached(process: Process) -> bool:
    try:
        return process.request("GET", "/-/healthy")[0] == 200
    except urllib.error.URLError:
        return False


def test_the_client_posts_to_it_when_it_trusts_the_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = authority(tmp_path)
    with secure(tmp_path, one) as process:
        exporter = Exporter(ClientSettings(url=process.url))
        batch = Batch(body=b'[{"model": "m", "status": 200}]', encoding="identity", key="1", events=1, dropped=0)
        distrusted = exporter.send(batch)
        assert distrusted.outcome is Outcome.UNREACHED
        assert "certificate verify failed" in distrusted.why

        monkeypatch.setenv("SSL_CERT_FILE", str(one.own.cert))
        assert exporter.send(batch).outcome is Outcome.ACCEPTED
        exporter.close()


def test_the_commands_reach_it_when_they_trust_the_authority(tmp_path: Path) -> None:
    one = authority(tmp_path)
    with secure(tmp_path, one) as process:
        path = os.pathsep.join(os.path.abspath(part) for part in sys.path if part)
        listed = subprocess.run(
            [sys.executable, "-m", "service", "keys", "list", "--url", process.url],
            env={**os.environ, "SSL_CERT_FILE": str(one.own.cert), "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (listed.returncode, listed.stdout.split()[0]) == (0, "NAME"), listed.stderr


def test_the_files_may_be_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = authority(tmp_path)
    install(tmp_path, one)
    monkeypatch.setenv("CLAXON_TLS_CERT", str(tmp_path / "cert.pem"))
    monkeypatch.setenv("CLAXON_TLS_KEY", str(tmp_path / "key.pem"))
    process = Process(tmp_path)
    process.url, process.context = process.url.replace("http://", "https://"), trusting(one)
    with process:
        assert process.post(EVENT)[0] == 202


# ── what is no certificate ────────────────────────────────────────────────────


def without_key(folder: Path, one: Authority) -> str:
    (folder / "key.pem").unlink()
    return f"--tls-key: {folder / 'key.pem'}: No such file or directory: name a file that this user may read"


def of_another(folder: Path, one: Authority) -> str:
    shutil.copy(one.own.key, folder / "key.pem")
    return f"--tls-key: {folder / 'key.pem'}: not the key of {folder / 'cert.pem'}: name the two that belong together"


def of_text(folder: Path, one: Authority) -> str:
    (folder / "cert.pem").write_text("certificate\n")
    return f"--tls-cert: {folder / 'cert.pem'}: "


def with_a_key_of_text(folder: Path, one: Authority) -> str:
    (folder / "key.pem").write_text("key\n")
    return f"--tls-key: {folder / 'key.pem'}: "


def encrypted(folder: Path, one: Authority) -> str:
    key = str(folder / "key.pem")
    locked = ("ec", "-in", key, "-out", f"{key}.locked", "-aes256", "-passout", "pass:secret")
    subprocess.run([require("openssl"), *locked], check=True, capture_output=True)
    shutil.move(f"{key}.locked", key)
    return f"--tls-key: {key}: encrypted: nobody is there to type its passphrase: "


@pytest.mark.parametrize("spoil", [without_key, of_another, of_text, with_a_key_of_text, encrypted])
def test_a_bad_file_is_said_at_the_start_with_what_to_do(
    tmp_path: Path, spoil: Callable[[Path, Authority], str]
) -> None:
    one = authority(tmp_path)
    install(tmp_path, one)
    said = spoil(tmp_path, one)
    files = ("--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem"))

    refused = refused_start("--listen", "127.0.0.1:0", "--data", str(tmp_path / "data"), *files)

    assert refused.startswith(f"claxon: {said}")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("there", "lacks"), [("--tls-cert", "--tls-key"), ("--tls-key", "--tls-cert")])
def test_one_file_without_the_other_is_refused(there: str, lacks: str) -> None:
    assert refused_start(there, "file.pem") == (
        f"claxon: {there}: file.pem: without {lacks}: name both files, or neither\n"
    )


def test_a_check_of_bad_files_leaves_what_is_in_use_as_it_was(tmp_path: Path) -> None:
    install(tmp_path, authority(tmp_path))
    certificate = Certificate(TlsFiles(certificate=tmp_path / "cert.pem", key=tmp_path / "key.pem"))
    (tmp_path / "key.pem").write_text("key\n")

    with pytest.raises(SettingsError):
        certificate.check()
    assert certificate.context.minimum_version == ssl.TLSVersion.TLSv1_2
