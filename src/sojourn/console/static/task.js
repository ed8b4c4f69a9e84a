// One task: what it is, what happened to it and why, what it writes, and what can be done with it.

import { get, may, ofTask } from "./api.js";
import { attempt, copy, instead } from "./dialog.js";
import { announce, h, replace } from "./dom.js";
import { clock, count, duration, pretty, when } from "./format.js";
import { flow } from "./flow.js";
import { t, word } from "./i18n.js";
import { useKeys } from "./keyboard.js";
import { logPanel } from "./log.js";
import { attemptsOf, lasted, taskNamed } from "./model.js";
import { body, button, facts, figure, head, loading, meter, panel, table } from "./parts.js";
import * as router from "./router.js";
import * as snippets from "./snippets.js";
import { badge, isOver } from "./status.js";
import * as steering from "./steering.js";
import { watch } from "./watch.js";

const ASK_MILLISECONDS = 1500;
const PLAIN = new Set(["cause", "error", "errorType", "instanceId", "instance", "node", "actor", "attempt", "evidence"]);

/** Show a task in `place`; returns what ends it. */
export function task(place, { function: name, task: id }) {
  let shown = null;
  let busy = false;
  let again = false;
  const parts = Object.fromEntries(["top", "progress", "explain", "flow", "timeline", "attempts", "bodies"].map((part) => [part, h("div", { class: `part-${part}` })]));
  const log = logPanel(name, id);
  replace(place, loading());
  useKeys({
    s: () => shown && may("operate") && !isOver(shown.status) && stop(false),
    r: () => shown && may("operate") && again_(),
  });
  const stopWatching = watch({ function: name, taskId: id }, { onEvents: load, onReset: load });
  const timer = setInterval(() => shown && !isOver(shown.status) && load(), ASK_MILLISECONDS); // progress is no event
  load();

  async function load() {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    do {
      again = false;
      try {
        const found = await taskNamed(name, id);
        if (found.status !== shown?.status) announce(t("task.isNow", { id, status: word("status", found.status) }));
        const first = !shown;
        shown = found;
        draw();
        if (first) {
          replace(place, parts.top, parts.progress, parts.explain, parts.flow,
            h("div", { class: "side" }, parts.timeline, log.element), parts.attempts, parts.bodies);
          log.start();
        }
        explain();
      } catch (error) {
        if (!shown) replace(place, head(id), instead(t("task.one"), error));
      }
    } while (again);
    busy = false;
  }

  function draw() {
    replace(parts.top, top());
    replace(parts.progress, progressOf(shown));
    replace(parts.flow, panel(t("task.way"), flow({ taken: shown.events.map((event) => event.status) })));
    drawOnce(parts.bodies, `${shown.taskPayload}|${shown.returnPayload}|${shown.error}`, bodies);
    replace(parts.attempts, panel(t("task.attempts"), attemptTable(shown)));
    replace(parts.timeline, panel(t("task.timeline"), timeline(shown)));
  }

  function top() {
    const over = isOver(shown.status);
    const copies = h("details", { class: "menu" }, h("summary", { class: "button" }, t("task.copy")),
      h("div", { class: "menu-list" }, ["curl", "cli", "python"].map((kind) =>
        h("button", { class: "plain", onclick: (event) => { event.target.closest("details").open = false; copy(snippets[kind](shown)); } }, t(`copy.${kind}`)))));
    return [
      h("nav", { "aria-label": t("task.where"), class: "crumbs" }, h("a", { href: router.href("/tasks") }, t("nav.tasks")), " / ",
        h("a", { href: router.href(router.path("functions", name)) }, name)),
      head(id, badge(shown.status),
        button(t("task.stop"), () => stop(false), { kind: "danger", key: "s", disabled: over || !may("operate") }),
        button(t("task.forceStop"), () => stop(true), { kind: "danger", disabled: over || !may("operate") }),
        button(t("task.rerun"), again_, { key: "r", disabled: !over || !may("operate") }),
        button(t("task.rerunEdited"), edited, { disabled: !over || !may("operate") }), copies),
      h("div", { class: "figures" },
        figure(t("task.queueWait"), duration((shown.started || (over ? shown.ended : Date.now())) - shown.created)),
        figure(t("task.run"), lasted(shown) === null ? "–" : duration(lasted(shown))),
        figure(t("task.attempts"), count(attemptsOf(shown.events).length)),
        figure(t("task.submitted"), when(shown.created)),
        figure(t("task.ended"), shown.ended ? when(shown.ended) : "–")),
      facts([
        [t("task.function"), h("a", { href: router.href(router.path("functions", name)) }, `${name}${shown.qualifier ? `:${shown.qualifier}` : ""}`)],
        [t("task.requestId"), shown.requestId && h("code", null, shown.requestId)],
        [t("task.instance"), shown.instanceId && h("a", { href: router.href(router.path("instances", shown.instanceId)) }, shown.instanceId)],
        [t("task.tags"), Object.keys(shown.tags).length ? Object.entries(shown.tags).map(([key, value]) => h("span", { class: "tag" }, `${key}=${value}`)) : null],
        [t("task.rerunOf"), shown.rerunOf && h("a", { href: router.href(router.path("functions", name, "tasks", shown.rerunOf)) }, shown.rerunOf)],
        [t("task.destination"), shown.destinationStatus],
      ]),
    ];
  }

  function bodies() {
    const payload = shown.taskPayload ?? "";
    const result = shown.returnPayload ?? "";
    return h("div", { class: "columns" },
      panel(t("task.payload"), body(t("task.payload"), payload, { laidOut: pretty(payload), encoding: shown.taskPayloadEncoding })),
      panel(shown.error ? t("task.error") : t("task.result"), shown.error && h("p", { class: "problem" }, shown.error),
        body(t("task.result"), result, { laidOut: pretty(result), encoding: shown.returnPayloadEncoding })));
  }

  async function explain() {
    const asked = shown.status;
    if (isOver(asked) || asked === "Running") return replace(parts.explain);
    let box;
    try {
      box = explained(await get(ofTask(name, id, "/explain")), name);
    } catch (error) {
      box = h("div", { class: "explain" }, instead(t("task.explain"), error));
    }
    if (shown.status === asked) replace(parts.explain, box); // an answer that comes late explains nothing any more
  }

  async function stop(force) {
    if (await steering.stop(shown, { force })) load();
  }

  async function again_() {
    if (!isOver(shown.status)) return;
    leave(await attempt(() => steering.rerun(shown)));
  }

  async function edited() {
    leave(await steering.rerunEdited(shown));
  }

  function leave(other) {
    if (typeof other === "string" && other) router.go(router.path("functions", name, "tasks", other));
  }

  return () => { stopWatching(); clearInterval(timer); log.stop(); };
}

