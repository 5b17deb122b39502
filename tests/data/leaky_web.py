"""Web servers that give away more than they should: stand-ins, one handler for each kind of carelessness."""

from __future__ import annotations

from html import escape
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from tests.data.speaking_services import Page, serve_web

PASSWD = b"root:x:0:0:root:/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\n"
HOME = b"""<html><head><title>Shop</title></head><body>
<a href="/item.php?id=1">item</a> <a href="/search.php?q=tea">search</a>
<a href="/guestbook.php">guestbook</a>
<script>document.write("<b>" + document.URL.substring(1) + "</b>")</script>
</body></html>"""
BOOK = b"""<html><body>
<form action="/guestbook.php" method="post"><input type="text" name="said"></form>
</body></html>"""
STATUS = b"""<html><head><title>Apache Status</title></head><body><h1>Apache Server Status for shop.example</h1>
<dl><dt>Server Version: Apache/2.4.12 (Fixture)</dt><dt>Server Built: Jul 24 2015 15:59:00</dt></dl>
<dt>Server uptime:  53 minutes 31 seconds</dt><dt>Server load: 0.00 0.01 0.05</dt></body></html>"""


class Shop(Page):
    """Trusts whatever it is sent."""

    server_version = "Apache/2.4.12"
    left_behind = ("/config.php~", "/item.php~", "/~root", "/~root/", "/robots.txt", "/phpinfo.php")

    def do_GET(self) -> None:
        path = unquote(self.path)
        address = urlsplit(path)
        query = parse_qs(address.query, keep_blank_values=True)
        if "etc/passwd" in path and "%" not in path:
            self.answer(200, PASSWD)
        elif address.path == "/":
            self.answer(200, HOME, Set_Cookie="PHPSESSID=fixture; path=/")
        elif address.path == "/jmx-console/":
            self.answer(401 if self.command == "GET" else 200, b"", WWW_Authenticate='Basic realm="JMX"')
        elif address.path in self.left_behind:
            self.answer(200, b"<?php $password = 'fixture';")
        else:
            page = _page(address.path, query)
            self.answer(200 if page else 404, page or b"nothing here")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.answer(200, b"thanks")

    def do_OPTIONS(self) -> None:
        self.answer(
            200,
            b"",
            Allow="GET, HEAD, POST, OPTIONS, PROPFIND, PUT",
            DAV="1,2",
            MS_Author_Via="DAV",
            Access_Control_Allow_Origin="*",
            Access_Control_Allow_Methods="GET, POST, DELETE",
        )

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.answer(201, b"created")

    def do_TRACE(self) -> None:
        self.answer(200, f"{self.requestline}\r\n{self.headers}".encode(), Content_Type="message/http")

    def do_DEBUG(self) -> None:
        self.answer(200, b"OK")


def _page(path: str, query: dict[str, list[str]]) -> bytes:
    """A page that is made of what it was asked with; empty: there is none."""
    if path == "/item.php":
        return b"You have an error in your SQL syntax" if "'" in "".join(query.get("id", [])) else b"<html>tea</html>"
    if path == "/search.php":
        return f"<html>nothing for {''.join(query.get('q', []))}</html>".encode()
    pages = {"/guestbook.php": BOOK, "/server-status": STATUS}
    return pages.get(path, b"")


class Files(Page):
    """Shows its folder to anyone."""

    def do_GET(self) -> None:
        rows = "".join(
            f'<a href="{escape(n)}">{n}</a>  01-Jan-2026 10:00  {i}K\n' for i, n in enumerate(("a.sql", "b.zip"), 1)
        )
        page = f"<html><head><title>Index of /</title></head><body><h1>Index of /</h1><pre>{rows}</pre></body></html>"
        self.answer(200 if self.path == "/" else 404, page.encode())


class Basic(Page):
    """Wants a password in clear text."""

    def do_GET(self) -> None:
        self.answer(401, b"no", WWW_Authenticate='Basic realm="Desk"')


class Couch(Page):
    """CouchDB as it came: everybody is its administrator."""

    server_version = "CouchDB/1.0.1"
    pages: ClassVar[dict[str, bytes]] = {
        "/_all_dbs": b'["ledger","people"]',
        "/_stats": b'{"couchdb":{"open_databases":{"current":2,"count":5,"description":"open"}}}',
        "/_stats/": b'{"couchdb":{"open_databases":{"current":2,"count":5,"description":"open"}}}',
        "/_config": b'{"httpd_design_handlers":{"_info":"x"}}',
        "/_config/": b'{"httpd_design_handlers":{"_info":"x"}}',
    }

    def do_GET(self) -> None:
        self.answer(200 if self.path in self.pages else 404, self.pages.get(self.path, b"{}"))


def start_leaky_web() -> None:
    serve_web(8180, Shop)
    serve_web(8088, Files)
    serve_web(7080, Basic)
    serve_web(5984, Couch)
