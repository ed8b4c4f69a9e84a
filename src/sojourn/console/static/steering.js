// Steering tasks: stop, force stop, rerun, one by one or all that a filter means.

import { get, ofTask, send, V1 } from "./api.js";
import { ask, attempt, notice } from "./dialog.js";
import { h, replace } from "./dom.js";
import { count } from "./format.js";
import { t } from "./i18n.js";
import { meter } from "./parts.js";

const ASK_MILLISECONDS = 500;
const AT_A_TIME = 8;

/** Stop one task; `force` leaves it no time. Asks first. */
export function stop(task, { force = false } = {}) {
  return ask({
    title: t(force ? "stop.forceTitle" : "stop.title"),
    body: h("p", null, t(force ? "stop.forceBody" : "stop.body", { id: task.id, function: task.function })),
    confirm: t(force ? "stop.forceConfirm" : "stop.confirm"),
    danger: true,
    run: async () => {
      await send("POST", ofTask(task.function, task.id, "/stop"), force ? { force: true } : {});
      notice(t("stop.done", { id: task.id }));
      return true;
    },
  });
}

/** Run a task again as it was; resolves to the new task's id. */
export async function rerun(task, changes = {}) {
  const answer = await send("POST", ofTask(task.function, task.id, "/rerun"), changes);
  notice(t("rerun.done", { id: answer?.taskId ?? "" }));
  return answer?.taskId ?? null;
}

/** Run a task again with another payload, which the person edits. */
export function rerunEdited(task) {
  const payload = h("textarea", { rows: 12, spellcheck: "false", autofocus: true, "aria-label": t("task.payload") });
  payload.value = payload.defaultValue = task.taskPayload ?? "";
  return ask({
    title: t("rerun.editTitle"),
    body: [h("p", null, t("rerun.editBody", { id: task.id })), payload],
    confirm: t("rerun.confirm"),
    run: () => rerun(task, payload.value === payload.defaultValue ? {} : { payload: payload.value, payloadEncoding: task.taskPayloadEncoding || null }),
  });
}

/** Do `verb` ("stop" or "rerun") to tasks that were picked one by one. */
export function some(verb, tasks) {
  return ask({
    title: t(`bulk.${verb}Title`, { count: count(tasks.length) }),
    body: [h("p", null, t(`bulk.${verb}Body`)), h("ul", { class: "ids" }, tasks.slice(0, 10).map((task) => h("li", null, `${task.function} · ${task.id}`))),
      tasks.length > 10 && h("p", { class: "faint" }, t("bulk.more", { count: count(tasks.length - 10) }))],
    confirm: t(`bulk.${verb}Confirm`, { count: count(tasks.length) }),
    danger: verb === "stop",
    run: async () => {
      const failures = [];
      const waiting = [...tasks];
      const work = async () => {
        for (let task = waiting.shift(); task; task = waiting.shift()) {
          try {
            await send("POST", ofTask(task.function, task.id, `/${verb}`), {});
          } catch (error) {
            failures.push(error);
          }
        }
      };
      await Promise.all(Array.from({ length: AT_A_TIME }, work));
      if (failures.length === tasks.length) throw failures[0];
      notice(t(`bulk.${verb}Done`, { count: count(tasks.length - failures.length), failed: count(failures.length) }), failures.length ? "bad" : "good");
      return true;
    },
  });
}

/** Do `verb` to all tasks of a filter: count them first, ask, then show how far it is. */
export async function all(verb, filter, text) {
  const counted = await attempt(() => send("POST", `${V1}/tasks:${verb}`, { filter, dryRun: true }));
  if (!counted) return null;
  const number = count(counted.count);
  const operation = await ask({
    title: t(`bulk.${verb}Title`, { count: number }),
    body: [h("p", null, t(`bulk.${verb}Body`)), h("p", null, t("bulk.filter"), " ", h("code", null, text || t("bulk.everything")))],
    confirm: t(`bulk.${verb}Confirm`, { count: number }),
    danger: verb === "stop",
    run: () => send("POST", `${V1}/tasks:${verb}`, { filter, dryRun: false }),
  });
  if (operation) await follow(operation, counted.count);
  return operation;
}

async function follow(operation, total) {
  const id = operation.operationId;
  const bar = meter(t("bulk.progress"), 0);
  const text = h("span", null);
  const cancel = h("button", { class: "button", onclick: () => attempt(() => send("DELETE", `${V1}/operations/${encodeURIComponent(id)}`)) }, t("bulk.cancel"));
  const place = h("div", { class: "operation", role: "status" }, text, bar, cancel);
  document.getElementById("operations")?.append(place);
  for (;;) {
    const now = await attempt(() => get(`${V1}/operations/${encodeURIComponent(id)}`));
    if (!now) break;
    const { done, skipped } = now;
    const all = now.total ?? total;
    bar.value = all ? Math.min((100 * (done + skipped)) / all, 100) : 100;
    replace(text, t("bulk.at", { done: count(done), total: count(all) }));
    if (now.status !== "Running") {
      notice(t("bulk.ended", { done: count(done), skipped: count(skipped) }), now.status === "Cancelled" ? "bad" : "good");
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, ASK_MILLISECONDS));
  }
  place.remove();
}
