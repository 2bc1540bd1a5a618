"""A page in a real browser that remembers what went wrong in it and what it asked for."""

from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page, Request

DRAWN = ".chart .barlayer path, .chart .scatterlayer path"


class Visit:
    """One page of one visitor."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.complaints: list[str] = []
        self.requested: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _request(self, request: Request) -> None:
        if urlsplit(request.url).scheme not in ("data", "blob"):
            self.requested.append(request.url)

    def open(self, path: str) -> Page:
        self.page.goto(self.address + path)
        return self.page

    def was_clean(self) -> None:
        assert self.complaints == []
        assert [url for url in self.requested if not url.startswith(self.address + "/")] == []
