"""Which requests the console answers, and with which headers."""

from __future__ import annotations

from pathlib import Path

import pytest

from cascan.limits import CONSOLE_SESSION_S, MAX_CONSOLE_FORM_BYTES, MAX_CONSOLE_SESSIONS
from cascan_cli.ui.guard import FOREIGN_HOST, FOREIGN_ORIGIN, HEADERS, NO_SESSION, NO_TOKEN, READ_ONLY, Guard, Role
from cascan_cli.ui.sessions import Sessions
from tests.unit.cascan_cli.ui.conftest import HOST, PORT, Site


def get_cookie(site: Site) -> tuple[str, str]:
    """The key of the session of the site's browser, and the name of its cookie."""
    sessions = site.console.sessions
    return next(iter(sessions._sessions)), f"cascan_{PORT}_{sessions.name}"


SAME = {"Origin": f"http://{HOST}", "Sec-Fetch-Site": "same-origin"}


def test_the_link_is_exchanged_for_a_strict_cookie_and_the_token_leaves_the_address(tmp_path: Path) -> None:
    site = Site(tmp_path)
    token = site.console.sessions.token
    response = site.get(f"/scans?state=Done&token={token}")
    cookie = response.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert token not in response.text
    assert 'content="0;url=/scans?state=Done"' in response.text
    site.get("/scans?state=Done")


def test_malformed_cookies_of_other_programs_on_this_machine_do_not_hide_the_session(site: Site) -> None:
    key, name = get_cookie(site)
    site.client.cookies.clear()
    others = ['theme={"dark": true}', "a b,c", "=", "ü=1"]
    for other in others:
        for cookies in (f"{other}; {name}={key}", f"{name}={key}; {other}"):
            assert site.client.get("/scans", headers={"Cookie": cookies.encode()}).status_code == 200
    site.get("/scans", 403, Cookie="; ".join(["x=1", f"{name}x={key}"]))


def test_a_link_works_once_and_the_next_one_is_announced(tmp_path: Path) -> None:
    site, announced = Site(tmp_path), list[str]()
    site.console.sessions.announce = announced.append
    token = site.console.sessions.token
    site.get(f"/?token={token}")
    site.client.cookies.clear()
    assert site.get(f"/?token={token}", 403).text.strip() == NO_SESSION
    site.get(f"/?token={announced[0]}")


@pytest.mark.parametrize("path", ["/", "/scans", "/findings", "/?token=", "/?token=guess", "/nowhere"])
def test_without_a_session_no_page_is_shown(path: str, tmp_path: Path) -> None:
    assert Site(tmp_path).get(path, 403).text.strip() == NO_SESSION


@pytest.mark.parametrize("host", ["example.com", "127.0.0.1", "127.0.0.1:80", "rebound.example:8822", ""])
def test_a_foreign_host_is_refused_also_with_a_session(host: str, site: Site) -> None:
    assert site.get("/scans", 403, Host=host).text.strip() == FOREIGN_HOST
    assert site.get("/static/console.css", 403, Host=host).text.strip() == FOREIGN_HOST


def test_localhost_is_the_same_server(site: Site) -> None:
    key, name = get_cookie(site)
    site.get("/scans", Host="localhost:8822", Cookie=f"{name}={key}")


def test_an_address_of_its_own_is_the_only_name_of_the_server(site: Site) -> None:
    guard = Guard(lambda *_: None, sessions=Sessions(), role=Role.READER, address="127.64.0.9", port=PORT)  # type: ignore[arg-type]  # never called
    assert guard._hosts == {f"127.64.0.9:{PORT}"}


def test_each_console_has_a_cookie_of_another_name_and_deletes_those_of_ended_ones(tmp_path: Path) -> None:
    first, second = Site(tmp_path).enter(), Site(tmp_path)
    (_, old), (_, new) = get_cookie(first), ("", f"cascan_{PORT}_{second.console.sessions.name}")
    assert old != new
    response = second.get(f"/?token={second.console.sessions.token}", Cookie=f"{old}=x; other=y")
    deleted = [value for value in response.headers.get_list("set-cookie") if "Max-Age=0" in value]
    assert len(deleted) == 1
    assert deleted[0].startswith(f"{old}=")


