// The overview: how tasks flow through the ten statuses now, what waits, what fails.

import { FC, get, ofFunction, V1 } from "./api.js";
import { instead } from "./dialog.js";
import { h, replace } from "./dom.js";
import { count, duration, when } from "./format.js";
import { flow } from "./flow.js";
import { t } from "./i18n.js";
import { useKeys } from "./keyboard.js";
import { taskOf } from "./model.js";
import { figure, head, loading, panel, table } from "./parts.js";
import * as router from "./router.js";
import { badge } from "./status.js";
import { watch } from "./watch.js";

const SOON_MILLISECONDS = 400;
const IDLE_MILLISECONDS = 5000;
const AT_ONCE = 8;

/** Show it in `place`; returns what ends it. */
export function overview(place) {
  const parts = { figures: h("div", { class: "figures" }), flow: h("div"), functions: h("div"), failed: h("div") };
  const live = h("span", { class: "live", role: "status" });
  let busy = false;
  let soon = 0;
  useKeys({});
  replace(place, head(t("nav.overview"), live), parts.figures, panel(t("overview.flow"), parts.flow, h("p", { class: "faint" }, t("overview.hour"))), parts.functions,
    panel(t("overview.failed"), parts.failed));
  replace(parts.flow, loading());
  const stopWatching = watch({}, {
    onEvents: (events) => { if (events.length) later(); },
    onReset: later,
    onState: (state) => { live.textContent = t(`live.${state}`); live.dataset.state = state; },
  });
  const timer = setInterval(later, IDLE_MILLISECONDS);
  load();

  function later() {
    soon ||= setTimeout(() => { soon = 0; load(); }, SOON_MILLISECONDS);
  }

  async function load() {
    if (busy) return;
    busy = true;
    await Promise.all([statistics(), failed()]);
    busy = false;
  }

  async function statistics() {
    try {
      const { functions } = await get(`${FC}/functions`, { limit: 100 });
      const own = await eachOf(functions.map((each) => each.functionName), (name) => get(ofFunction(name, "/statistics")));
      drawFlow(own);
      drawFunctions(functions, own);
    } catch (error) {
      replace(parts.flow, instead(t("overview.flow"), error));
      replace(parts.functions);
    }
  }

  function drawFlow(own) {
    const counts = {};
    for (const [, one] of own) {
      for (const [status, number] of Object.entries(one.statuses)) counts[status] = (counts[status] ?? 0) + number;
    }
    const shown = Object.fromEntries(Object.entries(counts).map(([status, number]) => [status, count(number)]));
    replace(parts.flow, flow({ counts: shown, link: (status) => router.href(`/tasks?q=${encodeURIComponent(`status:${status}`)}`) }));
    const sum = (pick) => own.reduce((total, [, one]) => total + (pick(one) ?? 0), 0);
    const oldest = Math.max(0, ...own.map(([, one]) => one.oldestWaitMs ?? 0));
    replace(parts.figures,
      figure(t("overview.waiting"), count(sum((one) => one.waiting))),
      figure(t("overview.running"), count(counts.Running ?? 0)),
      figure(t("overview.submittedRate"), rate(sum((one) => one.submittedPerSecond))),
      figure(t("overview.endedRate"), rate(sum((one) => one.endedPerSecond))),
      figure(t("overview.oldest"), oldest ? duration(oldest) : "–"));
  }

  function drawFunctions(functions, own) {
    const byName = new Map(own);
    replace(parts.functions, panel(t("overview.functions"), table(t("overview.functions"),
      ["function", "waiting", "running", "rate", "failing", "wait", "run"].map((key) => t(`overview.column.${key}`)),
      functions.filter((each) => byName.has(each.functionName)).map(({ functionName: name }) => {
        const one = byName.get(name);
        return [h("a", { href: router.href(router.path("functions", name)) }, name), count(one.waiting), count(one.statuses.Running ?? 0),
          rate(one.endedPerSecond), share(one), percentiles(one.wait), percentiles(one.run)];
      }), t("overview.noFunctions"))));
  }

  async function failed() {
    try {
      const { tasks } = await get(`${V1}/tasks`, { status: "Failed,Invalid,Expired", limit: 10 });
      replace(parts.failed, table(t("overview.failed"), ["status", "task", "function", "submitted", "note"].map((key) => t(`tasks.column.${key}`)),
        tasks.map(taskOf).map((task) => [badge(task.status),
          h("a", { href: router.href(router.path("functions", task.function, "tasks", task.id)) }, task.id), task.function, when(task.created), task.error]),
        t("overview.noneFailed")));
    } catch (error) {
      replace(parts.failed, instead(t("overview.failed"), error));
    }
  }

  return () => { stopWatching(); clearInterval(timer); clearTimeout(soon); };
}

/** The statistics of functions, a few at a time; those of a function that is gone meanwhile are left out. */
async function eachOf(names, ask) {
  const found = [];
  const waiting = [...names];
  let failure = null;
  const work = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      try {
        found.push([name, statisticsOf(await ask(name))]);
      } catch (error) {
        failure = error;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (failure && !found.length) throw failure;
  return found;
}

/** What the statistics of a function say: tasks by status, those that are over as far as they ended in the last hour. */
export function statisticsOf(shown) {
  return { ...shown, statuses: { ...shown.statuses, ...shown.windows["1h"].ended }, waiting: shown.queueDepth };
}

function rate(perSecond) {
  return perSecond === null || perSecond === undefined ? "–" : `${perSecond.toFixed(perSecond < 10 ? 1 : 0)}/s`;
}

function share(one) {
  const ended = (one.statuses.Succeeded ?? 0) + (one.statuses.Failed ?? 0);
  return ended ? `${((100 * (one.statuses.Failed ?? 0)) / ended).toFixed(1)} %` : "–";
}

function percentiles(one) {
  return one?.p50Ms === undefined || one.p50Ms === null ? "–" : `${duration(one.p50Ms)} / ${duration(one.p95Ms)}`;
}
