// The picture of the ten statuses: with counts on the overview, with the way taken on a task's page.

import { h, svg } from "./dom.js";
import { t, word } from "./i18n.js";
import { signOf } from "./status.js";

const WIDTH = 116;
const HEIGHT = 46;
const WIDE = {
  size: [920, 268],
  around: {},
  places: {
    Enqueued: [66, 134], Dequeued: [232, 134], Running: [398, 134], Retrying: [398, 232], Expired: [232, 36],
    Invalid: [398, 36], Stopping: [626, 232], Succeeded: [854, 36], Failed: [854, 134], Stopped: [854, 232],
  },
};
const NARROW = {
  size: [372, 372],
  around: { "Running Failed": "128,146 124,146 124,324 128,324", "Dequeued Invalid": "4,146 1,146 1,324 4,324" },
  places: {
    Enqueued: [62, 36], Dequeued: [62, 132], Running: [186, 132], Retrying: [310, 132], Expired: [62, 228],
    Invalid: [62, 324], Stopping: [310, 228], Succeeded: [186, 228], Failed: [186, 324], Stopped: [310, 324],
  },
};
const STEPS = [
  ["Enqueued", "Dequeued"], ["Dequeued", "Running"], ["Dequeued", "Expired"], ["Dequeued", "Invalid"],
  ["Running", "Succeeded"], ["Running", "Failed"], ["Running", "Retrying"], ["Running", "Stopping"],
  ["Stopping", "Stopped"],
];

/**
 * The picture. `counts` is what each status shows below its name, `taken` the statuses of a task in order, `link(status)`
 * where a click leads. Only what is given is shown.
 */
export function flow({ counts = null, taken = [], link = null }) {
  return h("div", null, drawing(WIDE, "wide", counts, taken, link), drawing(NARROW, "narrow", counts, taken, link));
}

/** One of the two that the sheet of styles chooses between by the width of the page. */
function drawing({ size, places, around }, width, counts, taken, link) {
  const lit = new Set(taken.slice(1).map((status, place) => `${taken[place]} ${status}`));
  const own = new Set(STEPS.map((step) => step.join(" ")));
  const extra = [...lit].map((step) => step.split(" ")).filter((step) => step[0] !== step[1] && !own.has(step.join(" ")));
  const label = counts
    ? Object.entries(counts).map(([status, value]) => `${word("status", status)} ${value}`).join(", ")
    : taken.map((status) => word("status", status)).join(" → ");
  return svg(
    "svg",
    { class: `flow ${width}${taken.length ? " way" : ""}`, viewBox: `0 0 ${size.join(" ")}`, role: link ? "group" : "img",
      "aria-label": `${t("flow.title")}: ${label}` },
    [...STEPS, ...extra].map(([from, to]) => edge(places[from], places[to], lit.has(`${from} ${to}`), around[`${from} ${to}`])),
    Object.entries(places).map(([status, place]) => node(status, place, counts, taken, link)),
  );
}

function node(status, [x, y], counts, taken, link) {
  const reached = taken.includes(status);
  const now = taken.at(-1) === status;
  const kind = `node status-${status.toLowerCase()}${reached ? " reached" : ""}${now ? " now" : ""}`;
  const shown = svg(
    "g",
    { class: kind, transform: `translate(${x - WIDTH / 2} ${y - HEIGHT / 2})`, "data-status": status },
    svg("rect", { width: WIDTH, height: HEIGHT, rx: 8 }),
    svg("text", { x: 12, y: counts ? 19 : 28, class: "name" }, `${signOf(status)} ${word("status", status)}`),
    counts && svg("text", { x: 12, y: 37, class: "number" }, counts[status] ?? "–"),
  );
  if (!link) return shown;
  return svg("a", { href: link(status), "aria-label": `${word("status", status)}: ${counts?.[status] ?? "–"}` }, shown);
}

/** A step as an arrow, or along the points `around` what stands in between. */
function edge([x1, y1], [x2, y2], lit, around) {
  if (around) return svg("g", { class: lit ? "edge lit" : "edge" }, svg("polyline", { points: around }));
  const [startX, startY] = border(x1, y1, x2, y2);
  const [endX, endY] = border(x2, y2, x1, y1);
  const angle = Math.atan2(endY - startY, endX - startX);
  const head = [angle + 2.6, angle - 2.6].map((a) => `${endX + 7 * Math.cos(a)},${endY + 7 * Math.sin(a)}`);
  return svg("g", { class: lit ? "edge lit" : "edge" },
    svg("line", { x1: startX, y1: startY, x2: endX, y2: endY }),
    svg("polyline", { points: `${head[0]} ${endX},${endY} ${head[1]}` }));
}

/** Where the line from the middle of a box to another point leaves the box. */
function border(x, y, toX, toY) {
  const dx = toX - x;
  const dy = toY - y;
  const scale = Math.min(dx ? (WIDTH / 2 + 3) / Math.abs(dx) : Infinity, dy ? (HEIGHT / 2 + 3) / Math.abs(dy) : Infinity);
  return [x + dx * scale, y + dy * scale];
}
