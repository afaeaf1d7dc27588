// Plots of an experiment's trials, on canvas: fast with tens of thousands of trials.

const host = document.getElementById("plots");
const plots = [];
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
document.body.append(tip);

// ---------------------------------------------------------------------------------- small helpers

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

function numberText(value) {
  if (value === null || value === undefined) return "—";
  if (typeof value !== "number") return String(value);
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) return value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e");
  return String(Number(value.toPrecision(4)));
}

const timeUnit = (seconds) => (seconds < 120 ? [1, "s"] : seconds < 7200 ? [60, "min"] : [3600, "h"]);

function secondsText(value) {
  const [unit, name] = timeUnit(value);
  return `${numberText(value / unit)} ${name}`;
}

// Viridis, for eyes that see few colours; its darkest end is lighter here, to be seen on dark pages.
const STOPS = [[92, 48, 140], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
const SHADES = Array.from({ length: 64 }, (_, place) => {
  const at = (place / 63) * (STOPS.length - 1), low = Math.min(Math.floor(at), STOPS.length - 2);
  const mix = STOPS[low].map((c, k) => Math.round(c + (STOPS[low + 1][k] - c) * (at - low)));
  return `rgb(${mix})`;
});
// Okabe and Ito's colours, which all eyes can tell apart.
const PALETTE = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999"];
const shade = (share) => clamp(Math.round(share * 63), 0, 63);

// Where numbers lie between the best and the worst; a few outliers do not take all the colours.
function ranked(values, direction) {
  const known = Float64Array.from(values.filter(isNumber)).sort();
  if (!known.length) return () => 0.5;
  let low = known[Math.floor((known.length - 1) * 0.05)], high = known[known.length - 1];
  if (direction === "MIN") [low, high] = [known[Math.floor((known.length - 1) * 0.95)], known[0]];
  return (value) => (low === high ? 0.5 : clamp((value - low) / (high - low), 0, 1));
}

// ---------------------------------------------------------------------------------------- scales

function niceStep(span, count) {
  const raw = span / Math.max(1, count), power = 10 ** Math.floor(Math.log10(raw));
  const first = raw / power;
  return power * (first <= 1 ? 1 : first <= 2 ? 2 : first <= 5 ? 5 : 10);
}

// A scale turns values into places from 0 to 1; texts and truth values get places of their own.
function makeScale(values, { log = false, zero = false, trim = false } = {}) {
  let numbers = values.filter(isNumber);
  if (!numbers.length || values.some((value) => value !== null && !isNumber(value))) {
    const names = [...new Set(values.filter((value) => value !== null).map(String))].slice(0, 60);
    const place = new Map(names.map((name, k) => [name, (k + 0.5) / names.length]));
    return {
      at: (value) => (value === null ? null : place.get(String(value)) ?? null),
      ticks: () => names.map((name) => ({ at: place.get(name), text: name })),
      names,
    };
  }
  let low = Infinity, high = -Infinity;
  if (trim && numbers.length > 30) {
    // One diverged trial must not press all others into a line.
    const sorted = Float64Array.from(numbers).sort();
    const q = (share) => sorted[Math.floor((sorted.length - 1) * share)];
    const reach = 6 * (q(0.9) - q(0.1));
    if (reach > 0) numbers = numbers.filter((v) => v >= q(0.1) - reach && v <= q(0.9) + reach);
  }
  for (const value of numbers) { if (value < low) low = value; if (value > high) high = value; }
  if (log && low > 0) {
    const from = Math.log10(low), to = Math.log10(high);
    const span = to - from || 1;
    return {
      at: (value) => (isNumber(value) && value > 0 ? (Math.log10(value) - from) / span : null),
      back: (share) => 10 ** (from + share * span),
      ticks: () => {
        const step = Math.max(1, Math.ceil(span / 6)), found = [];
        for (let k = Math.ceil(from - 1e-9); k <= to + 1e-9; k += step) {
          found.push({ at: (k - from) / span, text: numberText(10 ** k) });
        }
        return found.length > 1 ? found : [0, 0.5, 1].map((at) => ({ at, text: numberText(10 ** (from + at * span)) }));
      },
    };
  }
  if (zero) low = Math.min(0, low);
  if (high - low <= 1e-12 * Math.max(Math.abs(low), Math.abs(high))) { // a step would be lost in rounding
    low -= Math.abs(low) * 0.5 || 0.5;
    high += Math.abs(high) * 0.5 || 0.5;
  }
  const span = high - low;
  return {
    at: (value) => (isNumber(value) ? (value - low) / span : null),
    back: (share) => low + share * span,
    ticks: (count = 5) => {
      const step = niceStep(span, count), found = [];
      for (let k = Math.ceil(low / step); k * step <= high + span * 1e-9; k += 1) {
        found.push({ at: (k * step - low) / span, text: numberText(Number((k * step).toPrecision(12))) });
      }
      return found;
    },
  };
}

// ----------------------------------------------------------------------------------------- plots

class Plot {
  constructor(title, { height = 280, full = false, note = "" } = {}) {
    this.box = document.createElement("section");
    this.box.className = full ? "plot full" : "plot";
    const head = document.createElement("h2");
    head.textContent = title;
    this.tools = document.createElement("span");
    this.tools.className = "tools";
    head.append(this.tools);
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", title);
    this.note = document.createElement("p");
    this.note.className = "dim";
    this.note.textContent = note;
    this.box.append(head, this.canvas, this.note);
    this.height = height;
    this.points = []; // [x, y, trial's place] of what the mouse can find
    this.canvas.addEventListener("mousemove", (event) => this.hover(event));
    this.canvas.addEventListener("mouseleave", () => { tip.hidden = true; });
    this.canvas.addEventListener("click", (event) => this.click(event));
    plots.push(this);
    host.append(this.box);
  }

  select(label, names, chosen, change) {
    const field = document.createElement("select");
    field.setAttribute("aria-label", label);
    const kept = names.indexOf(choices.get(label));
    if (kept >= 0 && kept !== chosen) { chosen = kept; change(kept); }
    names.forEach((name, place) => field.append(new Option(name, String(place), false, place === chosen)));
    field.addEventListener("change", () => {
      choices.set(label, names[Number(field.value)]);
      change(Number(field.value));
      this.redraw();
    });
    this.tools.append(field);
    return field;
  }

  redraw() {
    const width = Math.max(200, this.box.clientWidth - 28), ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.canvas.style.height = `${this.height}px`;
    const pen = this.canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, this.height);
    pen.font = '11.5px system-ui, "Noto Sans", sans-serif';
    this.points = [];
    this.width = width;
    this.draw(pen, width, this.height);
  }

  nearest(event) {
    const place = this.canvas.getBoundingClientRect();
    const x = event.clientX - place.left, y = event.clientY - place.top;
    let best = null, least = 14 * 14;
    for (const point of this.points) {
      const far = (point[0] - x) ** 2 + (point[1] - y) ** 2;
      if (far < least) { least = far; best = point; }
    }
    return best;
  }

  hover(event) {
    const found = this.nearest(event);
    this.canvas.style.cursor = found ? "pointer" : "";
    tip.hidden = !found;
    if (!found) return;
    tip.textContent = typeof found[2] === "string" ? found[2] : trialText(found[2]);
    const left = event.clientX + 14, width = tip.offsetWidth;
    tip.style.left = `${left + width > innerWidth - 8 ? event.clientX - width - 14 : left}px`;
    tip.style.top = `${Math.min(event.clientY + 12, innerHeight - tip.offsetHeight - 8)}px`;
  }

  click(event) {
    const found = this.nearest(event);
    if (found && typeof found[2] === "number" && host.dataset.trials) location.href = host.dataset.trials + data.number[found[2]];
  }
}

