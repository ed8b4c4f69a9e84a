// One function: how it is configured, what waits for it, what runs it, and trying it.

import { FC, get, may, ofFunction, raw, send } from "./api.js";
import { ask, attempt, instead, notice, told } from "./dialog.js";
import { h, replace } from "./dom.js";
import { bytes, count, duration, pretty, when } from "./format.js";
import { zipField, zipOf } from "./functions.js";
import { t } from "./i18n.js";
import { instanceTable } from "./instances.js";
import { useKeys } from "./keyboard.js";
import { statisticsOf } from "./overview.js";
import { body, button, facts, figure, head, loading, panel, table } from "./parts.js";
import * as router from "./router.js";
import { badge, STATUSES } from "./status.js";

const ASK_MILLISECONDS = 3000;
const SUBMIT_HEADERS = { "x-fc-invocation-type": "Async" };

/** Show a function in `place`; returns what ends it. */
export function functionPage(place, { function: name }) {
  const parts = Object.fromEntries(["queue", "instances", "config", "versions", "test"].map((part) => [part, h("div")]));
  let shown = null;
  useKeys({});
  replace(place, loading());
  load();
  const timer = setInterval(now, ASK_MILLISECONDS);

  async function load() {
    try {
      shown = await get(ofFunction(name, "", FC));
    } catch (error) {
      replace(place, head(name), instead(t("function.one"), error));
      return;
    }
    replace(place,
      h("nav", { "aria-label": t("task.where"), class: "crumbs" }, h("a", { href: router.href("/functions") }, t("nav.functions"))),
      head(name, shown.invocationRestriction?.disable && h("span", { class: "badge" }, t("function.disabled")),
        h("a", { class: "button", href: router.href(`/tasks?q=${encodeURIComponent(`function:${name}`)}`) }, t("nav.tasks")),
        button(t("function.deploy"), deploy, { disabled: !may("admin") })),
      parts.queue, parts.test, parts.instances, parts.config, parts.versions);
    replace(parts.test, testCall());
    drawConfig();
    now();
    versions();
  }

  async function now() {
    if (!shown) return;
    await Promise.all([queue(), instances()]);
  }

  async function queue() {
    try {
      const one = statisticsOf(await get(ofFunction(name, "/statistics")));
      const paused = Boolean(shown.queuePausedSince);
      replace(parts.queue, panel(t("function.queue"),
        h("div", { class: "figures" },
          figure(t("overview.waiting"), count(one.waiting)),
          figure(t("overview.running"), count(one.statuses.Running ?? 0)),
          figure(t("overview.oldest"), one.oldestWaitMs ? duration(one.oldestWaitMs) : "–"),
          figure(t("function.waitTimes"), spread(one.wait)), figure(t("function.runTimes"), spread(one.run))),
        h("p", { class: "statuses" }, STATUSES.filter((status) => one.statuses[status]).map((status) =>
          h("a", { href: router.href(`/tasks?q=${encodeURIComponent(`function:${name} status:${status}`)}`) }, badge(status), " ", count(one.statuses[status])))),
        h("div", { class: "toolbar" }, h("span", null, t(paused ? "function.paused" : "function.flowing")),
          button(t(paused ? "function.resume" : "function.pause"), () => pause(!paused), { disabled: !may("operate") }))));
    } catch (error) {
      replace(parts.queue, panel(t("function.queue"), instead(t("function.statistics"), error)));
    }
  }

  async function pause(paused) {
    const now = await attempt(() => send("POST", ofFunction(name, `/queue:${paused ? "pause" : "resume"}`)));
    if (!now) return;
    shown = { ...shown, queuePausedSince: now.pausedSince };
    notice(t(now.paused ? "function.pausedNow" : "function.resumedNow", { name }));
    queue();
  }

  async function instances() {
    try {
      const found = await get("/v1/instances", { function: name });
      replace(parts.instances, panel(t("nav.instances"), instanceTable(found.instances)));
    } catch (error) {
      replace(parts.instances, panel(t("nav.instances"), instead(t("nav.instances"), error)));
    }
  }

  function drawConfig() {
    const hooks = Object.entries(shown.instanceLifecycleConfig ?? {}).map(([hook, one]) => `${hook}: ${one.handler} (${one.timeout} s)`);
    replace(parts.config, panel(t("function.config"), facts([
      [t("functions.column.runtime"), shown.runtime],
      [t("functions.column.handler"), shown.handler && h("code", null, shown.handler)],
      [t("functions.column.memory"), `${shown.memorySize} MB`],
      [t("function.cpu"), shown.cpu],
      [t("functions.column.timeout"), `${shown.timeout} s`],
      [t("function.concurrency"), shown.instanceConcurrency],
      [t("function.hooks"), hooks.join(", ")],
      [t("function.code"), `${bytes(shown.codeSize)} · ${shown.codeChecksum}`],
      [t("functions.column.modified"), when(shown.lastModifiedTime)],
      [t("function.description"), shown.description],
      [t("function.note"), shown.runtimeNote],
    ]), h("details", null, h("summary", null, t("function.whole")), body(t("function.config"), pretty(JSON.stringify(hidden(shown)))))));
  }

  async function versions() {
    try {
      const [found, config] = await Promise.all([get(ofFunction(name, "/versions", FC), { limit: 20 }), get(ofFunction(name, "/async-invoke-config", FC)).catch(() => null)]);
      replace(parts.versions, config && panel(t("function.async"), facts([
        [t("function.retries"), config.maxAsyncRetryAttempts], [t("function.age"), `${config.maxAsyncEventAgeInSeconds} s`],
        [t("function.onSuccess"), config.destinationConfig?.onSuccess?.destination], [t("function.onFailure"), config.destinationConfig?.onFailure?.destination]])),
        panel(t("function.versions"), table(t("function.versions"), ["version", "modified", "description"].map((key) => t(`function.column.${key}`)),
          found.versions.map((each) => [each.versionId, when(each.createdTime), each.description ?? ""]), t("function.noVersions"))));
    } catch (error) {
      replace(parts.versions, panel(t("function.versions"), instead(t("function.versions"), error)));
    }
  }

  async function deploy() {
    const done = await ask({
      title: t("function.deployTitle", { name }),
      body: [h("p", null, t("function.deployBody")), zipField()],
      confirm: t("function.deploy"),
      run: async (form) => send("PUT", ofFunction(name, "", FC), { code: await zipOf(form) }),
    });
    if (!done) return;
    notice(t("function.deployed", { name }));
    load();
  }

  function testCall() {
    const payload = h("textarea", { rows: 4, spellcheck: "false", "aria-label": t("task.payload") });
    payload.value = "{}";
    const answer = h("div", { role: "status" });
    return panel(t("function.test"), payload, h("div", { class: "toolbar" },
      button(t("function.call"), () => call(payload.value, answer), { disabled: !may("operate") }),
      button(t("function.submit"), () => submit(payload.value), { kind: "primary", disabled: !may("operate") })), answer);
  }

  async function call(payload, answer) {
    replace(answer, loading());
    try {
      const response = await raw("POST", ofFunction(name, "/invocations", FC), payload, { "x-fc-log-type": "Tail" });
      const text = await response.text();
      const kind = response.headers.get("x-fc-error-type");
      replace(answer, h("p", null, badge(kind ? "Failed" : "Succeeded"), " ", kind ?? "", " ", h("span", { class: "faint" },
        t("function.took", { time: duration(Number(response.headers.get("x-fc-invocation-duration"))) }))), body(t("task.result"), text, { laidOut: pretty(text) }));
    } catch (error) {
      replace(answer, h("p", { class: "problem" }, told(error)));
    }
  }

  async function submit(payload) {
    const response = await attempt(() => raw("POST", ofFunction(name, "/invocations", FC), payload, SUBMIT_HEADERS));
    if (response) router.go(router.path("functions", name, "tasks", response.headers.get("x-fc-async-task-id")));
  }

  return () => clearInterval(timer);
}

/** A configuration without the values of its variables, which may be secrets and are on a screen here. */
function hidden(shown) {
  const names = Object.keys(shown.environmentVariables ?? {});
  return names.length ? { ...shown, environmentVariables: Object.fromEntries(names.map((each) => [each, "…"])) } : shown;
}

function spread(one) {
  return one?.p50Ms === undefined || one.p50Ms === null ? "–" : `${duration(one.p50Ms)} / ${duration(one.p95Ms)}`;
}

