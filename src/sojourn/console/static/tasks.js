// The list of tasks: filtered by what the bar says, live, and still under the cursor. What is new gathers behind a
// button; a row that is shown changes in place and never moves.

import { get, FC, may, V1 } from "./api.js";
import { attempt, instead, told } from "./dialog.js";
import { announce, h, replace } from "./dom.js";
import { asQuery, completions, mayMatch, parse, withKey } from "./filter.js";
import { count } from "./format.js";
import { t } from "./i18n.js";
import { useKeys } from "./keyboard.js";
import { taskOf } from "./model.js";
import { button, head } from "./parts.js";
import * as router from "./router.js";
import { Rows } from "./rows.js";
import { isOver, STATUSES, badge } from "./status.js";
import * as steering from "./steering.js";
import { watch } from "./watch.js";

const PAGE = 100;

/** Show the list in `place`; returns what ends it. */
export function tasks(place, _names, query) {
  let text = query.q ?? "";
  let token = "";
  let pending = new Set();
  let everything = false;
  let ended = false;
  let turn = 0;
  let stopWatching = () => {};
  const rows = new Rows({ onPick: picked });
  const problems = h("p", { class: "problem", role: "alert", id: "filter-problems" });
  const bar = filterBar(text, apply);
  const fresh = h("button", { class: "button fresh", onclick: reload });
  const live = h("span", { class: "live", role: "status" });
  const more = h("button", { class: "button", onclick: next }, t("tasks.more"));
  const selection = h("div", { class: "selection", role: "group", "aria-label": t("tasks.selection") });
  const list = h("div", null, rows.element);
  replace(place, head(t("nav.tasks"), live), bar.element, quick(), problems, h("div", { id: "operations" }), selection,
    h("div", { class: "fresh-place" }, fresh), list, h("div", { class: "list-end" }, more));
  fresh.hidden = more.hidden = selection.hidden = true;

  useKeys({
    "/": () => bar.input.focus(),
    j: () => rows.move(1),
    k: () => rows.move(-1),
    x: () => rows.toggle(),
    Enter: () => rows.open(),
    s: () => act("stop"),
    r: () => act("rerun"),
  });
  apply(text);

  function quick() {
    return h("div", { class: "chips", role: "group", "aria-label": t("tasks.byStatus") }, STATUSES.map((status) =>
      h("button", { class: "chip", onclick: () => { bar.input.value = withKey(bar.input.value, "status", status); apply(bar.input.value); } }, badge(status))));
  }

  function apply(value) {
    text = value.trim();
    const { filter, problems: found } = parse(text);
    replace(problems, found.map(([key, word]) => t(key, { word })).join(" "));
    bar.input.setAttribute("aria-invalid", String(found.length > 0));
    if (found.length) return;
    router.note({ q: text });
    stopWatching();
    stopWatching = watch(filter.function ? { function: filter.function } : {}, {
      onEvents: (events) => happened(filter, events),
      onReset: refresh,
      onState: (state) => { live.textContent = t(`live.${state}`); live.dataset.state = state; },
    });
    reload();
  }

  /** A page that holds something, or the last one: a search may come back with empty hands although there is more. */
  async function page(after) {
    const query = asQuery(parse(text).filter);
    let found = await get(`${V1}/tasks`, { ...query, limit: PAGE, nextToken: after });
    while (!found.tasks.length && found.nextToken && !ended) {
      found = await get(`${V1}/tasks`, { ...query, limit: PAGE, nextToken: found.nextToken });
    }
    return found;
  }

  async function reload() {
    pending = new Set();
    fresh.hidden = true;
    everything = false;
    turn += 1;
    const mine = turn;
    try {
      const found = await page("");
      if (mine !== turn) return; // another filter was asked for meanwhile
      rows.set(found.tasks.map(taskOf));
      token = found.nextToken ?? "";
      replace(list, rows.size ? rows.element : empty());
      announce(t("tasks.shown", { count: count(rows.size) }));
    } catch (error) {
      replace(list, error.code === "FunctionNotFound" ? h("p", { class: "empty" }, told(error)) : instead(t("nav.tasks"), error));
      token = "";
    }
    more.hidden = !token;
    picked();
  }

  async function next() {
    const found = await attempt(() => page(token));
    if (!found) return;
    rows.append(found.tasks.map(taskOf));
    token = found.nextToken ?? "";
    more.hidden = !token;
    picked();
  }

  /** Ask again for what is shown, without moving a row. */
  async function refresh() {
    const mine = turn;
    const found = await page("").catch(() => null);
    if (!found || mine !== turn) return;
    const tasksNow = found.tasks.map(taskOf);
    rows.update(tasksNow);
    tasksNow.filter((task) => !rows.has(task)).forEach((task) => pending.add(`${task.function} ${task.id}`));
    gathered();
  }

  function happened(filter, events) {
    let look = false;
    for (const event of events) {
      if (rows.happened(event)) look ||= isOver(event.status) || event.status === "Retrying";
      else if (mayMatch(filter, event)) pending.add(`${event.function} ${event.taskId}`);
    }
    gathered();
    if (look) refreshSoon();
  }

  let soon = 0;
  function refreshSoon() {
    soon ||= setTimeout(() => { soon = 0; refresh(); }, 1000);
  }

  function gathered() {
    if (pending.size && !rows.size) return void reload();
    fresh.hidden = !pending.size;
    fresh.textContent = t("tasks.new", { count: count(pending.size) });
    return undefined;
  }

  function picked() {
    const chosen = rows.chosen();
    if (!chosen.length) everything = false;
    selection.hidden = !chosen.length;
    replace(selection,
      h("strong", null, everything ? t("tasks.allChosen") : t("tasks.chosen", { count: count(chosen.length) })),
      !everything && chosen.length === rows.size && button(t("tasks.chooseAll"), () => { everything = true; picked(); }),
      button(t("tasks.stop"), () => act("stop"), { kind: "danger", key: "s", disabled: !may("operate") }),
      button(t("tasks.rerun"), () => act("rerun"), { key: "r", disabled: !may("operate") }),
      button(t("tasks.clear"), () => rows.clear()));
  }

  async function act(verb) {
    if (!may("operate")) return;
    const chosen = rows.chosen();
    if (everything) await steering.all(verb, parse(text).filter, text);
    else if (chosen.length) await steering.some(verb, chosen);
    else if (rows.current) await (verb === "stop" ? steering.stop(rows.current) : steering.some("rerun", [rows.current]));
    else return;
    rows.clear();
    refresh();
  }

  function empty() {
    return h("div", { class: "empty" }, h("p", null, t(text ? "tasks.noMatch" : "tasks.none")),
      h("pre", { class: "code", tabindex: "0" }, text ? `sojourn task list` : "sojourn task submit FUNCTION -d '{}'"));
  }

  return () => { ended = true; stopWatching(); clearTimeout(soon); };
}

