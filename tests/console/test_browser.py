"""The console as a person uses it, in Debian's Chromium: watched, steered, read, by mouse and by keys alone."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from console.browser import DESK, STATUS, Browser, browser, task_page
from console.payloads import corpus
from console.site import LONG, Site
from debian import missing

pytestmark = [pytest.mark.skipif(bool(why := missing("chromium") or missing("chromedriver")), reason=why)]
PHONE = (375, 740)
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]


def need(place: Site, method: str, path: str) -> None:
    """Skip where the server lacks what is to be seen."""
    if not place.offers(method, path):
        pytest.skip(f"this server does not offer {method} {path}")


def test_a_task_goes_through_its_statuses_without_a_reload(place: Site, page: Browser) -> None:
    """Submitted in the browser, seen Running, seen Succeeded with its result; the page was loaded once."""
    name = place.function("watched")
    page.open(f"/functions/{name}")
    payload = page.find("main textarea")
    payload.clear()
    payload.send_keys(json.dumps({"until": str(place.signal), "give": "the-result"}))
    page.click("main button", "Submit a task")
    page.driver.execute_script("window.kept = 1")
    page.find(STATUS.format("Running"))
    place.signal.touch()
    page.find(STATUS.format("Succeeded"))
    page.find("main pre", "the-result")
    page.find("main pre.log", "step 0")

    shown = [
        each.get_attribute("data-status") for each in page.driver.find_elements(By.CSS_SELECTOR, ".timeline .badge")
    ]
    assert shown[0] == "Enqueued"
    assert shown[-2:] == ["Running", "Succeeded"]
    assert page.driver.execute_script("return window.kept") == 1
    page.screenshot("task-succeeded")


def test_a_stop_is_asked_for_and_shows_its_evidence(place: Site, page: Browser) -> None:
    """A dialog names the task; then Stopped, with the hook's outcome and nothing left of it."""
    name = place.function("stopped")
    need(place, "POST", f"/v1/functions/{name}/tasks/none/stop")
    task_id = place.submit(name, LONG, "to-be-stopped")
    page.open(task_page(name, task_id))
    page.find(STATUS.format("Running"))
    page.click(".page-actions button", "Stop")
    assert task_id in page.find("dialog").text
    page.screenshot("stop-dialog")
    page.click("dialog button.danger")
    page.find(STATUS.format("Stopped"))

    assert "processesLeft" in page.find(".timeline li:last-child").text
    page.screenshot("task-stopped")


def test_a_task_is_run_again_with_edits(place: Site, page: Browser) -> None:
    """The new task has the edited payload and leads back to the one it repeats."""
    name = place.function("again")
    need(place, "POST", f"/v1/functions/{name}/tasks/none/rerun")
    task_id = place.submit(name, {"fail": "the first payload was wrong"}, "failing")
    page.open(task_page(name, task_id))
    page.find(STATUS.format("Failed"))
    page.click(".page-actions button", "Run again with edits")
    payload = page.find("dialog textarea")
    payload.clear()
    payload.send_keys('{"give": "edited"}')
    page.click("dialog button[type=submit]")
    page.find(STATUS.format("Succeeded"))

    page.find("main pre", "edited")
    assert page.find(".facts a[href$='/tasks/failing']").text == "failing"


def test_all_that_match_are_counted_and_stopped(place: Site, page: Browser) -> None:
    """The dialog says how many before anything happens; the rows show it without a reload."""
    name = place.function("many", concurrency=1)
    need(place, "GET", "/v1/tasks")
    need(place, "POST", "/v1/tasks:stop")
    for number in range(5):
        place.submit(name, LONG, f"one-of-many-{number}")
    page.open(f"/tasks?q=function:{name}")
    page.find("tr[data-task=one-of-many-4]")
    page.click("thead input[type=checkbox]")
    page.click(".selection button", "Choose all that match")
    page.click(".selection button", "Stop")
    assert "Stop 5 tasks?" in page.find("dialog h2").text
    page.screenshot("bulk-stop-dialog")
    page.click("dialog button.danger")

    def stopped() -> bool:
        return len(page.driver.find_elements(By.CSS_SELECTOR, "tr .badge[data-status=Stopped]")) == 5

    page.until(stopped, "five stopped rows")