function axes(pen, area, x, y, xLabel, yLabel) {
  const line = css("--line-soft"), dim = css("--dim");
  pen.strokeStyle = line;
  pen.fillStyle = dim;
  pen.lineWidth = 1;
  pen.textBaseline = "middle";
  pen.textAlign = "right";
  for (const tick of y.ticks(Math.max(2, Math.round(area.h / 50)))) {
    const at = Math.round(area.y + area.h * (1 - tick.at)) + 0.5;
    pen.beginPath(); pen.moveTo(area.x, at); pen.lineTo(area.x + area.w, at); pen.stroke();
    pen.fillText(short(tick.text, 12), area.x - 6, at);
  }
  pen.textAlign = "center";
  pen.textBaseline = "top";
  const ticks = x.ticks(Math.max(2, Math.round(area.w / 90)));
  const every = Math.ceil(ticks.length / Math.max(1, Math.floor(area.w / 46)));
  ticks.forEach((tick, place) => {
    if (place % every) return;
    const at = Math.round(area.x + area.w * tick.at) + 0.5;
    pen.beginPath(); pen.moveTo(at, area.y + area.h); pen.lineTo(at, area.y + area.h + 4); pen.stroke();
    const text = short(tick.text, 14), end = area.x + area.w + 12; // of the canvas
    pen.fillText(text, Math.min(at, end - pen.measureText(text).width / 2), area.y + area.h + 6);
  });
  pen.strokeStyle = css("--line");
  pen.strokeRect(area.x + 0.5, area.y + 0.5, area.w - 1, area.h - 1);
  pen.fillText(short(xLabel, 60), area.x + area.w / 2, area.y + area.h + 21);
  pen.save();
  pen.translate(11, area.y + area.h / 2);
  pen.rotate(-Math.PI / 2);
  pen.textBaseline = "middle";
  pen.fillText(short(yLabel, 40), 0, 0);
  pen.restore();
}

const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
const frame = (width, height) => ({ x: 66, y: 8, w: width - 78, h: height - 50 });

const MANY = 4000; // from so many on, points are drawn pixel by pixel, which is much faster

function dots(pen, points, size, colour, alpha) {
  if (points.length > MANY) { pixels(pen, [[points, colour]], size, alpha); return; }
  pen.globalAlpha = alpha;
  pen.fillStyle = colour;
  for (const [x, y] of points) { pen.beginPath(); pen.arc(x, y, size, 0, 7); pen.fill(); }
  pen.globalAlpha = 1;
}

const sheet = document.createElement("canvas"); // where pixels are put together
const parsed = new Map(); // colours as pixels have them

function redGreenBlue(colour) {
  if (!parsed.has(colour)) {
    const dot = new OffscreenCanvas(1, 1).getContext("2d");
    dot.fillStyle = colour;
    dot.fillRect(0, 0, 1, 1);
    parsed.set(colour, dot.getImageData(0, 0, 1, 1).data.slice(0, 3));
  }
  return parsed.get(colour);
}

