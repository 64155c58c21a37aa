"""Where the page may listen, what a session is, how fast is too fast."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from gadfly.errors import InputError
from gadfly.review._security import Limiter, Serving, Sessions

FUTURE = 4e9


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_needs_no_leave(host: str) -> None:
    assert Serving(host).origin(8000).startswith("http://")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "rate.example.org", ""])
def test_other_machines_need_a_word_and_tls(host: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"say so with --public"):
        Serving(host, behind_proxy="https://rate.example.org")
    with pytest.raises(InputError, match="needs TLS"):
        Serving(host, public=True)
    proxied = Serving(host, public=True, behind_proxy="https://rate.example.org")
    assert proxied.origin(8000) == "https://rate.example.org"


def test_tls_needs_both_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.pem").touch()
    with pytest.raises(InputError, match="both a certificate and its key"):
        Serving("10.0.0.1", public=True, certificate=tmp_path / "a.pem")
    with pytest.raises(InputError, match="There is no file"):
        Serving("10.0.0.1", public=True, certificate=tmp_path / "a.pem", key=tmp_path / "b.pem")


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of its own making and its key."""
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    where = tmp_path_factory.mktemp("tls")
    certificate, key = where / "certificate.pem", where / "key.pem"
    made = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


def test_a_wildcard_with_tls_needs_a_name_for_the_links(pair: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match="say with --name which host name"):
        Serving("0.0.0.0", 8443, True, *pair)
    named = Serving("0.0.0.0", 8443, True, *pair, name="Rate.example.org")
    assert named.origin(8443) == "https://rate.example.org:8443"
    assert named.hosts() == {"rate.example.org"}


def test_what_is_no_certificate_with_its_key_is_said_before_there_is_a_page(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "a.pem").write_text("not a certificate")
    for two in ((tmp_path / "a.pem", tmp_path / "a.pem"), (pair[0], pair[0]), (pair[1], pair[1])):
        with pytest.raises(InputError, match="do not serve as a certificate and its key"):
            Serving("127.0.0.1", 0, False, *two)
    assert Serving("127.0.0.1", 0, False, *pair).secure


@pytest.mark.parametrize("proxy", ["http://a.org", "https://", "https://a.org/x", "https://u@a.org", "a.org"])
def test_a_proxy_is_an_https_address_without_a_path(proxy: str) -> None:
    with pytest.raises(InputError, match="stated as the https:// address"):
        Serving(behind_proxy=proxy)


def test_a_session_is_read_back_and_outlives_a_restart() -> None:
    cookie = Sessions(b"secret").issue(7, FUTURE)
    session = Sessions(b"secret").read(cookie)
    assert session is not None
    assert session.rater == 7


def test_a_cookie_that_anyone_changed_is_none() -> None:
    sessions = Sessions(b"secret")
    cookie = sessions.issue(7, FUTURE)
    forged = [
        cookie.replace("7.", "8.", 1),
        cookie[:-1],
        cookie + "0",
        "",
        ".",
        "7.1",
        "é.é.é.é",
        "7..." + "0" * 64,
    ]
    assert [sessions.read(bad) for bad in [*forged, None]] == [None] * 9
    assert Sessions(b"other").read(cookie) is None


def test_a_session_ends() -> None:
    sessions = Sessions(b"secret")
    assert sessions.read(sessions.issue(7, 1.0)) is None


def test_two_sessions_have_different_csrf_tokens() -> None:
    sessions = Sessions(b"secret")
    read = [sessions.read(sessions.issue(7, FUTURE)) for _ in range(2)]
    assert len({session.csrf for session in read if session}) == 2


def test_a_bucket_runs_dry_and_fills_again() -> None:
    now = [0.0]
    limiter = Limiter(3, now=lambda: now[0])
    assert [limiter.wait("ann") for _ in range(4)] == [0, 0, 0, 20]
    assert limiter.wait("bob") == 0
    now[0] = 21
    assert limiter.wait("ann") == 0


def test_buckets_do_not_pile_up() -> None:
    limiter = Limiter(3)
    for key in range(5_000):
        limiter.wait(str(key))
    assert len(limiter._buckets) == 4_096
