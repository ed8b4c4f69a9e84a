// The rows of a list of tasks: each is made once and changes in place; one of them is current, any may be chosen.

import { h, replace } from "./dom.js";
import { duration, moment, when } from "./format.js";
import { t } from "./i18n.js";
import { lasted } from "./model.js";
import * as router from "./router.js";
import { badge, isOver } from "./status.js";

const keyOf = (name, id) => `${name} ${id}`;

export class Rows {
  #rows = new Map();
  #current = null;
  #body = h("tbody");
  #every = h("input", { type: "checkbox", "aria-label": t("tasks.chooseShown"), onchange: () => this.#chooseEvery() });
  #onPick;

  constructor({ onPick }) {
    this.#onPick = onPick;
    const columns = ["status", "task", "function", "submitted", "duration", "attempts", "note"];
    this.element = h("div", { class: "scroll" }, h("table", { class: "tasks" },
      h("caption", { class: "unseen" }, t("nav.tasks")),
      h("thead", null, h("tr", null, h("td", { class: "pick" }, this.#every),
        columns.map((name) => h("th", { scope: "col", class: `c-${name}` }, t(`tasks.column.${name}`))))), this.#body));
  }

  get size() {
    return this.#rows.size;
  }

  /** The task under the cursor. */
  get current() {
    return this.#rows.get(this.#current)?.task ?? null;
  }

  has(task) {
    return this.#rows.has(keyOf(task.function, task.id));
  }

  /** Show these and no others. */
  set(tasks) {
    this.#rows.clear();
    this.#current = null;
    this.#body.replaceChildren();
    this.append(tasks);
    this.#every.checked = false;
  }

  append(tasks) {
    for (const task of tasks) {
      const key = keyOf(task.function, task.id);
      if (this.#rows.has(key)) continue;
      const row = this.#made(key, task);
      this.#rows.set(key, row);
      this.#body.append(row.element);
    }
  }

  /** Let rows that are shown say what is known now. */
  update(tasks) {
    for (const task of tasks) {
      const row = this.#rows.get(keyOf(task.function, task.id));
      if (row) this.#fill(row, task);
    }
  }

  /** Something happened to a task; whether it is shown here. */
  happened(event) {
    const row = this.#rows.get(keyOf(event.function, event.taskId));
    if (!row) return false;
    const at = moment(event.timestamp);
    const task = { ...row.task, status: event.status };
    if (event.status === "Running") {
      task.started ||= at;
      task.attempts += 1;
    }
    if (isOver(event.status)) task.ended = at;
    this.#fill(row, task);
    return true;
  }

  /** Move the cursor. */
  move(by) {
    const keys = [...this.#rows.keys()];
    if (!keys.length) return;
    const at = this.#current === null ? -1 : keys.indexOf(this.#current);
    this.#point(keys[Math.min(Math.max(at + by, 0), keys.length - 1)]);
  }

  toggle() {
    const row = this.#rows.get(this.#current);
    if (!row) return;
    row.box.checked = !row.box.checked;
    this.#picked(row);
  }

  open() {
    const task = this.current;
    if (task) router.go(router.path("functions", task.function, "tasks", task.id));
  }

  chosen() {
    return [...this.#rows.values()].filter((row) => row.box.checked).map((row) => row.task);
  }

  clear() {
    for (const row of this.#rows.values()) {
      row.box.checked = false;
      row.element.setAttribute("aria-selected", "false");
    }
    this.#every.checked = false;
    this.#onPick();
  }

  #chooseEvery() {
    for (const row of this.#rows.values()) {
      row.box.checked = this.#every.checked;
      row.element.setAttribute("aria-selected", String(row.box.checked));
    }
    this.#onPick();
  }

  #point(key) {
    this.#rows.get(this.#current)?.element.classList.remove("current");
    this.#current = key;
    const { element, link } = this.#rows.get(key);
    element.classList.add("current");
    element.scrollIntoView({ block: "nearest" });
    link.focus({ preventScroll: true });
  }

  #picked(row) {
    row.element.setAttribute("aria-selected", String(row.box.checked));
    this.#onPick();
  }

  #made(key, task) {
    const row = { task, cells: {} };
    row.box = h("input", { type: "checkbox", "aria-label": t("tasks.choose", { id: task.id }), onchange: () => this.#picked(row) });
    row.link = h("a", { href: router.href(router.path("functions", task.function, "tasks", task.id)), class: "id" }, task.id);
    row.cells = Object.fromEntries(["status", "submitted", "duration", "attempts", "note"].map((name) => [name, h("td", { class: `c-${name}` })]));
    const { status, submitted, duration: took, attempts, note } = row.cells;
    row.element = h("tr", { "data-task": task.id, onclick: () => { if (this.#current !== key) this.#current = this.#mark(key); } },
      h("td", { class: "pick" }, row.box), status, h("td", { class: "c-task" }, row.link), h("td", { class: "c-function" }, task.function),
      submitted, took, attempts, note);
    replace(submitted, when(task.created));
    this.#fill(row, task);
    return row;
  }

  #mark(key) {
    this.#rows.get(this.#current)?.element.classList.remove("current");
    this.#rows.get(key)?.element.classList.add("current");
    return key;
  }

  #fill(row, task) {
    const { cells, task: before } = row;
    row.task = task;
    if (before.status !== task.status || !cells.status.firstChild) replace(cells.status, badge(task.status));
    const ran = lasted(task);
    cells.duration.textContent = ran === null ? "–" : duration(ran);
    cells.attempts.textContent = task.attempts || "–";
    const percent = task.progress?.percent;
    const words = [task.progress?.message, task.error].filter(Boolean).join(" · ");
    cells.note.textContent = [percent !== null && percent !== undefined && !isOver(task.status) ? `${Math.round(percent)} %` : "", words].filter(Boolean).join(" ");
  }
}
