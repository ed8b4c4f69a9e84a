// Small pieces that several views are made of.

import { h } from "./dom.js";
import { t } from "./i18n.js";

/** The head of a page: its title, words beside it, and buttons. */
export function head(title, beside, ...buttons) {
  return h("header", { class: "page-head" },
    h("div", { class: "page-title" }, h("h1", { tabindex: "-1" }, title), beside),
    h("div", { class: "page-actions" }, buttons));
}

/** A part of a page under a heading of its own. */
export function panel(title, ...body) {
  return h("section", { class: "panel" }, title && h("h2", null, title), body);
}

/** Names and values. */
export function facts(pairs) {
  const given = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", { class: "facts" }, given.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))));
}

/** A number with its name. */
export function figure(name, value, more) {
  return h("div", { class: "figure" }, h("div", { class: "figure-value" }, value), h("div", { class: "figure-name" }, name),
    more && h("div", { class: "faint" }, more));
}

/** A table: `columns` are names, `rows` lists of cells. */
export function table(label, columns, rows, empty) {
  if (!rows.length) return h("p", { class: "empty" }, empty);
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    h("table", null,
      h("thead", null, h("tr", null, columns.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", null, rows.map((cells) => h("tr", null, cells.map((cell) => h("td", null, cell)))))));
}

/** A text of a task or a function as code, pretty or raw. */
export function body(label, text, { encoding = "", laidOut = null } = {}) {
  if (!text) return h("p", { class: "empty" }, t("body.empty"));
  const shown = h("pre", { class: "code", tabindex: "0", "aria-label": label }, laidOut ?? text);
  if (laidOut === null || laidOut === text) return h("div", null, encoding && h("p", { class: "faint" }, encoding), shown);
  const toggle = h("button", { class: "plain", "aria-pressed": "false", onclick: () => {
    const raw = toggle.getAttribute("aria-pressed") !== "true";
    toggle.setAttribute("aria-pressed", String(raw));
    shown.textContent = raw ? text : laidOut;
  } }, t("body.raw"));
  return h("div", { class: "body" }, toggle, shown);
}

/** A button with the key that does the same. */
export function button(label, onclick, { kind = "", key = "", disabled = false } = {}) {
  return h("button", { class: `button ${kind}`, onclick, disabled, "aria-keyshortcuts": key || null }, label,
    key && h("kbd", { "aria-hidden": "true" }, key));
}

/** Text that is being fetched. */
export function loading() {
  return h("p", { class: "empty", "aria-busy": "true" }, t("loading"));
}

/** A meter from 0 to 100. */
export function meter(label, percent) {
  const bar = h("progress", { max: 100, "aria-label": label });
  if (percent !== null && percent !== undefined) bar.value = percent;
  return bar;
}