// Squares of pixels. Where more of them lie on each other, less of the ground shines through.
function pixels(pen, groups, size, alpha) {
  const ratio = devicePixelRatio || 1, { width, height } = pen.canvas;
  const colours = new Uint8Array(width * height), layers = new Uint8Array(width * height);
  const side = Math.max(1, Math.round(size * ratio));
  groups.forEach(([points], group) => {
    for (const point of points) {
      const left = Math.round(point[0] * ratio - side / 2), top = Math.round(point[1] * ratio - side / 2);
      for (let y = Math.max(0, top); y < Math.min(height, top + side); y += 1) {
        for (let x = Math.max(0, left); x < Math.min(width, left + side); x += 1) {
          const at = y * width + x;
          colours[at] = group;
          if (layers[at] < 255) layers[at] += 1;
        }
      }
    }
  });
  const palette = groups.map(([, colour]) => redGreenBlue(colour));
  const opacity = Uint8Array.from({ length: 256 }, (_, count) => 255 * (1 - (1 - alpha) ** count));
  sheet.width = width;
  sheet.height = height;
  const ground = sheet.getContext("2d"), image = ground.createImageData(width, height);
  for (let at = 0; at < layers.length; at += 1) {
    if (!layers[at]) continue;
    image.data.set(palette[colours[at]], 4 * at);
    image.data[4 * at + 3] = opacity[layers[at]];
  }
  ground.putImageData(image, 0, 0);
  pen.drawImage(sheet, 0, 0, width / ratio, height / ratio);
}

const dotSize = (count) => (count > 20000 ? 1.6 : count > MANY ? 2.4 : count > 600 ? 2.6 : 3.6);

// ------------------------------------------------------------------------------------- the data

let data = null;
// What a reader has chosen outlives the plots, which are made again while an experiment runs.
const choices = new Map(); // label of a choice to the chosen name
const ranges = new Map(); // name of an axis to its lowest and highest value; null for the axis's end
let held = false; // whether a range is being chosen now
let waiting = null; // data that came meanwhile
let goodness = () => 0.5;

function trialText(place) {
  const lines = [`trial ${data.number[place]}, ${data.state[place].toLowerCase()}`];
  if (isNumber(data.metric[place])) lines.push(`${data.key} ${numberText(data.metric[place])}`);
  const worker = data.worker ? data.worker[place] : null;
  if (isNumber(worker)) lines.push(`on ${short(data.workers[worker], 40)}`);
  for (const each of data.params.slice(0, 12)) {
    const value = each.values[place];
    if (value !== null) lines.push(`${short(each.name, 30)} ${short(numberText(value), 40)}`);
  }
  return lines.join("\n");
}

const varied = () => data.params.filter((each) => each.values.some((value) => value !== each.values[0]));

// ---------------------------------------------------------------------------- metric by trial

function history() {
  const plot = new Plot(`${data.key} by trial, with the best so far`, { full: true, height: 260 });
  plot.draw = (pen, width, height) => {
    const area = frame(width, height);
    const x = makeScale(data.number), y = makeScale(data.metric, { trim: true });
    axes(pen, area, x, y, "trial", data.key);
    const soft = [], stopped = [], failed = [];
    let best = null;
    const steps = [];
    data.number.forEach((number, place) => {
      const at = area.x + area.w * x.at(number), value = data.metric[place];
      if (!isNumber(value)) { if (data.state[place] === "FAILED") failed.push([at, area.y + area.h - 3, place]); return; }
      const share = y.at(value), point = [at, area.y + area.h * (1 - clamp(share, 0, 1)), place];
      (data.state[place] === "STOPPED" ? stopped : soft).push(point);
      const better = best === null || (data.direction === "MIN" ? value < best : value > best);
      if (data.direction && better) { best = value; steps.push(point); }
    });
    const size = dotSize(data.number.length);
    dots(pen, stopped, size, css("--bar-stopped"), 0.6);
    dots(pen, soft, size, css("--accent"), 0.6);
    pen.fillStyle = css("--bar-failed");
    for (const [at, bottom] of failed) pen.fillRect(at - 1, bottom - 5, 2, 8);
    if (steps.length) {
      pen.strokeStyle = css("--bar-done");
      pen.lineWidth = 2;
      pen.beginPath();
      let last = steps[0][1];
      for (const [at, up] of steps) { pen.lineTo(at, last); pen.lineTo(at, up); last = up; }
      pen.lineTo(area.x + area.w, last);
      pen.stroke();
    }
    plot.points = [...soft, ...stopped, ...failed];
    const parts = [`${soft.length} finished`];
    if (stopped.length) parts.push(`${stopped.length} stopped early (yellow)`);
    if (failed.length) parts.push(`${failed.length} failed (red)`);
    plot.note.textContent = `${parts.join(", ")}.${host.dataset.trials ? " A click opens the trial." : ""}`;
  };
}

// ----------------------------------------------------------------------- parallel coordinates

const MOST_LINES = 4000; // more of them cover one another

const evenly = (some, most) => {
  const every = Math.ceil(some.length / most);
  return every > 1 ? some.filter((_, nth) => nth % every === 0) : some;
};

