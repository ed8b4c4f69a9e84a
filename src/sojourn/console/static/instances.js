// Instances: what runs functions now, what each uses, and what has happened to one.

import { get } from "./api.js";
import { instead } from "./dialog.js";
import { h, replace, svg } from "./dom.js";
import { bytes, clock, count, duration, moment, when } from "./format.js";
import { t, word } from "./i18n.js";
import { useKeys } from "./keyboard.js";
import { facts, head, loading, panel, table } from "./parts.js";
import * as router from "./router.js";

const ASK_MILLISECONDS = 2000;
const STATES = ["Creating", "Initializing", "Idle", "Invoking", "Freezing", "Frozen", "Stopping", "Destroyed"];
const PLACES = { Creating: [60, 30], Initializing: [190, 30], Idle: [320, 30], Invoking: [450, 30], Freezing: [320, 110], Frozen: [190, 110], Stopping: [450, 110], Destroyed: [580, 110] };
const EDGES = [["Creating", "Initializing"], ["Initializing", "Idle"], ["Idle", "Invoking"], ["Idle", "Freezing"], ["Freezing", "Frozen"], ["Invoking", "Stopping"], ["Stopping", "Destroyed"]];

/** Show all of them in `place`; returns what ends it. */
export function instances(place) {
  const list = h("div", null, loading());
  const picture = h("div");
  useKeys({});
  replace(place, head(t("nav.instances")), panel(t("instances.states"), picture), list);
  async function load() {
    try {
      const found = (await get("/v1/instances")).instances;
      const counts = {};
      for (const each of found) counts[each.status] = (counts[each.status] ?? 0) + 1;
      replace(picture, states(counts));
      replace(list, instanceTable(found));
    } catch (error) {
      replace(list, instead(t("nav.instances"), error));
    }
  }
  load();
  const timer = setInterval(load, ASK_MILLISECONDS);
  return () => clearInterval(timer);
}

/** Show one in `place`; returns what ends it. */
export function instance(place, { instance: id }) {
  const shown = h("div", null, loading());
  useKeys({});
  replace(place, h("nav", { "aria-label": t("task.where"), class: "crumbs" }, h("a", { href: router.href("/instances") }, t("nav.instances"))), head(id), shown);
  async function load() {
    try {
      const path = `/v1/instances/${encodeURIComponent(id)}`;
      const [one, happened] = await Promise.all([get(path), get(`${path}/events`)]);
      replace(shown, panel(t("instances.states"), states({}, one.status)), panel(t("instances.about"), about(one)),
        panel(t("instances.events"), table(t("instances.events"), ["at", "event", "detail"].map((key) => t(`instances.column.${key}`)),
          happened.events.map((event) => [clock(moment(event.at)), word("instanceEvent", event.event), detail(event.detail)]), t("instances.noEvents"))));
    } catch (error) {
      replace(shown, instead(t("instances.one"), error));
    }
  }
  load();
  const timer = setInterval(load, ASK_MILLISECONDS);
  return () => clearInterval(timer);
}

/** A table of instances. */
export function instanceTable(found) {
  return table(t("nav.instances"), ["instance", "function", "state", "since", "memory", "cpu", "served", "running", "cold"].map((key) => t(`instances.column.${key}`)),
    found.map((each) => [
      h("a", { href: router.href(router.path("instances", each.id)), class: "id tight" }, each.id), each.function, state(each.status), when(each.since),
      h("span", { class: "tight" }, `${bytes(each.memoryBytes)} / ${each.memorySize} MB`),
      h("span", { class: "tight" }, each.cpuSeconds === null ? "–" : `${each.cpuSeconds.toFixed(2)} s`), count(each.invocations),
      each.inFlight.map((one) => [h("a", { href: router.href(router.path("functions", each.function, "tasks", one.taskId || one.requestId)) }, one.taskId || one.requestId), " "]),
      parts(each.coldStart)]), t("instances.none"));
}

function about(one) {
  return facts([
    [t("instances.column.function"), h("a", { href: router.href(router.path("functions", one.function)) }, one.function)],
    [t("instances.column.state"), state(one.status)], [t("instances.column.since"), when(one.since)], [t("instances.created"), when(one.createdTime)],
    [t("instances.column.memory"), `${bytes(one.memoryBytes)} / ${one.memorySize} MB`], [t("instances.peak"), bytes(one.memoryPeakBytes)],
    [t("instances.column.cpu"), one.cpuSeconds === null ? "–" : `${one.cpuSeconds.toFixed(2)} s`], [t("instances.processes"), one.processes],
    [t("instances.column.served"), count(one.invocations)], [t("instances.column.cold"), parts(one.coldStart)],
    [t("settings.isolation"), `${one.isolation.level} (${one.isolation.driver})`], [t("nav.nodes"), one.node],
  ]);
}

function state(status) {
  return h("span", { class: `badge instance-${status.toLowerCase()}` }, word("instanceStatus", status));
}

function detail(found) {
  return Object.entries(found).map(([key, value]) => h("span", { class: "tag" }, `${key} ${typeof value === "object" ? JSON.stringify(value) : value}`));
}

function parts(cold) {
  return Object.entries(cold ?? {}).map(([key, value]) => h("span", { class: "tag" }, `${key} ${typeof value === "number" ? duration(value) : value}`));
}

function states(counts, now = "") {
  const label = now ? word("instanceStatus", now) : STATES.map((each) => `${word("instanceStatus", each)} ${counts[each] ?? 0}`).join(", ");
  return svg("svg", { class: "flow small", viewBox: "0 0 640 140", role: "img", "aria-label": label },
    EDGES.map(([from, to]) => {
      const [x1, y1] = PLACES[from];
      const [x2, y2] = PLACES[to];
      const level = y1 === y2;
      const way = Math.sign(level ? x2 - x1 : y2 - y1);
      return svg("g", { class: "edge" }, level
        ? svg("line", { x1: x1 + way * 54, y1, x2: x2 - way * 54, y2 })
        : svg("line", { x1, y1: y1 + way * 18, x2, y2: y2 - way * 18 }));
    }),
    STATES.map((each) => svg("g", { class: `node${each === now || counts[each] ? " reached" : ""}${each === now ? " now" : ""}`, transform: `translate(${PLACES[each][0] - 52} ${PLACES[each][1] - 17})` },
      svg("rect", { width: 104, height: 34, rx: 7 }),
      svg("text", { x: 52, y: 21, "text-anchor": "middle", class: "name" }, `${word("instanceStatus", each)}${now ? "" : ` ${counts[each] ?? 0}`}`))));
}