@pytest.mark.parametrize("origin", ["http://example.com", "http://127.0.0.1:9", "https://127.0.0.1:8822", "null"])
def test_a_request_of_another_site_is_refused(origin: str, site: Site) -> None:
    assert site.get("/scans", 403, Origin=origin).text.strip() == FOREIGN_ORIGIN
    response = site.client.post("/submit", data={"csrf": site.csrf}, headers={"Origin": origin})
    assert (response.status_code, response.text.strip()) == (403, FOREIGN_ORIGIN)


@pytest.mark.parametrize("site_header", ["cross-site", "same-site", "none"])
def test_a_form_that_another_page_sent_is_refused_whatever_its_origin_says(site_header: str, site: Site) -> None:
    headers = SAME | {"Sec-Fetch-Site": site_header}
    response = site.client.post("/submit", data={"csrf": site.csrf}, headers=headers)
    assert (response.status_code, response.text.strip()) == (403, FOREIGN_ORIGIN)


def test_a_form_without_an_origin_is_refused(site: Site) -> None:
    assert site.client.post("/submit", data={"csrf": site.csrf}).text.strip() == FOREIGN_ORIGIN


@pytest.mark.parametrize("csrf", ["", "guess", "ü"])
def test_a_form_without_the_token_of_the_session_is_refused(csrf: str, site: Site) -> None:
    response = site.client.post("/submit", data={"csrf": csrf}, headers=SAME)
    assert (response.status_code, response.text.strip()) == (403, NO_TOKEN)


def test_the_token_of_another_session_is_refused(site: Site) -> None:
    other = site.console.sessions.exchange(site.console.sessions.token)
    assert other
    response = site.client.post("/submit", data={"csrf": other.csrf}, headers=SAME)
    assert (response.status_code, response.text.strip()) == (403, NO_TOKEN)


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x"])
def test_only_forms_are_read(kind: str, site: Site) -> None:
    response = site.client.post("/submit", content=f"csrf={site.csrf}", headers=SAME | {"Content-Type": kind})
    assert response.status_code == 403


def test_a_form_may_not_be_longer_than_the_limit(site: Site) -> None:
    data = {"csrf": site.csrf, "request": "x" * MAX_CONSOLE_FORM_BYTES}
    assert site.client.post("/submit", data=data, headers=SAME).status_code == 413
    fields = {f"field{number}": "" for number in range(200)}
    assert site.client.post("/submit", data=fields | {"csrf": site.csrf}, headers=SAME).status_code == 413


@pytest.mark.parametrize("path", ["/submit", "/scans", "/nowhere"])
def test_a_reader_may_send_no_form(path: str, reader: Site) -> None:
    response = reader.client.post(path, data={"csrf": reader.csrf}, headers=SAME)
    assert (response.status_code, response.text.strip()) == (403, READ_ONLY)


def test_a_list_whose_session_has_ended_shows_the_sentence_in_its_place(tmp_path: Path) -> None:
    response = Site(tmp_path).client.get("/scans?name=%3Cb%3E", headers={"HX-Request": "true"})
    assert response.status_code == 403
    assert response.text.startswith('<div id="list"><p class="message" role="alert">This browser has no session.')


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(method: str, site: Site) -> None:
    assert site.client.request(method, "/scans").status_code == 405


@pytest.mark.parametrize("path", ["/scans", "/nowhere", "/static/console.css", "/?token=guess"])
def test_every_answer_has_the_strict_headers(path: str, site: Site) -> None:
    assert site.client.get(path).headers.items() >= {(name.lower(), value) for name, value in HEADERS.items()}
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


def test_who_follows_a_link_of_another_site_may_go_on_by_a_link_of_ours(tmp_path: Path) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    response = Site(tmp_path).client.get("/%2Fexample.com/?q=%22%3E%3Cb%3E&token=x", headers=headers)
    assert response.status_code == 403
    assert '<a href="/example.com/?q=%22%3E%3Cb%3E">' in response.text


def test_a_session_ends_and_the_oldest_makes_room() -> None:
    now = [0.0]
    sessions = Sessions(seconds=lambda: now[0])
    first = sessions.exchange(sessions.token)
    assert first
    assert sessions.find(first.key) is first
    for _ in range(MAX_CONSOLE_SESSIONS):
        latest = sessions.exchange(sessions.token)
    assert sessions.find(first.key) is None
    assert latest
    now[0] = CONSOLE_SESSION_S + 1
    assert sessions.find(latest.key) is None
