// What pages can do beyond links and forms. Without this script they still work.

const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const body = document.body;

// Dark and light.
document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("hopsml-theme", root.dataset.theme); } catch { /* storage is off */ }
  dispatchEvent(new Event("themechange"));
});

// Filters are sent when they are chosen.
for (const field of $$("[data-submit]")) {
  field.addEventListener("change", () => field.form.requestSubmit());
}
// Empty fields make no long addresses.
for (const form of $$("form.filters")) {
  form.addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
  });
}

// "/" goes to the search, Escape leaves it or clears the selection.
addEventListener("keydown", (event) => {
  const field = document.querySelector("[data-focus]");
  const typing = event.target.matches("input:not([type=checkbox]), textarea, select");
  if (event.key === "/" && field && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    field.focus();
    field.select();
  } else if (event.key === "Escape" && typing) {
    event.target.blur();
  } else if (event.key === "Escape") {
    for (const box of $$("input[name=e]:checked")) box.checked = false;
    showSelection();
  }
});

// The selection of rows, and what can be done with it.
const selection = document.querySelector("form[data-selection]");
function showSelection() {
  if (!selection) return;
  const boxes = $$("input[name=e]", selection);
  const chosen = boxes.filter((box) => box.checked);
  selection.querySelector("[data-actions]").hidden = chosen.length === 0;
  selection.querySelector("[data-count]").textContent = `${chosen.length} selected`;
  const all = selection.querySelector("[data-all]");
  if (all) {
    all.checked = chosen.length > 0 && chosen.length === boxes.length;
    all.indeterminate = chosen.length > 0 && chosen.length < boxes.length;
  }
}
if (selection) {
  let last = null;
  selection.addEventListener("click", (event) => {
    const box = event.target.closest("input[name=e]");
    if (!box) return;
    const boxes = $$("input[name=e]", selection);
    if (event.shiftKey && last && boxes.includes(last)) {
      const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((a, b) => a - b);
      for (const each of boxes.slice(from, to + 1)) each.checked = box.checked;
    }
    last = box;
  });
  selection.addEventListener("change", (event) => {
    if (event.target.matches("[data-all]")) {
      for (const box of $$("input[name=e]", selection)) box.checked = event.target.checked;
    }
    showSelection();
  });
  selection.querySelector("[data-compare]")?.addEventListener("click", () => {
    const chosen = $$("input[name=e]:checked", selection).map((box) => ["e", box.value]);
    location.href = `${selection.dataset.selection}?${new URLSearchParams(chosen)}`;
  });
  showSelection();
}

// Copies of commands.
addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch { // an address that is neither https nor this machine has no clipboard
    const area = document.createElement("textarea");
    area.value = text;
    body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  const before = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = before; }, 1200);
});

// Only the rows of a comparison that differ.
document.getElementById("only-different")?.addEventListener("change", (event) => {
  document.querySelector("table.compare").classList.toggle("only-different", event.target.checked);
});

// Live pages: ask for the version, and put in the parts of the page that have changed.
const status = document.getElementById("live-status");
const QUICK = 2000, SLOW = 10000;
let version = body.dataset.version;
let refreshed = Date.now();

async function refreshPage() {
  const answer = await fetch(location.href, { headers: { "X-Part": "1" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const chosen = new Set($$("input[name=e]:checked").map((box) => box.value));
  for (const part of $$("[data-part]")) {
    const other = fresh.getElementById(part.id);
    if (!other || other.innerHTML === part.innerHTML) continue;
    const scrolled = $$(".scroll", part).map((each) => each.scrollLeft);
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    const key = focused && (focused.getAttribute("href") || focused.value);
    part.innerHTML = other.innerHTML; // the server's own page, whose policy allows no other script
    $$(".scroll", part).forEach((each, place) => { each.scrollLeft = scrolled[place] || 0; });
    for (const box of $$("input[name=e]", part)) box.checked = chosen.has(box.value);
    if (key) {
      $$("a, input", part).find((each) => (each.getAttribute("href") || each.value) === key)?.focus();
    }
  }
  showSelection();
  dispatchEvent(new Event("pagerefreshed"));
}

async function live() {
  if (!document.hidden) {
    try {
      const answer = await fetch(body.dataset.live);
      if (!answer.ok) throw new Error(answer.statusText);
      const news = (await answer.json()).version;
      // What runs gets older, and may be lost, without a change on storage.
      const old = Date.now() - refreshed > 30000 && document.querySelector(".state.running");
      if (news !== version || old) {
        version = news;
        refreshed = Date.now();
        await refreshPage();
      }
      status.textContent = "";
    } catch {
      status.textContent = "The server does not answer";
    }
  }
  setTimeout(live, document.querySelector(".state.running") ? QUICK : SLOW);
}
if (body.dataset.live) setTimeout(live, QUICK);

// The log of a trial, followed while it runs; it may begin later than the page.
const log = document.getElementById("log");
if (log) {
  log.scrollTop = log.scrollHeight;
  const missing = document.getElementById("log-missing");
  let from = Number(log.dataset.from), process = log.dataset.process;
  const follow = async () => {
    let over = false;
    if (!document.hidden && document.getElementById("follow").checked) {
      try {
        const answer = await fetch(`${log.dataset.log}?${new URLSearchParams({ process, from })}`);
        const news = await answer.json();
        if (news.again) log.textContent = "";
        const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
        const begins = Boolean(news.text) && log.hidden;
        if (begins) { // now it is known whose log it is
          process = news.process;
          missing.hidden = true;
          log.hidden = false;
        }
        if (news.text) log.append(news.text);
        from = news.next;
        over = news.over;
        if (news.text && atEnd) log.scrollTop = log.scrollHeight;
        if (begins) await refreshPage();
        if (over && missing) missing.textContent = "No log.";
      } catch { /* the page's status says that the server does not answer */ }
    }
    if (!over) setTimeout(follow, 1000);
  };
  if (log.dataset.running) setTimeout(follow, 500);
}
