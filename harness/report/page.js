// Draws the plots in the colours of the page, answers questions, sorts and copies tables.
const { plots, searches, races } = JSON.parse(document.getElementById("specs").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
const print = matchMedia("print");
const series = document.getElementById("series");

function theme(width) {
  const night = dark.matches && !print.matches;
  const ink = night ? "#e6e9ec" : "#1b1f24";
  const line = night ? "#3a434d" : "#d0d7de";
  return {
    background: "transparent",
    font: "system-ui, sans-serif",
    view: { stroke: line },
    axis: { labelColor: ink, titleColor: ink, gridColor: line, gridOpacity: 0.6, domainColor: line, tickColor: line },
    legend: {
      labelColor: ink,
      titleColor: ink,
      columns: Math.max(1, Math.min(4, Math.floor(width / 165))), // as many as there is room for
    },
    text: { color: ink },
    rule: { color: ink },
  };
}

// What is switched off is left out of the data of every chart.
function chosen(spec) {
  if (!series || !spec.datasets) return spec;
  const shown = new Set([...series.querySelectorAll("input:checked")].map((each) => each.value));
  const known = new Set([...series.querySelectorAll("input")].map((each) => each.value)); // the rest are labels of their own
  const race = series.elements.race.value;
  const wanted = (row) => (row.contender === undefined || !known.has(row.contender) || shown.has(row.contender)) && (!race || row.race === undefined || row.race === race);
  const datasets = Object.fromEntries(Object.entries(spec.datasets).map(([name, rows]) => [name, rows.filter(wanted)]));
  const emptied = new Set(Object.keys(datasets).filter((name) => spec.datasets[name].length && !datasets[name].length));
  const layers = spec.layer?.filter((each) => !emptied.has((each.data ?? spec.data)?.name));
  const concerned = layers?.some((each) => datasets[(each.data ?? spec.data)?.name]?.some((row) => row.contender || row.race));
  if (!concerned) return spec; // the choice has nothing in this chart, which is shown in full
  const field = { contender: (name) => !known.has(name) || shown.has(name), race: (name) => !race || name === race };
  return narrowed({ ...spec, datasets, layer: layers }, field);
}

// Legends without what is switched off; colours stay with their names.
function narrowed(part, field) {
  if (Array.isArray(part)) return part.map((each) => narrowed(each, field));
  if (part === null || typeof part !== "object") return part;
  const wanted = field[part.field];
  const { domain, range } = part.scale ?? {};
  if (wanted && Array.isArray(domain)) {
    const kept = domain.map((name, place) => [name, range[place]]).filter(([name]) => wanted(name));
    return { ...part, scale: { ...part.scale, domain: kept.map(([name]) => name), range: kept.map(([, value]) => value) } };
  }
  return Object.fromEntries(Object.entries(part).map(([name, value]) => [name, name === "datasets" ? value : narrowed(value, field)]));
}

async function draw() {
  for (const place of document.querySelectorAll("[data-plot]")) {
    const name = place.dataset.plot;
    const options = { renderer: "svg", actions: { export: true, source: false, compiled: false, editor: false }, config: theme(place.clientWidth) };
    try {
      await vegaEmbed(place, name === "lead-map" ? plots[name] : chosen(plots[name]), options);
    } catch (error) {
      place.textContent = "This plot could not be drawn; the tables below hold its figures.";
      console.error(error);
    }
  }
  document.body.dataset.drawn = "yes";
}

function sort(heading) {
  const row = heading.parentElement;
  const column = [...row.children].indexOf(heading);
  const body = heading.closest("table").tBodies[0];
  const down = heading.getAttribute("aria-sort") === "ascending";
  for (const other of row.children) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rank = (line) => {
    const cell = line.children[column];
    return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
  };
  const order = (a, b) => {
    const [one, other] = [rank(a), rank(b)];
    if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
    return (typeof one === "number" ? one - other : one.localeCompare(other)) * (down ? -1 : 1);
  };
  body.append(...[...body.rows].sort(order));
}

function markdown(table) {
  const clean = (cell) => cell.textContent.trim().replace(/\s+/g, " ").replace(/[\\`*_[\]<>|]/g, "\\$&");
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const heads = [...table.tHead.rows[0].cells];
  const rule = heads.map((each) => (each.classList.contains("number") ? "--:" : ":--"));
  return [line(heads.map(clean)), line(rule), ...[...table.tBodies[0].rows].map((row) => line([...row.cells].map(clean)))].join("\n");
}

async function copy(button) {
  const text = markdown(button.parentElement.nextElementSibling.querySelector("table"));
  document.body.dataset.copied = text;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea"); // where the browser has no clipboard for files
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy as Markdown"; }, 2000);
}

const times = (value) => `${value < 10 ? value.toPrecision(3) : Math.round(value)}x`;

function answer(search, heads) {
  const name = `${search.race}: `;
  const span = search.spans.find(([low, high]) => low <= heads && heads <= high);
  if (!span) return `${name}N = ${heads.toLocaleString("en")} was not measured`;
  const [, , faster, ratio, low, high] = span;
  const open = search.undecided.find(([first, last]) => first < heads && heads < last);
  if (open || !faster) return `${name}undecided: ${search.baseline} and ${search.challenger} are too close here`;
  const ends = [low, high].map((each) => Math.exp(Math.abs(each))).sort((a, b) => a - b);
  return `${name}${search[faster]} is faster, about ${times(Math.exp(Math.abs(ratio)))} (${times(ends[0])} to ${times(ends[1])} at the nearest probe)`;
}

function ask(event) {
  event.preventDefault();
  const heads = Number(event.target.elements.heads.value);
  const batch = Number(event.target.elements.batch.value);
  const list = document.createElement("ul");
  for (const search of heads > 0 ? searches.filter((each) => each.batch === batch) : []) {
    const item = document.createElement("li");
    item.textContent = answer(search, heads);
    list.append(item);
  }
  document.getElementById("asked").replaceChildren(list);
}

for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => sort(button.parentElement));
}
for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", () => copy(button));
}
for (const button of document.querySelectorAll("button.more")) {
  const row = document.getElementById(button.getAttribute("aria-controls"));
  row.hidden = true;
  button.addEventListener("click", () => {
    row.hidden = !row.hidden;
    button.setAttribute("aria-expanded", String(!row.hidden));
  });
}
document.getElementById("ask")?.addEventListener("submit", ask);
series?.addEventListener("submit", (event) => event.preventDefault());
series?.addEventListener("change", (event) => {
  if (event.target.name === "race") {
    const rivals = races[event.target.value];
    for (const each of series.querySelectorAll("input")) each.checked = !rivals || rivals.includes(each.value);
  }
  draw();
});
if (series && Object.keys(races).length) {
  series.elements.race.selectedIndex = 1; // what the first race needs; all on demand
  for (const each of series.querySelectorAll("input")) each.checked = races[series.elements.race.value].includes(each.value);
}
// A link to a folded section opens it.
function unfold() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const folded = target && target.parentElement.querySelector(":scope > details");
  if (folded) folded.open = true;
}
addEventListener("hashchange", unfold);
unfold();
dark.addEventListener("change", draw);
print.addEventListener("change", draw);
draw();
