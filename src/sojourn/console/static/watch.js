// Watching: what happens to tasks, as it happens. Where the server cannot tell, views ask again every few seconds.

import { queryText, V1 } from "./api.js";

const ASK_AGAIN_MILLISECONDS = 2000;

/**
 * Call `onEvents` with lists of events of what `query` names (function, taskId; everything when empty), at most once a
 * frame. `onReset` is called when some may have been missed, and every few seconds when this server offers no watch;
 * `onState` hears "live", "lost" or "asking". A page that nobody sees does not watch: browsers keep few connections to
 * one server, and other pages need them. Returns what ends it.
 */
export function watch(query, { onEvents, onReset, onState = () => {} }) {
  let events = [];
  let frame = 0;
  let timer = 0;
  let source = null;
  let missed = false;

  const deliver = () => {
    frame = 0;
    const now = events;
    events = [];
    onEvents(now);
  };
  const take = (message) => {
    events.push(JSON.parse(message.data));
    frame ||= requestAnimationFrame(deliver);
  };
  const open = () => {
    source = new EventSource(V1 + "/watch" + queryText(query));
    source.addEventListener("message", take);
    source.addEventListener("reset", () => onReset());
    source.addEventListener("open", () => {
      onState("live");
      if (missed) onReset();
      missed = false;
    });
    source.addEventListener("error", () => {
      missed = true;
      if (source.readyState !== EventSource.CLOSED) {
        onState("lost");
        return;
      }
      onState("asking");
      timer ||= setInterval(onReset, ASK_AGAIN_MILLISECONDS);
    });
  };
  const close = () => {
    source?.close();
    clearInterval(timer);
    timer = 0;
    missed = true;
  };
  const seen = () => {
    if (document.hidden) close();
    else open();
  };

  document.addEventListener("visibilitychange", seen);
  open();
  return () => {
    document.removeEventListener("visibilitychange", seen);
    close();
    cancelAnimationFrame(frame);
  };
}