def test_new_tasks_gather_behind_a_button(place: Site, page: Browser) -> None:
    """What is shown stays where it is until the person asks."""
    name = place.function("steady")
    need(place, "GET", "/v1/tasks")
    place.submit(name, {}, "the-first")
    page.open(f"/tasks?q=function:{name}")
    page.find("tr[data-task=the-first]")
    place.submit(name, {}, "the-second")
    button = page.find("button.fresh", "1 new")
    assert [each.get_attribute("data-task") for each in page.driver.find_elements(By.CSS_SELECTOR, "tbody tr")] == [
        "the-first"
    ]
    button.click()
    page.find("tr[data-task=the-second]")


def test_a_log_is_followed_and_searched(place: Site, page: Browser) -> None:
    """Lines come while the task writes them; a search narrows what is shown."""
    name = place.function("talking")
    task_id = place.submit(name, {"lines": ["a needle in it"], **LONG})
    page.open(task_page(name, task_id))
    page.find("pre.log", "step 2")
    page.find("pre.log", "step 6")
    page.find("input[type=search]").send_keys("NEEDLE")
    page.until(lambda: page.find("pre.log").text == "a needle in it", "only the line with the needle")
    place.client.stop_task(name, task_id)


def test_everything_goes_with_keys_alone(place: Site, page: Browser) -> None:
    """Signed out and in, to the tasks, filtered, moved, chosen, stopped; the mouse is not touched."""
    name = place.function("keys")
    need(place, "GET", "/v1/tasks")
    need(place, "POST", f"/v1/functions/{name}/tasks/none/stop")
    place.submit(name, LONG, "by-keys")
    page.driver.delete_all_cookies()
    page.open()
    page.find("input[name=token]")
    page.press(place.token, Keys.ENTER)
    page.find("header.bar")
    page.driver.find_element(By.TAG_NAME, "body").send_keys("?")
    assert "Keyboard" in page.find("dialog").text
    page.press(Keys.ESCAPE)
    page.gone("dialog")
    page.driver.find_element(By.TAG_NAME, "body").send_keys("g", "t")
    page.find(".filter input")
    page.driver.find_element(By.TAG_NAME, "body").send_keys("/")
    page.press("func", Keys.TAB, "keys", Keys.ENTER)
    page.find("tr[data-task=by-keys] .badge[data-status=Running]")
    assert "q=function%3Akeys" in page.driver.current_url
    page.press("j", "x")
    page.find(".selection", "1 chosen")
    page.press("s")
    page.find("dialog")
    page.press(Keys.ENTER)
    page.find("tr[data-task=by-keys] .badge[data-status=Stopped]")


def test_the_console_speaks_chinese(place: Site, page: Browser) -> None:
    """One button, on every page, and it is kept."""
    name = place.function("translated")
    task_id = place.submit(name, {}, "done")
    page.open(task_page(name, task_id))
    page.click("button[lang=zh-CN]")
    page.find("header.bar a", "任务")
    page.find(STATUS.format("Succeeded"), "成功")
    assert page.driver.find_element(By.TAG_NAME, "html").get_attribute("lang") == "zh-CN"
    page.screenshot("task-chinese")
    page.open("/settings")
    page.find("h2", "隔离")
    page.click("button[lang=en]")
    page.find("h2", "Isolation")


VIEWS = ("overview", "tasks", "functions", "functions/shown", "functions/shown/tasks/ended", "instances", "nodes",
         "audit", "settings", "nowhere")  # fmt: skip


