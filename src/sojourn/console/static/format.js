// Numbers and times as people read them.

import { h } from "./dom.js";
import { locale, t } from "./i18n.js";

const UNITS = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000], ["s", 1000]];

/** Milliseconds since 1970 of what the API says: a number, or a time in RFC 3339; 0 for one that has not come. */
export function moment(value) {
  if (typeof value === "number") return value;
  const parsed = value ? Date.parse(value) : 0;
  return Number.isNaN(parsed) ? 0 : parsed;
}

/** A length of time: `850 ms`, `12.4 s`, `3 min 20 s`. */
export function duration(milliseconds) {
  if (milliseconds === null || milliseconds === undefined || Number.isNaN(milliseconds)) return "–";
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(milliseconds < 10_000 ? 2 : 1)} s`;
  const place = UNITS.findIndex(([, size]) => milliseconds >= size);
  const [unit, size] = UNITS[place];
  const [smaller, part] = UNITS[Math.min(place + 1, UNITS.length - 1)];
  const rest = Math.floor((milliseconds % size) / part);
  return `${Math.floor(milliseconds / size)} ${unit}${rest ? ` ${rest} ${smaller}` : ""}`;
}

/** How long ago, or how soon. */
export function ago(at, now = Date.now()) {
  const passed = now - at;
  if (Math.abs(passed) < 1000) return t("time.now");
  const [unit, size] = UNITS.find(([, each]) => Math.abs(passed) >= each);
  const count = Math.round(Math.abs(passed) / size);
  return t(passed > 0 ? "time.ago" : "time.in", { time: `${count} ${unit}` });
}

/** A time of the day with milliseconds, and the day when it is another one. */
export function clock(at) {
  const date = new Date(at);
  const time = date.toLocaleTimeString(locale(), { hour12: false });
  const exact = `${time}.${String(date.getMilliseconds()).padStart(3, "0")}`;
  const today = date.toDateString() === new Date().toDateString();
  return today ? exact : `${date.toLocaleDateString(locale())} ${exact}`;
}

/** A time element: relative, with the exact one on hover, in the person's zone and in UTC. */
export function when(value) {
  const at = moment(value);
  if (!at) return h("span", { class: "faint" }, "–");
  const exact = new Date(at).toISOString();
  return h("time", { datetime: exact, title: `${clock(at)}\n${exact}`, "data-at": at }, ago(at));
}

/** Keep the relative times on the page right; returns what ends it. */
export function keepTimes() {
  const timer = setInterval(() => {
    const now = Date.now();
    for (const element of document.querySelectorAll("time[data-at]")) {
      const text = ago(Number(element.dataset.at), now);
      if (element.textContent !== text) element.textContent = text;
    }
  }, 1000);
  return () => clearInterval(timer);
}

/** Bytes in the unit that fits. */
export function bytes(count) {
  if (count === null || count === undefined) return "–";
  if (count < 1024) return `${count} B`;
  const power = Math.min(Math.floor(Math.log2(count) / 10), 4);
  const value = count / 1024 ** power;
  return `${value.toFixed(value < 10 ? 1 : 0)} ${["", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

/** A count with its separators. */
export function count(value) {
  return value === null || value === undefined ? "–" : Number(value).toLocaleString(locale());
}

/** JSON laid out for reading; what is no JSON as it is. */
export function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
