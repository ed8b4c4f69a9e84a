// Watching: what happens to tasks, as it happens. Where the server cannot tell, views ask again every few seconds.

import { queryText, V1 } from "./api.js";

const ASK_AGAIN_MILLISECONDS = 2000;

/**
 * Call `onEvents` with lists of events of what `query` names (function, taskId; everything when empty), at most once a
 * frame. `onReset` is called when some may have been missed, and every few seconds when this server offers no watch;
 * `onState` hears "live", "lost" or "asking". Returns what ends it.
 */
export function watch(query, { onEvents, onReset, onState = () => {} }) {
  let events = [];
  let frame = 0;
  let timer = 0;
  let lost = false;
  const source = new EventSource(V1 + "/watch" + queryText(query));
  const deliver = () => {
    frame = 0;
    const now = events;
    events = [];
    onEvents(now);
  };
  const take = (message) => {
    try {
      events.push(JSON.parse(message.data));
    } catch {
      return;
    }
    frame ||= requestAnimationFrame(deliver);
  };
  source.addEventListener("message", take);
  source.addEventListener("task", take);
  source.addEventListener("reset", () => onReset());
  source.addEventListener("open", () => {
    onState("live");
    if (lost) onReset();
    lost = false;
  });
  source.addEventListener("error", () => {
    lost = true;
    if (source.readyState !== EventSource.CLOSED) return onState("lost");
    onState("asking");
    timer ||= setInterval(onReset, ASK_AGAIN_MILLISECONDS);
    return undefined;
  });
  return () => {
    source.close();
    clearInterval(timer);
    cancelAnimationFrame(frame);
  };
}