@pytest.fixture(scope="module")
def full(place: Site) -> Site:
    """Something to see in every view."""
    name = place.function("shown", description="Makes small pictures of large ones.")
    place.submit(name, {"give": {"pictures": 3}}, "ended")
    place.submit(name, {"fail": "the picture cannot be read"}, "broken")
    place.submit(name, LONG, "running")
    place.client.wait(name, "ended")
    place.client.wait(name, "broken")
    return place


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_fits_and_is_accessible(full: Site, page: Browser, view: str) -> None:
    """At a desk and on a phone, light and dark: nothing is cut off, and axe finds no violation."""
    del full
    page.open(f"/{view}")
    page.find("main h1")
    page.gone("[aria-busy=true]")
    for size, dark in ((DESK, False), (DESK, True), (PHONE, False), (PHONE, True)):
        page.size(*size)
        page.dark(on=dark)
        name = f"{view.replace('/', '-')}-{size[0]}-{'dark' if dark else 'light'}"
        page.screenshot(name)
        assert page.driver.execute_script("return document.documentElement.scrollWidth") <= size[0], name
        if (size is DESK) is dark:  # each size and each scheme once: axe takes long
            assert violations(page) == [], name


def test_the_sign_in_page_is_accessible(place: Site) -> None:
    """Also for who has not come in yet; a wrong token is told in words."""
    with browser(place.url) as stranger:
        stranger.open()
        field = stranger.find("input[name=token]")
        assert violations(stranger) == []
        stranger.screenshot("sign-in")
        field.send_keys("nonsense", Keys.ENTER)
        stranger.find("[role=alert]", "no access token of this server")


def test_a_task_is_stopped_on_a_phone(place: Site, page: Browser) -> None:
    """At phone width the buttons are there and large enough for a thumb."""
    name = place.function("phoned")
    need(place, "POST", f"/v1/functions/{name}/tasks/none/stop")
    task_id = place.submit(name, LONG)
    page.size(*PHONE)
    page.open(task_page(name, task_id))
    page.find(STATUS.format("Running"))
    stop = page.find(".page-actions button", "Stop")
    assert stop.size["height"] >= 40
    stop.click()
    page.click("dialog button.danger")
    page.find(STATUS.format("Stopped"))


def test_texts_of_tenants_are_shown_as_texts(place: Site, page: Browser) -> None:
    """Two hundred and more that try to be markup, as payload, result, log, error and description: none comes alive."""
    texts = corpus()
    name = place.function("stored", description=texts[0][:250])
    lines = [text for text in texts if text.isprintable()]
    place.submit(name, {"lines": lines, "give": texts}, "gives")
    place.submit(name, {"fail": "".join(texts)}, "fails")
    for task_id, status in (("gives", "Succeeded"), ("fails", "Failed")):
        page.open(task_page(name, task_id))
        page.find(STATUS.format(status))
        page.find("pre.log", "step 0")
    page.open(task_page(name, "gives"))
    page.find("pre.log", "step 0")
    shown = page.driver.execute_script("return document.querySelector('main').textContent")
    laid_out = json.dumps(texts, indent=2, ensure_ascii=False)
    assert [line for line in lines if line not in shown] == []
    assert [text for text in texts if json.dumps(text, ensure_ascii=False) not in laid_out] == []
    page.open(f"/functions/{name}")
    page.find("main dd", texts[0][:250])
    assert page.driver.execute_script("return window.stolen") is None
    elements = "return document.querySelectorAll('main script, main iframe, main img, main object, main style').length"
    assert page.driver.execute_script(elements) == 0


def violations(page: Browser) -> list[str]:
    """What axe-core finds wrong with the page as it stands."""
    source = (files("axe_core_python") / "axe.min.js").read_text("utf-8")
    page.driver.execute_script(source)
    found = page.driver.execute_async_script(
        "const [rules, done] = arguments; axe.run(document, {runOnly: rules}).then(done, (e) => done({error: `${e}`}))",
        AXE_RULES,
    )
    assert "error" not in found, found
    return [f"{each['id']}: {[node['html'] for node in each['nodes']][:3]}" for each in found["violations"]]
