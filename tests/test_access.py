"""Who may ask, settled before anything listens."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from search_service.__main__ import main
from search_service.access import RATE_ELSEWHERE, Access, is_loopback
from search_service.api_keys import ApiKey, ApiKeys
from search_service.errors import AccessError, AddressError
from search_service.settings import Settings
from tests.keys import READER, key_file

KEYS = ApiKeys((ApiKey("read", b"digest"),))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.10", "::1"])
def test_on_this_machine_alone_no_key_is_needed_and_anything_may_be_asked(host: str) -> None:
    assert is_loopback(host)
    assert Access().at(host) == Access(hosts=())


@pytest.mark.parametrize("host", ["::", "192.168.1.5", "example.org", "localhost.example.org", "128.0.0.1"])
def test_beyond_this_machine_it_takes_keys_or_a_word_that_none_are_wanted(host: str) -> None:
    with pytest.raises(AddressError, match="expected --api-key-file FILE, or --insecure, to listen at"):
        Access().at(host)

    assert Access().at(host, insecure=True) == Access(rate=RATE_ELSEWHERE)
    assert Access(keys=KEYS).at(host) == Access(keys=KEYS, rate=RATE_ELSEWHERE)


@pytest.mark.parametrize(("host", "rate", "settled"), [
    ("127.0.0.1", "5/second", "5/second"), ("127.0.0.1", "none", None),
    ("192.168.1.5", "5/second", "5/second"), ("192.168.1.5", "none", None),
])  # fmt: skip
def test_a_rate_that_is_named_holds_wherever_the_service_listens(
    host: str, rate: str, settled: str | None
) -> None:
    assert Access(rate=rate).at(host, insecure=True).rate == settled


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "localhost.", "127.0.0.1:1", "[::1]:8000"])
def test_the_names_of_this_machine_are_always_answered_to(host: str) -> None:
    assert Access(hosts=()).answers_to(host)
    assert Access(hosts=("pictures.example.org",)).answers_to(host)


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "[", "]", "[x]", "a@localhost:b@x"],
)
def test_no_other_name_is(host: str) -> None:
    assert not Access(hosts=()).answers_to(host)


def test_a_name_that_is_allowed_is_answered_to_whatever_its_case_and_port() -> None:
    access = Access(hosts=("Pictures.example.org",)).at("127.0.0.1")

    assert access.answers_to("pictures.EXAMPLE.org:8443")
    assert not access.answers_to("more.pictures.example.org")


@given(st.text(max_size=40))
def test_any_text_for_a_host_is_answered_to_or_not(host: str) -> None:
    assert Access(hosts=()).answers_to(host) in (True, False)
    assert Access().answers_to(host)


@pytest.mark.parametrize(
    "origin",
    [
        "example.org",
        "https://example.org/",
        "https://example.org/a",
        "https://*.example.org",
        "null",
        "",
        "ftp://a",
    ],
)
def test_an_origin_is_scheme_and_host_and_no_more(origin: str) -> None:
    with pytest.raises(AccessError, match="expected an origin such as https:"):
        Access(origins=(origin,))


def test_not_every_site_may_use_a_service_with_keys() -> None:
    assert Access(origins=("*",)).origins == ("*",)

    with pytest.raises(AccessError, match="expected origins by name beside keys"):
        Access(keys=KEYS, origins=("*",))


@pytest.mark.parametrize(
    "rate", ["60", "0/minute", "-1/minute", "60/fortnight", "60 a minute", "1/minute;9/hour", ""]
)
def test_a_rate_is_a_number_in_a_time(rate: str) -> None:
    if rate:
        with pytest.raises(AccessError, match="expected a rate such as 60/minute"):
            Access(rate=rate)


@pytest.mark.parametrize(("options", "said"), [
    (["--host", "0.0.0.0"], "error: expected --api-key-file FILE, or --insecure, to listen at '0.0.0.0'"),  # noqa: S104
    (["--api-key-file", "/nowhere/keys"], "error: the system refused at /nowhere/keys"),
    (["--rate-limit", "often"], "error: expected a rate such as 60/minute"),
    (["--allow-origin", "example.org"], "error: expected an origin such as https://example.org"),
])  # fmt: skip
def test_the_command_ends_in_one_line_where_that_makes_no_sense(
    tmp_path: Path, options: list[str], said: str
) -> None:
    result = CliRunner().invoke(main, ["serve", "--collection", str(tmp_path), *options])

    assert result.exit_code == 1
    assert result.stderr.startswith(said)
    assert len(result.stderr.splitlines()) == 1


def test_the_environment_may_name_a_file_of_keys(tmp_path: Path) -> None:
    named = {"LOOKALIKE_COLLECTION": "/c", "LOOKALIKE_API_KEY_FILE": str(key_file(tmp_path))}

    keys = Settings.from_environment(named).access.keys

    assert keys
    assert keys.find(READER)