function parallel() {
  const columns = varied().slice(0, 14);
  if (columns.length < 1) return;
  const metric = { name: data.key, numeric: true, log: false, values: data.metric };
  const all = [...columns, metric];
  const plot = new Plot("Parallel coordinates", { full: true, height: 340 });
  const scales = all.map((each) => makeScale(each.values, { log: each.log, trim: each === metric }));
  const brushes = new Map();
  all.forEach((each, k) => {
    const found = ranges.has(each.name) && sharesOf(scales[k], ranges.get(each.name));
    if (found) brushes.set(k, found);
  });
  const reset = document.createElement("button"), table = document.createElement("button");
  reset.textContent = "Clear ranges";
  table.textContent = "Show in the table";
  reset.type = table.type = "button";
  reset.hidden = table.hidden = true;
  plot.tools.append(table, reset);
  const area = { x: 60, y: 30, h: 280 };
  const axisAt = (place) => area.x + (place * (plot.width - 120)) / (all.length - 1);
  const rows = data.number.map((_, place) => place).filter((place) => isNumber(data.metric[place]));
  const shares = scales.map((scale, k) => all[k].values.map((value) => scale.at(value)));
  const inside = (row) => [...brushes].every(([k, [low, high]]) => {
    const share = shares[k][row];
    return share !== null && share >= low && share <= high;
  });
  plot.draw = (pen) => {
    const chosen = rows.filter(inside);
    const paths = SHADES.map(() => []);
    for (const row of chosen) paths[shade(goodness(data.metric[row]))].push(row);
    // An even choice of each shade, and more of the lightest: the best trials are always seen.
    const part = Math.min(1, MOST_LINES / Math.max(1, chosen.length)), best = SHADES.length - 1;
    const drawn = paths.map((some, k) => evenly(some, Math.max(k === best ? 500 : 1, some.length * part)));
    const many = drawn.reduce((sum, some) => sum + some.length, 0);
    const strokes = (some, width, alpha) => {
      pen.lineWidth = width;
      pen.globalAlpha = alpha;
      pen.beginPath();
      for (const row of some) {
        let open = false;
        for (let k = 0; k < all.length; k += 1) {
          const share = shares[k][row];
          if (share === null) { open = false; continue; }
          const x = axisAt(k), y = area.y + area.h * (1 - clamp(share, 0, 1));
          if (open) pen.lineTo(x, y); else pen.moveTo(x, y);
          open = true;
        }
      }
      pen.stroke();
    };
    if (brushes.size && rows.length <= 5000) { pen.strokeStyle = css("--line"); strokes(rows, 1, 0.5); }
    drawn.forEach((some, k) => {
      pen.strokeStyle = SHADES[k];
      strokes(some, many > 2000 ? 0.7 : 1.3, many > 500 ? 0.45 : 0.75);
    });
    pen.globalAlpha = 1;
    pen.textAlign = "center";
    all.forEach((each, k) => {
      const x = Math.round(axisAt(k)) + 0.5;
      pen.strokeStyle = css("--dim");
      pen.lineWidth = 1;
      pen.beginPath(); pen.moveTo(x, area.y); pen.lineTo(x, area.y + area.h); pen.stroke();
      pen.fillStyle = css("--text");
      pen.textBaseline = "alphabetic";
      pen.textAlign = k === 0 ? "left" : k === all.length - 1 ? "right" : "center";
      pen.fillText(short(each.name, Math.max(8, Math.floor(900 / all.length / 7))), k === 0 ? x - 40 : k === all.length - 1 ? x + 50 : x, 14);
      pen.textBaseline = "middle";
      pen.textAlign = k === all.length - 1 ? "left" : "right";
      const back = css("--panel");
      for (const tick of scales[k].ticks(5).slice(0, 24)) {
        const y = area.y + area.h * (1 - tick.at), text = short(tick.text, 9), side = k === all.length - 1 ? 6 : -6;
        const width = pen.measureText(text).width;
        pen.globalAlpha = 0.75;
        pen.fillStyle = back;
        pen.fillRect(side > 0 ? x + 4 : x - 8 - width, y - 7, width + 4, 14);
        pen.globalAlpha = 1;
        pen.fillStyle = css("--dim");
        pen.fillText(text, x + side, y);
      }
      if (brushes.has(k)) {
        const [low, high] = brushes.get(k);
        pen.fillStyle = css("--accent");
        pen.globalAlpha = 0.3;
        pen.fillRect(x - 7, area.y + area.h * (1 - high), 14, area.h * (high - low));
        pen.globalAlpha = 1;
      }
    });
    reset.hidden = brushes.size === 0;
    table.hidden = reset.hidden || !host.dataset.trials;
    const cut = many < chosen.length ? ` ${many} of ${chosen.length} lines are drawn, the best among them.` : "";
    plot.note.textContent = brushes.size
      ? `${chosen.length} of ${rows.length} trials lie in the chosen ranges.${cut}`
      : `Drag along an axis to choose a range. Lighter lines are better trials.${cut}`;
  };
  let dragged = null, asked = false;
  const place = (event) => {
    const box = plot.canvas.getBoundingClientRect();
    return [event.clientX - box.left, clamp(1 - (event.clientY - box.top - area.y) / area.h, 0, 1)];
  };
  plot.hover = () => {};
  plot.click = () => {};
  plot.canvas.addEventListener("pointerdown", (event) => {
    const [x, share] = place(event);
    const k = all.findIndex((_, each) => Math.abs(axisAt(each) - x) < 18);
    if (k < 0) return;
    dragged = [k, share];
    held = true;
    brushes.delete(k);
    plot.canvas.setPointerCapture(event.pointerId);
  });
  plot.canvas.addEventListener("pointermove", (event) => {
    const [x, share] = place(event);
    plot.canvas.style.cursor = dragged || all.some((_, k) => Math.abs(axisAt(k) - x) < 18) ? "ns-resize" : "";
    if (!dragged) return;
    brushes.set(dragged[0], [Math.min(dragged[1], share), Math.max(dragged[1], share)]);
    if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; plot.redraw(); }); }
  });
  const drop = () => {
    if (!dragged) return;
    const k = dragged[0], [low, high] = brushes.get(k) || [0, 0];
    if (high - low < 0.01) brushes.delete(k);
    const kept = brushes.has(k) && rangeOf(scales[k], brushes.get(k));
    if (kept) ranges.set(all[k].name, kept); else ranges.delete(all[k].name);
    dragged = null;
    held = false;
    if (waiting) take(waiting); else plot.redraw();
  };
  plot.canvas.addEventListener("pointerup", drop);
  plot.canvas.addEventListener("pointercancel", drop);
  reset.addEventListener("click", () => { brushes.clear(); ranges.clear(); plot.redraw(); });
  table.addEventListener("click", () => {
    const parts = [];
    for (const [k, [low, high]] of brushes) {
      const name = all[k] === metric ? "metric" : `params.${all[k].name}`;
      if (scales[k].back) {
        parts.push(`${name} >= ${Number(scales[k].back(low).toPrecision(6))}`, `${name} <= ${Number(scales[k].back(high).toPrecision(6))}`);
      } else {
        const names = scales[k].names.filter((text) => { const at = scales[k].at(text); return at >= low && at <= high; });
        if (names.length === 1) parts.push(`${name} = ${names[0]}`);
        else for (const text of scales[k].names) if (!names.includes(text)) parts.push(`${name} != ${text}`);
      }
    }
    location.href = `${host.dataset.trials.replace(/\/trials\/$/, "")}?${new URLSearchParams({ where: parts.join(" and ") })}`;
  });
}