const drawn = new WeakMap();

/** Draw a part only when what it shows has changed, so that what a person has opened in it stays open. */
function drawOnce(place, key, make) {
  if (drawn.get(place) === key) return;
  drawn.set(place, key);
  replace(place, make());
}

function progressOf(shown) {
  const progress = shown.progress;
  if (!progress || (progress.percent === null && !progress.message)) return null;
  const left = progress.percent > 0 && !isOver(shown.status) && shown.started ? (lasted(shown) / progress.percent) * (100 - progress.percent) : null;
  return panel(t("task.progress"), h("div", { class: "progress" },
    meter(t("task.progress"), progress.percent),
    h("strong", null, progress.percent === null || progress.percent === undefined ? "" : `${Math.round(progress.percent)} %`),
    h("span", null, progress.message ?? ""), left !== null && h("span", { class: "faint" }, t("task.left", { time: duration(left) }))));
}

/** Why a task does not run. */
function explained(answer, name) {
  const blocked = answer.blockedBy ?? [];
  return h("div", { class: "explain", role: "status" },
    h("h2", null, t("task.explain")),
    h("p", { class: "faint" }, answer.position !== null && answer.position !== undefined ? t("explain.position", { position: answer.position }) : ""),
    h("ul", null, blocked.map((one) => h("li", null,
      h("strong", null, word("explain", one.code)), " ", h("code", null, one.code), " ",
      h("span", { class: "faint" }, one.message, " ", one.scope), " ",
      one.limit !== undefined && one.limit !== null && h("span", null, t("explain.limit", { limit: one.limit })), " ",
      one.etaMs !== undefined && one.etaMs !== null && h("span", null, t("explain.eta", { time: duration(one.etaMs) })),
      one.holders?.length > 0 && h("span", null, " ", t("explain.holders"), " ", one.holders.map((holder) => [one.code === "FunctionConcurrencyLimit" ? h("a", { href: router.href(router.path("functions", name, "tasks", holder)) }, holder) : h("code", null, holder), " "]))))));
}

function attemptTable(shown) {
  return table(t("task.attempts"), ["attempt", "began", "took", "instance", "end", "evidence"].map((key) => t(`attempt.${key}`)),
    attemptsOf(shown.events).map((one) => [
      one.number, clock(one.began), duration((one.ended || Date.now()) - one.began),
      one.instance ? h("a", { href: router.href(router.path("instances", one.instance)) }, one.instance) : "–",
      one.end ? [badge(one.end.status), " ", one.end.detail.cause ?? ""] : badge("Running"),
      one.end ? details(one.end.detail) : "",
    ]), t("attempt.none"));
}

function timeline(shown) {
  const { events } = shown;
  const total = Math.max((shown.ended || Date.now()) - shown.created, 1);
  return h("ol", { class: "timeline" }, events.map((event, place) => {
    const next = events[place + 1]?.at ?? (isOver(event.status) ? event.at : Date.now());
    const took = next - event.at;
    const bar = h("meter", { min: 0, max: total, "aria-hidden": "true" });
    bar.value = took;
    return h("li", { class: `status-${event.status.toLowerCase()}` },
      h("div", { class: "timeline-head" }, badge(event.status), h("time", { datetime: new Date(event.at).toISOString(), title: new Date(event.at).toISOString() }, clock(event.at)),
        place < events.length - 1 || !isOver(event.status) ? [bar, h("span", { class: "faint" }, duration(took))] : null),
      details(event.detail));
  }));
}

/** What an event says of itself: its plain facts in the open, the rest as it is. */
function details(detail) {
  const entries = Object.entries(detail).filter(([, value]) => value !== null && value !== "");
  if (!entries.length) return null;
  const order = entries.sort(([one], [other]) => Number(PLAIN.has(other)) - Number(PLAIN.has(one)));
  return h("dl", { class: "detail" }, order.map(([key, value]) => h("div", null, h("dt", null, key), h("dd", null, spelled(value)))));
}

function spelled(value) {
  if (value && typeof value === "object" && !Array.isArray(value)) {
    return Object.entries(value).map(([key, part]) => h("span", { class: "tag" }, `${key} ${typeof part === "object" ? JSON.stringify(part) : part}`));
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}

