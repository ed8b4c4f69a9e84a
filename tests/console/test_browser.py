"""The console as a person uses it, in Debian's Chromium: watched, steered, read, by mouse and by keys alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from console.browser import Browser, browser
from console.payloads import corpus
from console.site import LONG, Site, site
from debian import missing
from live import archive

pytestmark = [pytest.mark.skipif(bool(why := missing("chromium") or missing("chromedriver")), reason=why)]
PHONE = (375, 740)
DESK = (1280, 900)
STATUS = ".page-title .badge[data-status={}]"
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]


@pytest.fixture(scope="module")
def place() -> Iterator[Site]:
    """The server."""
    with site() as running:
        yield running


@pytest.fixture(scope="module")
def window(place: Site) -> Iterator[Browser]:
    """A browser that has signed in."""
    with browser(place.url) as one:
        one.sign_in(place.token)
        yield one


@pytest.fixture
def page(window: Browser) -> Iterator[Browser]:
    """The same, at its desk size; what scripts complained of in a test fails it."""
    window.size(*DESK)
    window.dark(on=False)
    yield window
    assert window.complaints() == []


def need(place: Site, method: str, path: str) -> None:
    """Skip where the server lacks what is to be seen."""
    if not place.offers(method, path):
        pytest.skip(f"this server does not offer {method} {path}")


def task_page(name: str, task_id: str) -> str:
    """The address of a task's page."""
    return f"/functions/{name}/tasks/{task_id}"


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


def test_a_function_is_made_and_changed_by_zip(page: Browser, tmp_path: Path) -> None:
    """Made from an archive and called; then other code, which the next call runs. What is no archive is refused."""
    page.open("/functions")
    page.click("main button", "New function")
    page.find("dialog input[name=functionName]").send_keys("zipped")
    runtime = page.find("dialog input[name=runtime]")
    runtime.clear()
    runtime.send_keys("python3")
    page.find("dialog input[name=zip]").send_keys(zipped(tmp_path, "first"))
    page.click("dialog button[type=submit]")
    page.find("main h1", "zipped")
    assert called(page) == "first"

    page.click(".page-actions button", "Deploy")
    page.find("dialog input[name=zip]").send_keys(str(Path(__file__).resolve()))
    page.click("dialog button[type=submit]")
    page.find("dialog [role=alert]", "zip")
    page.screenshot("deploy-refused")
    page.find("dialog input[name=zip]").send_keys(zipped(tmp_path, "second"))
    page.click("dialog button[type=submit]")
    page.gone("dialog")
    page.until(lambda: called(page) == "second", "the new code")


def test_a_queue_is_paused_and_a_task_says_so(place: Site, page: Browser) -> None:
    """The explain box names the pause while it holds, and is gone when the queue flows and the task runs."""
    name = place.function("paused")
    page.open(f"/functions/{name}")
    page.click("main button", "Pause the queue")
    page.find("main", "The queue is paused: nothing new starts.")
    assert place.client.get_function(name).queue_paused_since
    task_id = place.submit(name, LONG, "waits")
    page.open(task_page(name, task_id))
    page.find(".explain", "QueuePaused")
    page.find(".explain", "The queue of the function is paused.")
    page.screenshot("task-explained")
    page.open(f"/functions/{name}")
    page.click("main button", "Resume the queue")
    page.find("main button", "Pause the queue")
    page.open(task_page(name, task_id))
    page.find(STATUS.format("Running"))
    page.gone(".explain")
    place.client.force_stop(name, task_id)


HOLD_EXPLANATIONS = """
const real = window.fetch;
window.held = [];
window.loads = 0;
window.fetch = async (...asked) => {
  const answer = await real(...asked);
  window.loads += 1;
  if (String(asked[0]).endsWith("/explain")) await new Promise((go) => window.held.push(go));
  return answer;
};
"""
LET_THEM_GO = """
const seen = () => { window.late = window.late || Boolean(document.querySelector(".explain")); };
new MutationObserver(seen).observe(document.body, { childList: true, subtree: true });
window.loads = 0;
window.held.forEach((go) => go());
"""


def test_an_explanation_that_comes_late_is_not_shown(place: Site, page: Browser) -> None:
    """Its task runs by then: the box that has gone does not come back."""
    name = place.function("late")
    place.client.pause_queue(name)
    task_id = place.submit(name, LONG)
    page.open(task_page(name, task_id))
    page.find(".explain", "QueuePaused")
    page.driver.execute_script(HOLD_EXPLANATIONS)
    page.until(lambda: page.driver.execute_script("return window.held.length > 0"), "an answer that is held")
    place.client.resume_queue(name)
    page.find(STATUS.format("Running"))
    page.gone(".explain")
    page.driver.execute_script(LET_THEM_GO)
    page.until(lambda: page.driver.execute_script("return window.loads > 2"), "the page looked again")
    assert not page.driver.execute_script("return window.late")
    place.client.force_stop(name, task_id)


def test_who_holds_what_a_task_waits_for_is_named_with_a_link(place: Site, page: Browser) -> None:
    """It leads to the task in the way."""
    name = place.function("narrow", concurrency=1)
    place.submit(name, LONG, "holder")
    page.open(task_page(name, "holder"))
    page.find(STATUS.format("Running"))
    place.submit(name, LONG, "behind")
    page.open(task_page(name, "behind"))
    page.find(".explain", "FunctionConcurrencyLimit")
    page.click(".explain a", "holder")
    page.find("main h1", "holder")
    for each in ("behind", "holder"):
        place.client.force_stop(name, each)


def test_progress_is_a_bar_that_moves(place: Site, page: Browser) -> None:
    """What the function reports: percent as a meter, and the message beside it."""
    name = place.function("reporting")
    task_id = place.submit(name, {"report": [40, "page 4 of 10"], **LONG})
    page.open(task_page(name, task_id))
    page.find(".progress", "page 4 of 10")
    page.find(".progress strong", "40 %")
    assert page.find(".progress progress").get_attribute("value") == "40"
    page.screenshot("task-progress")
    place.client.report_progress(name, task_id, percent=75, message="almost")
    page.find(".progress strong", "75 %")
    page.find(".progress", "almost")
    place.client.force_stop(name, task_id)


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


def zipped(folder: Path, answer: str) -> str:
    """The path of an archive with a function that gives `answer`."""
    path = folder / f"{answer}.zip"
    path.write_bytes(archive(f"def handler(event, context):\n    return {answer!r}\n"))
    return str(path)


def called(page: Browser) -> str:
    """What the test call of a function's page gives."""
    page.click("main button", "Call")
    page.gone("main [role=status] [aria-busy=true]")
    return page.find("main [role=status] pre").text.strip('"')


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
