// Filters as people write them, `status:Failed function:resize since:2h`, and as the API takes them.

import { STATUSES } from "./status.js";

const UNITS = { s: 1, m: 60, min: 60, h: 3600, d: 86_400, w: 604_800 };
export const KEYS = ["status", "function", "id", "error", "tag", "since", "until", "longer", "shorter"];

/**
 * The API's filter that a text spells. Returns `{filter, problems}`; a problem is a [key of a text, word] pair. Words
 * without a key narrow the id.
 */
export function parse(text, now = Date.now()) {
  const filter = {};
  const problems = [];
  for (const word of words(text)) {
    const [key, value] = split(word);
    if (!value) continue;
    if (key === "status") filter.status = statuses(value, problems);
    else if (key === "function") filter.function = value;
    else if (key === "id" || key === "") filter.idPrefix = value;
    else if (key === "error") filter.errorText = value;
    else if (key === "tag") filter.tags = { ...filter.tags, ...tag(value, word, problems) };
    else if (key === "since") filter.createdFrom = moment(value, now, word, problems);
    else if (key === "until") filter.createdTo = moment(value, now, word, problems);
    else if (key === "longer") filter.minDurationMs = length(value, word, problems);
    else if (key === "shorter") filter.maxDurationMs = length(value, word, problems);
    else problems.push(["filter.unknownKey", key]);
  }
  for (const name of Object.keys(filter)) if (filter[name] === undefined) delete filter[name];
  return { filter, problems };
}

/** A filter as parameters of a query. */
export function asQuery(filter) {
  const tags = Object.entries(filter.tags ?? {}).map(([key, value]) => `${key}=${value}`).join(",");
  return { ...filter, status: filter.status?.join(","), tags };
}

/** What may stand where the cursor is: completions of the last word, each as the whole new text. */
export function completions(text, functions) {
  const pieces = words(text);
  const last = /\s$/.test(text) || !pieces.length ? "" : pieces.pop();
  const before = pieces.map((word) => `${word} `).join("");
  const [key, value] = split(last);
  let options = [];
  if (!last.includes(":")) options = KEYS.filter((each) => each.startsWith(last)).map((each) => `${each}:`);
  else if (key === "status") {
    const chosen = value.split(",");
    const typed = chosen.pop().toLowerCase();
    const kept = chosen.length ? `${chosen.join(",")},` : "";
    options = STATUSES.filter((each) => !chosen.includes(each) && each.toLowerCase().startsWith(typed))
      .map((each) => `status:${kept}${each}`);
  } else if (key === "function") {
    options = functions.filter((each) => each.startsWith(value)).slice(0, 12).map((each) => `function:${each}`);
  } else if (key === "since" || key === "until") options = ["15m", "1h", "24h", "7d"].map((each) => `${key}:${each}`);
  else if (key === "longer" || key === "shorter") options = ["1s", "10s", "1m"].map((each) => `${key}:${each}`);
  return options.filter((option) => option !== last).map((option) => before + option);
}

/** A text with one key set anew, "" takes it away. */
export function withKey(text, key, value) {
  const kept = words(text).filter((word) => split(word)[0] !== key);
  const quoted = /\s/.test(value) ? `"${value}"` : value;
  return [...kept, ...(value ? [`${key}:${quoted}`] : [])].join(" ");
}

/** Whether an event of the watch may belong to a filter; only what an event says can be asked. */
export function mayMatch(filter, event) {
  return (!filter.status || filter.status.includes(event.status))
    && (!filter.function || filter.function === event.function)
    && (!filter.idPrefix || String(event.taskId).startsWith(filter.idPrefix));
}

function words(text) {
  return text.match(/(?:[^\s"]|"[^"]*")+/g) ?? [];
}

function split(word) {
  const place = word.indexOf(":");
  const value = (place < 0 ? word : word.slice(place + 1)).replaceAll('"', "");
  return [place < 0 ? "" : word.slice(0, place), value];
}

function statuses(value, problems) {
  const given = value.split(",").filter(Boolean);
  const found = given.map((each) => STATUSES.find((status) => status.toLowerCase() === each.toLowerCase()));
  given.forEach((each, place) => found[place] ?? problems.push(["filter.unknownStatus", each]));
  const known = found.filter(Boolean);
  return known.length ? known : undefined;
}

function tag(value, word, problems) {
  const [key, ...rest] = value.split("=");
  if (rest.length) return { [key]: rest.join("=") };
  problems.push(["filter.badTag", word]);
  return {};
}

function seconds(value) {
  const found = /^(\d+(?:\.\d+)?)(ms|s|min|m|h|d|w)$/.exec(value);
  if (!found) return null;
  return found[2] === "ms" ? Number(found[1]) / 1000 : Number(found[1]) * UNITS[found[2]];
}

function moment(value, now, word, problems) {
  const back = seconds(value);
  if (back !== null) return Math.round(now - back * 1000);
  const at = Date.parse(value);
  if (Number.isNaN(at)) problems.push(["filter.badTime", word]);
  return Number.isNaN(at) ? undefined : at;
}

function length(value, word, problems) {
  const found = seconds(value);
  if (found === null) problems.push(["filter.badDuration", word]);
  return found === null ? undefined : Math.round(found * 1000);
}