// A range in the values of an axis, whose places change as trials come; an open end stays open.
function rangeOf(scale, [low, high]) {
  if (scale.back) return [low < 0.002 ? null : scale.back(low), high > 0.998 ? null : scale.back(high)];
  const names = scale.names.filter((name) => { const at = scale.at(name); return at >= low && at <= high; });
  return names.length ? [names[0], names[names.length - 1]] : null;
}

function sharesOf(scale, [low, high]) {
  const half = scale.names ? 0.5 / scale.names.length : 0;
  const from = low === null ? 0 : scale.at(low), to = high === null ? 1 : scale.at(high);
  if (from === null || to === null) return null;
  return [clamp(from - half, 0, 1), clamp(to + half, 0, 1)];
}

// -------------------------------------------------------------------- parameter against metric

function slice(order) {
  const columns = varied();
  if (!columns.length) return;
  const plot = new Plot("One hyperparameter", { height: 300 });
  let x = columns.indexOf(order[0] ?? columns[0]);
  const measures = [{ name: data.key, values: data.metric }, ...data.outputs.filter((each) => each.name !== data.key)];
  let y = 0;
  plot.select("Hyperparameter", columns.map((each) => each.name), x, (place) => { x = place; });
  if (measures.length > 1) plot.select("Output", measures.map((each) => each.name), 0, (place) => { y = place; });
  plot.draw = (pen, width, height) => {
    const area = frame(width, height), column = columns[x], measure = measures[y];
    const xs = makeScale(column.values, { log: column.log }), ys = makeScale(measure.values, { trim: true });
    axes(pen, area, xs, ys, column.log ? `${column.name} (log)` : column.name, measure.name);
    const groups = SHADES.map(() => []), count = data.number.length;
    for (let place = 0; place < count; place += 1) {
      const across = xs.at(column.values[place]), up = ys.at(measure.values[place]);
      if (across === null || up === null) continue;
      // Equal texts lie beside each other, not on one another.
      const spread = xs.names ? ((place * 0.618034) % 1 - 0.5) * 0.5 / xs.names.length : 0;
      const point = [area.x + area.w * (across + spread), area.y + area.h * (1 - clamp(up, 0, 1)), place];
      groups[shade(place / Math.max(1, count - 1))].push(point);
      plot.points.push(point);
    }
    if (count > MANY) pixels(pen, groups.map((some, k) => [some, SHADES[k]]), dotSize(count), 0.8);
    else groups.forEach((some, k) => dots(pen, some, dotSize(count), SHADES[k], 0.8));
    plot.note.textContent = "Lighter trials are later.";
  };
}

// --------------------------------------------------------------------- a pair of parameters

function pair(order) {
  const columns = varied();
  if (columns.length < 2) return;
  const plot = new Plot("Two hyperparameters", { height: 300 });
  let x = columns.indexOf(order[0]), y = columns.indexOf(order[1]);
  const names = columns.map((each) => each.name);
  plot.select("Horizontal", names, x, (place) => { x = place; });
  plot.select("Vertical", names, y, (place) => { y = place; });
  plot.draw = (pen, width, height) => {
    const area = frame(width, height), across = columns[x], up = columns[y];
    const xs = makeScale(across.values, { log: across.log }), ys = makeScale(up.values, { log: up.log });
    const known = [];
    for (let place = 0; place < data.number.length; place += 1) {
      const a = xs.at(across.values[place]), b = ys.at(up.values[place]);
      if (a !== null && b !== null && isNumber(data.metric[place])) known.push([a, b, goodness(data.metric[place]), place]);
    }
    if (!xs.names && !ys.names && known.length > 5) contour(pen, area, known);
    axes(pen, area, xs, ys, across.log ? `${across.name} (log)` : across.name, up.log ? `${up.name} (log)` : up.name);
    const size = dotSize(known.length), many = known.length > MANY, groups = SHADES.map(() => []);
    pen.strokeStyle = css("--panel");
    pen.lineWidth = 0.8;
    for (const [a, b, good, place] of known) {
      const jitter = (names) => (names ? ((place * 0.618034) % 1 - 0.5) * 0.5 / names.length : 0);
      const px = area.x + area.w * (a + jitter(xs.names)), py = area.y + area.h * (1 - b - jitter(ys.names));
      const point = [px, py, place];
      plot.points.push(point);
      groups[shade(good)].push(point);
      if (many) continue;
      pen.fillStyle = SHADES[shade(good)];
      pen.beginPath(); pen.arc(px, py, size, 0, 7); pen.fill(); pen.stroke();
    }
    if (many) pixels(pen, groups.map((some, k) => [some, SHADES[k]]), 2, 1);
    plot.note.textContent = `Lighter is better; the ground is interpolated from the trials.`;
  };
}

