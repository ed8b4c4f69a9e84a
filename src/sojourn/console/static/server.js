// The server itself: its nodes, what was changed by whom, and what keeps accounts apart.

import { get, session, V1 } from "./api.js";
import { instead } from "./dialog.js";
import { h, replace } from "./dom.js";
import { clock, count, moment, pretty, when } from "./format.js";
import { languageInUse, t, useLanguage, word } from "./i18n.js";
import { useKeys } from "./keyboard.js";
import { body, facts, head, loading, panel, table } from "./parts.js";

/** Show the nodes in `place`. */
export function nodes(place) {
  return listed(place, "nodes", async () => {
    const found = (await get(`${V1}/nodes`)).nodes;
    return found.map((each) => panel(each.node, facts([
      [t("settings.version"), each.version], [t("node.started"), when(each.startedTime)], [t("node.incarnation"), count(each.incarnation)],
      [t("node.ready"), t(each.ready ? "node.takes" : "node.drains")], [t("node.memory"), `${count(each.memoryMb)} MB`], [t("node.instances"), count(each.instancesMax)]])));
  });
}

/** Show the audit log in `place`. */
export function audit(place) {
  return listed(place, "audit", async () => {
    const found = await get(`${V1}/audit`, { limit: 100 });
    return table(t("nav.audit"), ["at", "actor", "action", "target", "outcome"].map((key) => t(`audit.column.${key}`)), found.entries.map((each) => [
      h("time", { datetime: each.time, title: each.requestId }, clock(moment(each.time))), h("code", null, each.actor), each.operation,
      `${each.method} ${each.target}`, [each.status, " ", each.code]]), t("audit.none"));
  });
}

/** Show the settings in `place`. */
export function settings(place, signOut) {
  const parts = Object.fromEntries(["isolation", "session", "about"].map((part) => [part, h("div", null, loading())]));
  useKeys({});
  const languages = h("select", { id: "language", onchange: () => { useLanguage(languages.value); location.reload(); } },
    h("option", { value: "en", lang: "en" }, "English"), h("option", { value: "zh", lang: "zh-CN" }, "中文"));
  languages.value = languageInUse();
  replace(place, head(t("nav.settings")), parts.isolation, panel(t("settings.language"), h("label", { for: "language" }, t("settings.language"), " ", languages)), parts.session, parts.about);
  get(`${V1}/isolation`).then((found) => replace(parts.isolation, panel(t("settings.isolation"),
    h("p", { class: "lead" }, h("strong", null, t("settings.level", { level: found.level, driver: found.driver })), " ", t(`isolation.${Math.min(found.level, 5)}`)),
    h("p", null, found.text), h("p", null, found.limits),
    facts([[t("settings.network"), word("network", found.network)], [t("settings.accounts"), t(found.multiAccount ? "settings.many" : "settings.one")]]))),
  ).catch((error) => replace(parts.isolation, instead(t("settings.isolation"), error)));
  session().then((found) => replace(parts.session, panel(t("settings.session"), facts([
    [t("settings.account"), found.accountId], [t("settings.scope"), found.scope && word("scope", found.scope)], [t("settings.until"), when(found.expiration)]]),
  h("div", { class: "toolbar" }, h("button", { class: "button", onclick: signOut }, t("nav.signOut")))))).catch(() => {});
  get("/version").then((found) => replace(parts.about, panel(t("settings.about"), facts([
    [t("settings.version"), found.version], ["API", found.apiVersions.join(", ")], ["OpenAPI", h("a", { href: "/openapi.json", target: "_blank", rel: "noopener" }, "/openapi.json")]]),
  h("details", null, h("summary", null, t("settings.whole")), body(t("settings.about"), pretty(JSON.stringify(found))))))).catch(() => {});
}

async function listed(place, name, load) {
  const list = h("div", null, loading());
  useKeys({});
  replace(place, head(t(`nav.${name}`)), list);
  try {
    replace(list, await load());
  } catch (error) {
    replace(list, instead(t(`nav.${name}`), error));
  }
}
