// Functions: the list of them, and making one from a zip archive.

import { FC, get, may, send } from "./api.js";
import { ask, instead, notice } from "./dialog.js";
import { h, replace } from "./dom.js";
import { bytes, when } from "./format.js";
import { t } from "./i18n.js";
import { useKeys } from "./keyboard.js";
import { button, head, loading, table } from "./parts.js";
import * as router from "./router.js";

const RUNTIMES = ["python3.12", "python3.10", "nodejs20", "nodejs18", "custom"];

/** Show the list in `place`. */
export function functions(place, _names, query) {
  const list = h("div", null, loading());
  let token = query.from ?? "";
  useKeys({});
  replace(place, head(t("nav.functions"), null, button(t("functions.create"), create, { kind: "primary", disabled: !may("admin") })), list);
  load();

  async function load() {
    try {
      const found = await get(`${FC}/functions`, { limit: 100, nextToken: token });
      token = found.nextToken ?? "";
      replace(list, table(t("nav.functions"), ["name", "runtime", "handler", "memory", "timeout", "modified"].map((key) => t(`functions.column.${key}`)),
        found.functions.map((each) => [h("a", { href: router.href(router.path("functions", each.functionName)) }, each.functionName),
          each.runtime, h("code", null, each.handler), `${each.memorySize} MB`, `${each.timeout} s`, when(each.lastModifiedTime)]),
        t("functions.none")),
        token && h("div", { class: "list-end" }, h("a", { class: "button", href: router.href(`/functions?from=${encodeURIComponent(token)}`) }, t("tasks.more"))));
    } catch (error) {
      replace(list, instead(t("nav.functions"), error));
    }
  }

  async function create() {
    const name = await ask({
      title: t("functions.create"),
      body: [
        field("functionName", t("functions.column.name"), { required: true, autofocus: true }),
        h("label", null, t("functions.column.runtime"), h("input", { name: "runtime", value: RUNTIMES[0], list: "runtimes", required: true })),
        h("datalist", { id: "runtimes" }, RUNTIMES.map((each) => h("option", { value: each }))),
        field("handler", t("functions.column.handler"), { value: "index.handler", required: true }),
        field("timeout", t("functions.timeoutSeconds"), { type: "number", value: "60", min: 1, max: 86400 }),
        zipField(),
      ],
      confirm: t("functions.create"),
      run: async (form) => {
        const { functionName, runtime, handler, timeout } = Object.fromEntries(new FormData(form));
        await send("POST", `${FC}/functions`, { functionName, runtime, handler, timeout: Number(timeout), code: await zipOf(form) });
        return functionName;
      },
    });
    if (!name) return;
    notice(t("functions.created", { name }));
    router.go(router.path("functions", name));
  }
}

/** A field of a form under its name. */
export function field(name, label, attributes = {}) {
  return h("label", null, label, h("input", { name, type: "text", autocomplete: "off", spellcheck: "false", ...attributes }));
}

/** The field of a form that takes code. */
export function zipField() {
  return h("label", null, t("functions.zip"), h("input", { name: "zip", type: "file", accept: ".zip,application/zip", required: true }));
}

/** The code that a form holds, as the API takes it. */
export async function zipOf(form) {
  const file = form.elements.zip.files[0];
  const reader = new FileReader();
  const read = new Promise((resolve, reject) => {
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
  });
  reader.readAsDataURL(file);
  const text = await read;
  if (!text.includes(",")) throw new Error(t("functions.emptyZip", { name: file.name, size: bytes(file.size) }));
  return { zipFile: text.slice(text.indexOf(",") + 1) };
}
