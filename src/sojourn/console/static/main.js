// The console: signs in, draws the frame, and shows the view that the address names.

import { session, signIn, signOut, whenSignedOut } from "./api.js";
import { show, told } from "./dialog.js";
import { h, replace } from "./dom.js";
import { keepTimes } from "./format.js";
import { functionPage } from "./function.js";
import { functions } from "./functions.js";
import { languageInUse, t, useLanguage } from "./i18n.js";
import { instance, instances } from "./instances.js";
import { listen, useKeys } from "./keyboard.js";
import { overview } from "./overview.js";
import * as router from "./router.js";
import { audit, nodes, settings } from "./server.js";
import { task } from "./task.js";
import { tasks } from "./tasks.js";

const VIEWS = ["overview", "tasks", "functions", "instances", "nodes", "audit", "settings"];
const KEYS = { overview: "g o", tasks: "g t", functions: "g f", instances: "g i", nodes: "g n", audit: "g a", settings: "g s" };
const ROUTES = [
  ["", ["overview", overview]],
  ["overview", ["overview", overview]],
  ["tasks", ["tasks", tasks]],
  ["functions", ["functions", functions]],
  ["functions/:function", ["functions", functionPage]],
  ["functions/:function/tasks/:task", ["tasks", task]],
  ["instances", ["instances", instances]],
  ["instances/:instance", ["instances", instance]],
  ["nodes", ["nodes", nodes]],
  ["audit", ["audit", audit]],
  ["settings", ["settings", (place) => settings(place, leave)]],
];

const app = document.getElementById("app");
let end = null;
let signedIn = false;

useLanguage(languageInUse());
whenSignedOut(() => { if (signedIn) location.reload(); });
begin();

async function begin() {
  try {
    const found = await session();
    if (found) frame(found);
    else door();
  } catch (error) {
    replace(app, h("main", { class: "door" }, h("p", { class: "problem", role: "alert" }, told(error))));
  }
}

/** The page for who has not signed in. */
function door() {
  document.title = `${t("door.title")} · Sojourn`;
  const problem = h("p", { class: "problem", role: "alert" });
  const token = h("input", { type: "password", name: "token", autocomplete: "current-password", required: true, spellcheck: "false", "aria-describedby": "door-help" });
  const go = h("button", { class: "button primary", type: "submit" }, t("door.go"));
  replace(app, h("main", { class: "door" },
    h("h1", null, "Sojourn"), h("p", { class: "faint" }, t("door.lead")),
    h("form", { onsubmit: submit }, h("label", null, t("door.token"), token), problem, go),
    h("p", { class: "faint", id: "door-help" }, t("door.help"), " ", h("code", null, "sojourn console")),
    languageButton()));
  token.focus();
  async function submit(event) {
    event.preventDefault();
    go.disabled = true;
    try {
      frame(await signIn({ token: token.value.trim() }));
    } catch (error) {
      replace(problem, told(error));
      go.disabled = false;
      token.select();
    }
  }
}

/** The frame around every view, for who has signed in. */
function frame(found) {
  signedIn = true;
  const main = h("main", { id: "main", tabindex: "-1" });
  const links = Object.fromEntries(VIEWS.map((name) => [name, h("a", { href: router.href(`/${name}`) }, t(`nav.${name}`))]));
  replace(app,
    h("a", { href: "#main", class: "skip", onclick: (event) => { event.preventDefault(); main.focus(); } }, t("nav.skip")),
    h("header", { class: "bar" },
      h("a", { href: router.href("/overview"), class: "brand" }, "Sojourn"),
      h("nav", { "aria-label": t("nav.main") }, Object.values(links)),
      h("div", { class: "bar-end" },
        h("span", { class: "faint account" }, found.accountId), languageButton(),
        h("button", { class: "plain", onclick: keys, "aria-label": t("nav.keys"), title: t("nav.keys") }, "?"),
        h("button", { class: "plain", onclick: leave }, t("nav.signOut")))),
    main);
  listen({
    "?": keys,
    "/": () => router.go("/tasks"),
    ...Object.fromEntries(VIEWS.map((name) => [KEYS[name], () => router.go(`/${name}`)])),
  });
  keepTimes();
  router.start(ROUTES, (route, names, query) => {
    end?.();
    end = null;
    const [name, view] = route ?? ["", lost];
    for (const [each, link] of Object.entries(links)) {
      if (each === name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.title = `${names.task ?? names.function ?? names.instance ?? t(name ? `nav.${name}` : "lost.title")} · Sojourn`;
    scrollTo(0, 0);
    const place = h("div", { class: `view view-${name}` });
    replace(main, place);
    const ending = view(place, names, query);
    end = typeof ending === "function" ? ending : null;
  });
}

function lost(place) {
  useKeys({});
  replace(place, h("div", { class: "empty" }, h("h1", null, t("lost.title")), h("p", null, h("a", { href: router.href("/overview") }, t("nav.overview")))));
}

function languageButton() {
  const other = languageInUse() === "zh" ? "en" : "zh";
  return h("button", { class: "plain", lang: other === "zh" ? "zh-CN" : "en", onclick: () => { useLanguage(other); location.reload(); } }, other === "zh" ? "中文" : "English");
}

function keys() {
  const all = [["/", "filter"], ["j k", "move"], ["x", "choose"], ["Enter", "open"], ["s", "stop"], ["r", "rerun"], ...VIEWS.map((name) => [KEYS[name], name]), ["?", "help"]];
  show(t("nav.keys"), h("dl", { class: "keys" }, all.map(([key, what]) => h("div", null,
    h("dt", null, key.split(" ").map((each) => h("kbd", null, each))), h("dd", null, what in KEYS ? t(`nav.${what}`) : t(`keys.${what}`))))));
}

async function leave() {
  try {
    await signOut();
  } finally {
    location.reload();
  }
}
