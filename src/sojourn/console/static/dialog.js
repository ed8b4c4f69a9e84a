// Dialogs: a question before something that matters, and words at the edge for what came of it.

import { announce, h, replace } from "./dom.js";
import { t } from "./i18n.js";

const NOTICE_MILLISECONDS = 8000;

/**
 * Ask in a dialog. `body` are nodes, `confirm` the word on the button, `run(form)` does it and may throw: then the
 * dialog stays and shows why. Resolves to what `run` gave, or to null when the person left.
 */
export function ask({ title, body, confirm, danger = false, run }) {
  return new Promise((resolve) => {
    const problem = h("p", { class: "problem", role: "alert" });
    const go = h("button", { class: danger ? "button danger" : "button primary", type: "submit" }, confirm);
    const form = h(
      "form",
      { method: "dialog", onsubmit: submit },
      h("h2", { id: "dialog-title" }, title),
      h("div", { class: "dialog-body" }, body),
      problem,
      h("div", { class: "dialog-end" },
        h("button", { class: "button", type: "button", onclick: () => done(null) }, t("dialog.cancel")), go),
    );
    const dialog = h("dialog", { "aria-labelledby": "dialog-title", oncancel: () => done(null) }, form);
    async function submit(event) {
      event.preventDefault();
      go.disabled = true;
      try {
        done(await run(form));
      } catch (error) {
        replace(problem, told(error));
        go.disabled = false;
      }
    }
    function done(value) {
      dialog.close();
      dialog.remove();
      resolve(value);
    }
    document.body.append(dialog);
    dialog.showModal();
    (form.querySelector("[autofocus]") ?? go).focus();
  });
}

/** Show nodes in a dialog that is only read. */
export function show(title, ...body) {
  const close = h("button", { class: "button", autofocus: true, onclick: () => dialog.close() }, t("dialog.close"));
  const dialog = h("dialog", { "aria-labelledby": "dialog-title", onclose: () => dialog.remove() },
    h("h2", { id: "dialog-title" }, title), h("div", { class: "dialog-body" }, body),
    h("div", { class: "dialog-end" }, close));
  document.body.append(dialog);
  dialog.showModal();
}

/** Tell what came of something; it goes by itself, and is read aloud. */
export function notice(text, kind = "good") {
  let place = document.getElementById("notices");
  if (!place) {
    place = h("div", { id: "notices" });
    document.body.append(place);
  }
  const close = h("button", { class: "plain", "aria-label": t("dialog.close"), onclick: () => one.remove() }, "×");
  const one = h("div", { class: `notice ${kind}` }, h("span", null, text), close);
  place.append(one);
  announce(text);
  setTimeout(() => one.remove(), NOTICE_MILLISECONDS);
}

/** An error in words, with the request's id for who has the server's log. */
export function told(error) {
  if (error?.notOffered) return t("error.notOffered");
  const id = error?.requestId ? ` (${t("error.request", { id: error.requestId })})` : "";
  return `${error?.message ?? error}${id}`;
}

/** Do something, and tell when it fails; resolves to null then. */
export async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    notice(told(error), "bad");
    return null;
  }
}

/** A line in place of something that this server does not offer, or that failed. */
export function instead(what, error) {
  const text = error?.notOffered ? t("error.doesNotOffer", { what }) : `${what}: ${told(error)}`;
  return h("p", { class: error?.notOffered ? "missing" : "problem", role: error?.notOffered ? null : "alert" }, text);
}

/** Copy a text. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    notice(t("copy.done"));
  } catch {
    show(t("copy.byHand"), h("pre", { class: "code", tabindex: "0" }, text));
  }
}
