// The log of a task, as it is written: followed, searched, and taken along.

import { ofTask, raw } from "./api.js";
import { instead } from "./dialog.js";
import { h, replace } from "./dom.js";
import { count } from "./format.js";
import { t } from "./i18n.js";
import { panel } from "./parts.js";

const LINES_MAX = 20_000;

/** The panel; `start` begins to read, `stop` ends it. */
export function logPanel(name, id) {
  let lines = [];
  let rest = "";
  let dropped = 0;
  let frame = 0;
  let leaving = new AbortController();
  const output = h("pre", { class: "code log", tabindex: "0", "aria-label": t("log.title") });
  const said = h("span", { class: "faint", role: "status" });
  const follow = h("input", { type: "checkbox", checked: true, onchange: draw });
  const search = h("input", { type: "search", placeholder: t("log.search"), "aria-label": t("log.search"), oninput: draw });
  const download = h("a", { class: "button", href: ofTask(name, id, "/logs?format=text"), download: `${id}.log` }, t("log.download"));
  const element = panel(t("log.title"),
    h("div", { class: "toolbar" }, search, h("label", null, follow, " ", t("log.follow")), said, download), output);

  async function start() {
    document.addEventListener("visibilitychange", seen);
    await read();
  }

  /** A page that nobody sees does not follow, as it does not watch; it reads all of it again when it is seen. */
  function seen() {
    leaving.abort();
    if (document.hidden) return;
    leaving = new AbortController();
    lines = [];
    rest = "";
    dropped = 0;
    read();
  }

  async function read() {
    try {
      const response = await raw("GET", ofTask(name, id, "/logs?follow=true"), undefined, {}, { signal: leaving.signal });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        take(value);
      }
      if (rest) take("\n");
      if (!lines.length) output.textContent = t("log.none");
    } catch (error) {
      if (error.name !== "AbortError") replace(output, instead(t("log.title"), error));
    }
  }

  function take(text) {
    const parts = (rest + text).split("\n");
    rest = parts.pop();
    lines.push(...parts);
    if (lines.length > LINES_MAX) {
      dropped += lines.length - LINES_MAX;
      lines = lines.slice(-LINES_MAX);
    }
    frame ||= requestAnimationFrame(draw);
  }

  function draw() {
    frame = 0;
    const wanted = search.value.toLowerCase();
    const shown = wanted ? lines.filter((line) => line.toLowerCase().includes(wanted)) : [...lines, ...(rest ? [rest] : [])];
    output.textContent = shown.join("\n");
    const words = [wanted ? t("log.found", { count: count(shown.length) }) : t("log.lines", { count: count(lines.length) })];
    if (dropped) words.push(t("log.dropped", { count: count(dropped) }));
    said.textContent = words.join(" · ");
    if (follow.checked && !wanted) output.scrollTop = output.scrollHeight;
  }

  function stop() {
    document.removeEventListener("visibilitychange", seen);
    leaving.abort();
    cancelAnimationFrame(frame);
  }

  return { element, start, stop };
}