// Bands of equal height, from the nearest trials weighted by their distance.
function contour(pen, area, known) {
  const cells = 36, most = 300, step = Math.max(1, Math.floor(known.length / most));
  const some = known.filter((_, place) => place % step === 0);
  const w = area.w / cells, h = area.h / cells;
  pen.globalAlpha = 0.35;
  for (let i = 0; i < cells; i += 1) {
    for (let j = 0; j < cells; j += 1) {
      const a = (i + 0.5) / cells, b = (j + 0.5) / cells;
      let sum = 0, weight = 0;
      for (const [x, y, good] of some) {
        const far = (x - a) ** 2 + (y - b) ** 2 + 0.0004, each = 1 / (far * far);
        sum += each * good; weight += each;
      }
      pen.fillStyle = SHADES[shade(Math.round((sum / weight) * 9) / 9)];
      // Whole pixels: translucent cells must neither overlap nor leave gaps.
      const left = Math.round(area.x + i * w), top = Math.round(area.y + area.h - (j + 1) * h);
      const right = Math.round(area.x + (i + 1) * w), bottom = Math.round(area.y + area.h - j * h);
      pen.fillRect(left, top, right - left, bottom - top);
    }
  }
  pen.globalAlpha = 1;
}

// ------------------------------------------------------------------------------- importance

const MOST_JUDGED = 8000; // trials, an even choice of them

// Share of the metric's variance that groups of like values explain: of a number its quantiles, of
// a text each value; corrected for the number of groups.
function explained(column) {
  const rows = [], step = Math.ceil(column.values.length / MOST_JUDGED);
  for (let place = 0; place < column.values.length; place += step) {
    const value = column.values[place];
    if (value !== null && isNumber(data.metric[place])) rows.push([value, goodness(data.metric[place])]);
  }
  if (rows.length < 8) return 0;
  const groups = new Map(), numeric = rows.every(([value]) => isNumber(value));
  if (numeric && new Set(rows.map(([value]) => value)).size > 10) {
    rows.sort((a, b) => a[0] - b[0]);
    const count = clamp(Math.floor(rows.length / 6), 2, 12);
    rows.forEach(([, good], place) => push(groups, Math.floor((place * count) / rows.length), good));
  } else rows.forEach(([value, good]) => push(groups, String(value), good));
  const mean = rows.reduce((sum, [, good]) => sum + good, 0) / rows.length;
  const total = rows.reduce((sum, [, good]) => sum + (good - mean) ** 2, 0);
  let within = 0;
  for (const some of groups.values()) {
    const own = some.reduce((sum, good) => sum + good, 0) / some.length;
    within += some.reduce((sum, good) => sum + (good - own) ** 2, 0);
  }
  const freedom = rows.length - groups.size;
  if (total === 0 || freedom < 1) return 0;
  return clamp(1 - within / freedom / (total / (rows.length - 1)), 0, 1);
}

function push(groups, key, value) {
  if (!groups.has(key)) groups.set(key, []);
  groups.get(key).push(value);
}

function importance(scores) {
  if (scores.length < 2) return;
  const shown = scores.slice(0, 12);
  const plot = new Plot("Importance of hyperparameters", {
    height: 40 + shown.length * 26,
    note: `Share of the metric's variance that a hyperparameter explains on its own${
      data.number.length > MOST_JUDGED ? ", in an even choice of the trials" : ""}.`,
  });
  plot.draw = (pen, width) => {
    const left = Math.min(170, width * 0.35), space = width - left - 60;
    shown.forEach(([column, score], place) => {
      const y = 8 + place * 26;
      pen.textBaseline = "middle";
      pen.textAlign = "right";
      pen.fillStyle = css("--text");
      pen.fillText(short(column.name, Math.floor(left / 7)), left - 10, y + 9);
      pen.fillStyle = css("--grey-soft");
      pen.fillRect(left, y, space, 18);
      pen.fillStyle = css("--accent");
      pen.fillRect(left, y, Math.max(1, space * score), 18);
      pen.textAlign = "left";
      pen.fillStyle = css("--dim");
      pen.fillText(`${Math.round(score * 100)}%`, left + space + 8, y + 9);
    });
  };
  plot.canvas.setAttribute("aria-label", `Importance: ${shown.map(([c, s]) => `${c.name} ${Math.round(s * 100)}%`).join(", ")}`);
}

// ------------------------------------------------------------------------------ generations

