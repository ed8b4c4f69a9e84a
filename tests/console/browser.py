"""Chromium as the tests drive it: headless, with a profile of its own, and waits for what is to be seen."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

T = TypeVar("T")
WAIT_SECONDS_MAX = 60
DESK = (1280, 900)
STATUS = ".page-title .badge[data-status={}]"
SCREENSHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
_FLAGS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars")
"""It runs as root in CI, where its own sandbox does not work; what it visits is this machine's loopback."""


class Browser:
    """One window on a console at `url`."""

    def __init__(self, url: str, *, language: str = "en-US", width: int = 1280, height: int = 900) -> None:
        options = webdriver.ChromeOptions()
        for flag in (*_FLAGS, f"--lang={language}", f"--window-size={width},{height}"):
            options.add_argument(flag)
        options.add_experimental_option("prefs", {"intl.accept_languages": language})
        options.binary_location = shutil.which("chromium") or ""
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options, Service(shutil.which("chromedriver") or ""))
        self.url = url
        self.size(width, height)

    def size(self, width: int, height: int) -> None:
        """Show pages at this size, as a phone does when it is narrow."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 640}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def dark(self, *, on: bool) -> None:
        """Prefer the dark or the light scheme."""
        feature = {"name": "prefers-color-scheme", "value": "dark" if on else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def open(self, path: str = "") -> None:
        """Go to a page of the console."""
        self.driver.get(f"{self.url}/console{path}")

    def sign_in(self, token: str) -> None:
        """Sign in by the form."""
        self.open()
        self.find("input[name=token]").send_keys(token, Keys.ENTER)
        self.find("header.bar")

    def find(self, selector: str, text: str = "") -> WebElement:
        """The first element that is shown, fits a selector and holds a text; waits for it."""
        what = f"{selector} with {text!r}" if text else selector

        def shown() -> WebElement | None:
            found = self.driver.find_elements(By.CSS_SELECTOR, selector)
            return next((each for each in found if text in each.text and each.is_displayed()), None)

        return self.until(shown, what)

    def gone(self, selector: str) -> None:
        """Wait until nothing that fits is shown."""

        def none() -> bool:
            return not any(each.is_displayed() for each in self.driver.find_elements(By.CSS_SELECTOR, selector))

        self.until(none, f"no {selector}")

    def click(self, selector: str, text: str = "") -> None:
        """Click what is found; again when the page was drawn anew meanwhile."""

        def clicked() -> bool:
            self.find(selector, text).click()
            return True

        self.until(clicked, f"{selector} with {text!r} to click")

    def press(self, *keys: str) -> None:
        """Press keys where the cursor is."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def until(self, condition: Callable[[], T | None], what: str) -> T:
        """What `condition` gives once it gives something; the page may change while it looks."""

        def asked(_: object) -> T | None:
            try:
                return condition()
            except StaleElementReferenceException:
                return None

        try:
            found = WebDriverWait(self.driver, WAIT_SECONDS_MAX, 0.1).until(asked)
        except WebDriverException:
            said = self.complaints()
            body = self.driver.find_element(By.TAG_NAME, "body").text
            raise AssertionError(f"waited for {what}; the console said {said}; the page says:\n{body}") from None
        assert found is not None
        return found

    def complaints(self) -> list[str]:
        """What scripts, and the policy that binds them, have complained of since this was asked last."""
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]  # it has no types
        return [entry["message"] for entry in entries if entry["source"] in ("javascript", "security")]

    def screenshot(self, name: str) -> None:
        """Keep what is shown now."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(SCREENSHOTS / f"{name}.png"))

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(WebDriverException):
            self.driver.quit()


@contextlib.contextmanager
def browser(url: str, **options: object) -> Iterator[Browser]:
    """A browser that is closed at the end."""
    one = Browser(url, **options)  # type: ignore[arg-type]  # as its own
    try:
        yield one
    finally:
        one.close()


def task_page(name: str, task_id: str) -> str:
    """The address of a task's page."""
    return f"/functions/{name}/tasks/{task_id}"
