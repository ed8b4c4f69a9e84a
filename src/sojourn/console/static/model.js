// Tasks as the views see them, whatever part of the API told of them.

import { FC, get, ofFunction, ofTask } from "./api.js";
import { moment } from "./format.js";

/** A task of a list, or one that was asked for by itself; times become milliseconds since 1970, 0 for not yet. */
export function taskOf(shown) {
  const events = (shown.events ?? []).map(eventOf);
  const running = events.filter((event) => event.status === "Running");
  return {
    ...shown,
    id: shown.taskId,
    function: shown.function ?? shown.functionArn.split("/").pop(),
    created: shown.createdTime ? moment(shown.createdTime) : events[0].at,
    started: events.length ? running[0]?.at ?? 0 : moment(shown.startedTime),
    ended: moment(shown.endTime),
    attempts: shown.attempts ?? running.length,
    error: shown.error ?? shown.taskErrorMessage,
    tags: shown.tags ?? {},
    events,
  };
}

/** An event of a task, its detail decoded. */
export function eventOf(shown) {
  return { number: shown.eventId, status: shown.status, at: moment(shown.timestamp), detail: detailOf(shown.eventDetail) };
}

/** The task of a function, whole, with its progress where it has reported any. */
export async function taskNamed(name, id) {
  const [shown, progress] = await Promise.all([
    get(ofFunction(name, `/async-tasks/${encodeURIComponent(id)}`, FC)),
    get(ofTask(name, id, "/progress")).catch(() => null), // what a server does not offer has not been reported either
  ]);
  return { ...taskOf(shown), progress: progress?.reportedTime ? progress : null };
}

/** Milliseconds that a task has run, from its first start; null when it never started. */
export function lasted(task, now = Date.now()) {
  return task.started ? Math.max((task.ended || now) - task.started, 0) : null;
}

/** The attempts of a task, from its events. */
export function attemptsOf(events) {
  const attempts = [];
  for (const event of events) {
    if (event.status === "Running") {
      attempts.push({ number: attempts.length + 1, began: event.at, ended: 0, instance: event.detail.instanceId ?? event.detail.instance ?? "", end: null });
    } else if (attempts.length && !attempts.at(-1).ended && event.status !== "Stopping") {
      Object.assign(attempts.at(-1), { ended: event.at, end: event });
    }
  }
  return attempts;
}

function detailOf(text) {
  if (text && typeof text === "object") return text;
  try {
    const found = text ? JSON.parse(text) : {};
    return found && typeof found === "object" ? found : { detail: String(found) };
  } catch {
    return { detail: text };
  }
}