function generations() {
  const groups = new Map();
  data.generation.forEach((number, place) => { if (number !== null && isNumber(data.metric[place])) push(groups, number, [data.metric[place], place]); });
  if (groups.size < 2) return;
  const numbers = [...groups.keys()].sort((a, b) => a - b);
  const pick = data.direction === "MIN" ? Math.min : Math.max;
  const best = numbers.map((n) => groups.get(n).reduce((now, [v]) => (now === null ? v : pick(now, v)), null));
  const mean = numbers.map((n) => groups.get(n).reduce((sum, [v]) => sum + v, 0) / groups.get(n).length);
  const plot = new Plot("Generations: best and mean", { height: 280 });
  plot.draw = (pen, width, height) => {
    const area = frame(width, height), x = makeScale(numbers), y = makeScale(data.metric, { trim: true });
    axes(pen, area, x, y, "generation", data.key);
    const at = (n, v) => [area.x + area.w * x.at(n), area.y + area.h * (1 - clamp(y.at(v), 0, 1))];
    for (const n of numbers) for (const [v, place] of groups.get(n)) plot.points.push([...at(n, v), place]);
    dots(pen, plot.points, 2.5, css("--accent"), 0.35);
    for (const [values, colour] of [[mean, "--accent"], [best, "--bar-done"]]) {
      pen.strokeStyle = css(colour);
      pen.lineWidth = 2;
      pen.beginPath();
      numbers.forEach((n, k) => pen.lineTo(...at(n, values[k])));
      pen.stroke();
    }
    plot.note.textContent = "Green: the best of each generation. Blue: their mean.";
  };
}

// --------------------------------------------------------------------------- learning curves

function curves() {
  const found = data.curves || [];
  if (!found.length) return;
  const plot = new Plot("Learning curves", { full: true, height: 320 });
  const steps = found.flatMap((curve) => curve.steps), values = found.flatMap((curve) => curve.values);
  const place = new Map((data.number || []).map((number, k) => [number, k]));
  const named = found.some((curve) => curve.label);
  plot.draw = (pen, width, height) => {
    const area = frame(width, height), x = makeScale(steps), y = makeScale(values, { trim: true });
    axes(pen, area, x, y, "step", data.key);
    pen.lineWidth = found.length > 200 ? 0.8 : 1.4;
    pen.globalAlpha = found.length > 200 ? 0.45 : 0.8;
    found.forEach((curve, nth) => {
      const last = curve.values.findLast(isNumber);
      pen.strokeStyle = last === undefined ? css("--dim") : SHADES[shade(goodness(last))];
      if (named) pen.strokeStyle = PALETTE[nth % PALETTE.length];
      pen.beginPath();
      let point = null;
      curve.steps.forEach((step, k) => {
        const up = y.at(curve.values[k]);
        if (up === null) return;
        point = [area.x + area.w * x.at(step), area.y + area.h * (1 - clamp(up, 0, 1))];
        pen.lineTo(...point);
      });
      pen.stroke();
      const label = curve.label ? `${curve.label}\n${data.key} ${numberText(last)}` : `trial ${curve.trial}`;
      if (point) plot.points.push([...point, place.get(curve.trial) ?? label]);
    });
    pen.globalAlpha = 1;
    if (named) {
      pen.textAlign = "left";
      pen.textBaseline = "middle";
      found.forEach((curve, nth) => {
        const up = area.y + 14 + nth * 16;
        pen.fillStyle = PALETTE[nth % PALETTE.length];
        pen.fillRect(area.x + 10, up - 2, 14, 3);
        pen.fillStyle = css("--text");
        pen.fillText(short(curve.label, 50), area.x + 30, up);
      });
      plot.note.textContent = "What the trials reported.";
      return;
    }
    const more = data.curvesLeftOut ? ` ${data.curvesLeftOut} more are not drawn.` : "";
    plot.note.textContent = `What ${found.length} trials reported. Lighter ends are better.${more}`;
  };
}

// --------------------------------------------------------------------------------- timeline

