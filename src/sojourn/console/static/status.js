// The ten statuses: their order, their signs and their colours, so that no colour speaks alone.

import { h } from "./dom.js";
import { word } from "./i18n.js";

export const STATUSES = [
  "Enqueued", "Dequeued", "Running", "Retrying", "Stopping", "Succeeded", "Failed", "Stopped", "Expired", "Invalid",
];
const OVER = new Set(["Succeeded", "Failed", "Stopped", "Expired", "Invalid"]);
const SIGNS = {
  Enqueued: "○", Dequeued: "◔", Running: "▶", Retrying: "↻", Stopping: "◧",
  Succeeded: "✓", Failed: "✕", Stopped: "■", Expired: "◷", Invalid: "⊘",
};

/** Whether a task of this status is over. */
export function isOver(status) {
  return OVER.has(status);
}

/** The sign of a status. */
export function signOf(status) {
  return SIGNS[status] ?? "·";
}

/** A status as a badge. */
export function badge(status) {
  return h(
    "span",
    { class: `badge status-${String(status).toLowerCase().replace(/[^a-z]/g, "")}`, "data-status": status },
    h("span", { class: "sign", "aria-hidden": "true" }, signOf(status)),
    word("status", status),
  );
}
