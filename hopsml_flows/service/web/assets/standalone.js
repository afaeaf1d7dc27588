// A page without a server: sorts and filters its own table.
{
  const table = document.getElementById("trials"), rows = [...table.tBodies[0].rows];
  const count = document.getElementById("count"), field = document.getElementById("filter");
  table.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("th");
    if (!head) return;
    const place = head.cellIndex, down = head.getAttribute("aria-sort") === "ascending";
    for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = (row) => {
      const text = row.cells[place].textContent, number = Number(text);
      return text === "" || text === "—" ? null : Number.isNaN(number) ? text : number;
    };
    const keyed = rows.map((row) => [value(row), row]);
    keyed.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
      return (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1);
    });
    table.tBodies[0].append(...keyed.map(([, row]) => row));
  });
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase();
    let shown = 0;
    for (const row of rows) { row.hidden = !row.textContent.toLowerCase().includes(words); shown += !row.hidden; }
    count.textContent = `${shown} trials`;
  });
  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement, dark = root.dataset.theme
      ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    dispatchEvent(new Event("themechange"));
  });
}