function timeline() {
  const rows = data.number.map((_, place) => place).filter((place) => isNumber(data.started[place]) && isNumber(data.ended[place]) && data.ended[place] > data.started[place]);
  if (rows.length < 2) return;
  rows.sort((a, b) => data.started[a] - data.started[b]);
  const workers = data.workers || [], workerOf = (row) => (data.worker ? data.worker[row] : null) ?? -1;
  const lanes = [], lane = new Map(); // a lane has its worker, and when it begins and ends
  const own = new Map(); // the lanes of each worker
  let busy = 0, end = -Infinity;
  const begin = data.started[rows[0]];
  for (const row of rows) {
    // The worker's own lane; a worker of several threads has several. Where workers are not known:
    // the lane that has been free for the shortest time, so that gaps stay visible.
    const worker = workerOf(row);
    let best = null;
    if (!own.has(worker)) own.set(worker, []);
    for (const each of own.get(worker)) {
      if (each.to <= data.started[row] + 1e-6 && (!best || each.to > best.to)) best = each;
    }
    if (!best) {
      best = { worker, from: data.started[row], to: 0 };
      lanes.push(best);
      own.get(worker).push(best);
    }
    best.to = data.ended[row];
    lane.set(row, best);
    busy += data.ended[row] - data.started[row];
    end = Math.max(end, data.ended[row]);
  }
  const known = lanes.some((each) => each.worker >= 0);
  // Lanes of a worker lie together, in the order in which workers began; those without one come last.
  const first = new Map();
  for (const each of lanes) if (!first.has(each.worker)) first.set(each.worker, each.worker < 0 ? Infinity : each.from);
  lanes.sort((a, b) => first.get(a.worker) - first.get(b.worker) || a.worker - b.worker || a.from - b.from);
  lanes.forEach((each, k) => { each.place = k; });
  const shown = Math.min(lanes.length, 64), step = clamp(Math.floor(420 / shown), 5, 26);
  const title = known ? "Timeline of workers" : "Timeline";
  const plot = new Plot(title, { full: true, height: 46 + shown * step });
  plot.draw = (pen, width) => {
    const left = known && step >= 12 ? Math.min(150, width * 0.3) : 12, space = width - left - 12, span = end - begin || 1;
    const across = (time) => left + (space * (time - begin)) / span;
    if (known) {
      pen.textBaseline = "middle";
      pen.textAlign = "right";
      lanes.slice(0, shown).forEach((each, k) => {
        pen.fillStyle = css("--grey-soft"); // where no bar covers it, the worker was idle
        pen.fillRect(across(each.from), 6 + k * step, across(each.to) - across(each.from), step - 2);
        if (left < 20 || (k && lanes[k - 1].worker === each.worker)) return;
        pen.fillStyle = css("--dim");
        const name = each.worker < 0 ? "not known" : workers[each.worker].replace(/^\w+:\/\//, "");
        pen.fillText(short(name, Math.floor(left / 6.5)), left - 8, 5 + (k + 0.5) * step);
      });
    }
    pen.textBaseline = "top";
    const [unit, name] = timeUnit(span);
    for (const tick of makeScale([0, span / unit]).ticks(8)) {
      const x = Math.round(left + space * tick.at) + 0.5;
      pen.strokeStyle = css("--line-soft");
      pen.beginPath(); pen.moveTo(x, 4); pen.lineTo(x, 8 + shown * step); pen.stroke();
      pen.fillStyle = css("--dim");
      pen.textAlign = tick.at < 0.02 ? "left" : tick.at > 0.97 ? "right" : "center";
      pen.fillText(`${tick.text} ${name}`, x, 12 + shown * step);
    }
    const colours = { FINISHED: css("--bar-done"), STOPPED: css("--bar-stopped"), FAILED: css("--bar-failed") };
    const dim = css("--dim"), covered = new Map(); // the last pixel of each lane that is full, and its colour
    pen.globalAlpha = 0.85;
    for (const row of rows) {
      const { place } = lane.get(row);
      if (place >= shown) continue;
      const x = across(data.started[row]), y = 6 + place * step;
      const w = Math.max(0.8, across(data.ended[row]) - x);
      const colour = colours[data.state[row]] || dim, pixel = `${Math.floor(x)} ${colour}`;
      if (w > 1 || covered.get(place) !== pixel) {
        pen.fillStyle = colour;
        if (w > 1) pen.fillRect(x, y, Math.max(0.6, w - 1), step - 2);
        else pen.fillRect(Math.floor(x), y, 1, step - 2);
        covered.set(place, pixel);
      }
      plot.points.push([x + w / 2, y + step / 2, row, w / 2, step / 2]);
    }
    pen.globalAlpha = 1;
    const share = Math.round((100 * busy) / ((end - begin) * lanes.length)), whole = secondsText(end - begin);
    const count = new Set(lanes.map((each) => each.worker).filter((worker) => worker >= 0)).size;
    plot.note.textContent = known
      ? `${count} ${count === 1 ? "worker" : "workers"}, busy for ${share}% of ${whole}. Where a band has no bar, its worker was idle.`
      : `At most ${lanes.length} trials ran at the same time; their places were busy for ${share}% of ${whole}.`;
  };
  plot.nearest = (event) => {
    const box = plot.canvas.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    return plot.points.find((p) => Math.abs(p[0] - x) <= Math.max(2, p[3]) && Math.abs(p[1] - y) <= p[4]) || null;
  };
}

// ------------------------------------------------------------------------------------ the page

function build() {
  plots.length = 0;
  host.replaceChildren();
  host.className = "plots";
  tip.hidden = true;
  if (data.comparison) {
    curves();
    redrawAll();
    return;
  }
  goodness = ranked(data.metric, data.direction || "MAX");
  if (!data.metric.some(isNumber)) {
    host.className = "";
    const empty = document.createElement("div");
    empty.className = "empty";
    empty.textContent = "No trial has a metric yet. Plots appear here as trials end.";
    host.append(empty);
    if (data.number.length > 1) { host.className = "plots"; timeline(); }
  } else {
    const scores = varied().map((column) => [column, explained(column)]).sort((a, b) => b[1] - a[1]);
    const order = scores.map(([column]) => column);
    history();
    curves();
    parallel();
    slice(order);
    pair(order);
    importance(scores);
    generations();
    timeline();
  }
  redrawAll();
}

// Makes the plots of new data. The reader's place on the page stays.
function take(news) {
  const focused = host.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
  const top = scrollY;
  data = news;
  waiting = null;
  build();
  host.dataset.drawn = String((data.number || data.curves).length);
  scrollTo({ top, behavior: "instant" });
  if (focused) [...host.querySelectorAll("[aria-label]")].find((each) => each.getAttribute("aria-label") === focused)?.focus();
}

function redrawAll() { for (const plot of plots) plot.redraw(); }

async function load() {
  const inside = document.getElementById("plots-data"); // of a page without a server
  let news = null;
  try {
    if (inside && !data) {
      data = JSON.parse(inside.textContent);
      build();
      return;
    }
    const answer = await fetch(host.dataset.plots);
    if (!answer.ok) throw new Error(`${answer.status}`);
    news = await answer.json();
  } catch (error) {
    if (!data) host.textContent = `The trials cannot be read (${error.message}).`;
    return;
  }
  if (held) waiting = news; else take(news);
}

let resized = 0;
addEventListener("resize", () => { clearTimeout(resized); resized = setTimeout(redrawAll, 80); });
addEventListener("themechange", redrawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
addEventListener("pagerefreshed", load);
load();
