// Keys: one table for all of them; what a view does at a key it says when it is shown.

let actions = {};
let afterG = 0;

const GO_MILLISECONDS = 1200;

/** What the keys of this view do: from a key, such as "j" or "g t", to an action. */
export function useKeys(table) {
  actions = table;
}

/** Listen; `common` are the actions of every view. */
export function listen(common) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const element = event.target;
    if (element instanceof HTMLElement && element.closest("input:not([type=checkbox]), textarea, select")) return;
    const second = afterG && event.timeStamp - afterG < GO_MILLISECONDS;
    const key = second ? `g ${event.key}` : event.key;
    afterG = !second && event.key === "g" ? event.timeStamp : 0;
    const action = actions[key] ?? common[key];
    if (!action) return;
    event.preventDefault();
    action(event);
  });
}