/** The bar with completion: a combobox whose list is below it. */
function filterBar(text, apply) {
  let functions = [];
  let options = [];
  let at = -1;
  const list = h("ul", { id: "completions", role: "listbox", class: "completions", "aria-label": t("filter.completions") });
  list.hidden = true;
  const input = h("input", {
    id: "filter", type: "text", value: text, placeholder: t("filter.placeholder"), autocomplete: "off", spellcheck: "false",
    role: "combobox", "aria-expanded": "false", "aria-controls": "completions", "aria-autocomplete": "list",
    "aria-label": t("filter.label"), "aria-describedby": "filter-problems",
    oninput: offer, onfocus: offer, onblur: () => setTimeout(close, 150), onkeydown: key,
  });
  get(`${FC}/functions`, { limit: 100 }).then((found) => { functions = found.functions.map((each) => each.functionName); }).catch(() => {});

  function offer() {
    options = completions(input.value, functions);
    at = -1;
    draw();
  }

  function draw() {
    replace(list, options.map((option, place) => h("li", {
      role: "option", id: `completion-${place}`, "aria-selected": String(place === at),
      onmousedown: (event) => { event.preventDefault(); take(place); },
    }, option.split(/\s+/).pop())));
    list.hidden = !options.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    if (at >= 0) input.setAttribute("aria-activedescendant", `completion-${at}`);
    else input.removeAttribute("aria-activedescendant");
  }

  function take(place) {
    input.value = options[place];
    if (!input.value.endsWith(":")) input.value += " ";
    offer();
  }

  function close() {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
  }

  function key(event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (!options.length) return;
      at = (at + (event.key === "ArrowDown" ? 1 : -1) + options.length) % options.length;
      draw();
    } else if (event.key === "Enter" && at >= 0 && !list.hidden) take(at);
    else if (event.key === "Tab" && !list.hidden && options.length && input.value) take(Math.max(at, 0));
    else if (event.key === "Enter") { close(); apply(input.value); input.blur(); }
    else if (event.key === "Escape") { if (list.hidden) input.blur(); else close(); }
    else return;
    event.preventDefault();
  }

  const form = h("form", { class: "filter", role: "search", onsubmit: (event) => { event.preventDefault(); close(); apply(input.value); } },
    h("span", { class: "filter-sign", "aria-hidden": "true" }, "/"), input, list, h("button", { class: "button", type: "submit" }, t("filter.apply")));
  return { element: form, input };
}
