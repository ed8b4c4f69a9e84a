"""What the console says of functions and of what waits: code by zip, paused queues, why a task waits, its progress."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.browser import STATUS, Browser, task_page
from console.site import LONG, Site
from debian import missing
from live import archive

pytestmark = [pytest.mark.skipif(bool(why := missing("chromium") or missing("chromedriver")), reason=why)]


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
