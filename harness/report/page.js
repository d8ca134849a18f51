// Draws the plots in the colours of the page, answers questions, sorts and copies tables.
const { plots, searches, races, chosen: best, pairs } = JSON.parse(document.getElementById("specs").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
const print = matchMedia("print");
const series = document.getElementById("series");
const seen = document.getElementById("seen");
const views = new Map(); // of the charts, by their name
const MOST_LABELS = 6; // series that are named where they end; more of them get a legend
const [LABEL_HEIGHT, LETTER, HEIGHT] = [13, 6.2, 320]; // pixels
const race = () => (series && series.elements.race.value !== "*" ? series.elements.race.value : "");

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
  const only = race();
  const wanted = (row) => (row.contender === undefined || !known.has(row.contender) || shown.has(row.contender)) && (!only || row.race === undefined || row.race === only);
  const datasets = Object.fromEntries(Object.entries(spec.datasets).map(([name, rows]) => [name, rows.filter(wanted)]));
  const emptied = new Set(Object.keys(datasets).filter((name) => spec.datasets[name].length && !datasets[name].length));
  const layers = spec.layer?.filter((each) => !emptied.has((each.data ?? spec.data)?.name));
  const concerned = layers?.some((each) => datasets[(each.data ?? spec.data)?.name]?.some((row) => row.contender || row.race));
  if (!concerned) return spec; // the choice has nothing in this chart, which is shown in full
  const field = { contender: (name) => !known.has(name) || shown.has(name), race: (name) => !only || name === only };
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

// Names beside the ends of at most six series, in place of a legend.
function settled(spec, width) {
  const layer = spec.layer?.find((each) => each.name === "labels");
  if (!layer) return spec;
  const { y, text } = layer.encoding;
  const up = y.field.replaceAll("\\", "");
  const rows = spec.datasets[layer.data.name];
  const room = 16 + Math.round(LETTER * Math.max(0, ...rows.map((row) => row[text.field].length)));
  const layers = spec.layer.filter((each) => each !== layer);
  if (!rows.length || rows.length > MOST_LABELS || room > 0.4 * width) return { ...spec, layer: layers };
  const log = y.scale?.type === "log";
  const [write, read] = log ? [Math.log, Math.exp] : [Number, Number];
  const known = Object.values(spec.datasets).flat().flatMap((row) => (typeof row[up] === "number" ? [write(row.end ?? row[up])] : []));
  const [bottom, top] = [Math.min(...known), Math.max(...known)];
  const gap = (LABEL_HEIGHT / HEIGHT) * (top - bottom || 1);
  const placed = rows.map((row) => ({ ...row, at: write(row.end) })).sort((a, b) => b.at - a.at);
  for (let place = 1; place < placed.length; place += 1) placed[place].at = Math.min(placed[place].at, placed[place - 1].at - gap);
  if (placed.at(-1).at < bottom) placed.at(-1).at = bottom;
  for (let place = placed.length - 2; place >= 0; place -= 1) placed[place].at = Math.max(placed[place].at, placed[place + 1].at + gap);
  const datasets = { ...spec.datasets, [layer.data.name]: placed.map((row) => ({ ...row, [up]: read(row.at) })) };
  return { ...bare(spec), datasets };
}

function bare(part) {
  if (Array.isArray(part)) return part.map(bare);
  if (part === null || typeof part !== "object") return part;
  return Object.fromEntries(Object.entries(part).map(([name, value]) => [name, name === "legend" ? null : name === "datasets" || name === "config" ? value : bare(value)]));
}

// The pairs of the search and the N that were chosen.
function paired(spec) {
  const found = pairs[Number(seen.elements.place.value) || 0];
  const name = spec.layer.find((each) => spec.datasets[each.data?.name]?.[0]?.pair).data.name;
  const rows = found.ratio.map((ratio, place) => ({ pair: place + 1, launch: found.launch[place], minutes: found.minutes[place], ratio }));
  const launches = [...new Set(found.launch)];
  const layer = spec.layer.map((each) => {
    if (each.data?.name !== name) return each;
    const { color, y } = each.encoding;
    const scale = { ...color.scale, domain: launches };
    const { values, ...axis } = y.axis; // those of another search
    return { ...each, encoding: { ...each.encoding, color: { ...color, scale }, y: { ...y, axis } } };
  });
  return { ...spec, layer, datasets: { ...spec.datasets, [name]: rows } };
}

function offer() {
  if (!seen) return;
  const before = seen.elements.place.value;
  const options = pairs.map((each, place) => [each, place]).filter(([each]) => !race() || each.race === race());
  seen.elements.place.replaceChildren(...options.map(([each, place]) => new Option(`${each.search}, N = ${each.N.toLocaleString("en")}`, String(place))));
  if (options.some(([, place]) => String(place) === before)) seen.elements.place.value = before;
}

async function show(place) {
  const name = place.dataset.plot;
  const spec = name.startsWith("lead-map") || name.startsWith("forest") ? plots[name] : name === "pairs" ? paired(plots[name]) : settled(chosen(plots[name]), place.clientWidth);
  const tooltip = { theme: dark.matches ? "dark" : "light" };
  const { view } = await vegaEmbed(place, spec, { renderer: "svg", actions: false, tooltip, config: theme(place.clientWidth) });
  views.set(name, view);
}

async function draw() {
  const only = race();
  for (const each of document.querySelectorAll("figure[data-race]")) {
    each.hidden = Boolean(only) && each.dataset.race !== only;
    if (each.previousElementSibling?.tagName === "H3") each.previousElementSibling.hidden = each.hidden;
  }
  for (const place of document.querySelectorAll("[data-plot]")) {
    if (place.closest("[hidden]")) continue;
    try {
      await show(place);
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

// A chart as a file, in the colours of the page.
async function save(button) {
  const form = button.dataset.form;
  const name = button.closest("figure").querySelector("[data-plot]").dataset.plot;
  const link = document.createElement("a");
  link.href = await views.get(name).toImageURL(form, 2);
  link.download = `${name}.${form}`;
  document.body.dataset.saved = link.download;
  link.click();
}

function said(cell) {
  const copy = cell.cloneNode(true);
  for (const each of copy.querySelectorAll(".about p, .hidden, button.more")) each.remove();
  return copy.textContent.trim().replace(/\s+/g, " ").replace(/[\\`*_[\]<>|]/g, "\\$&");
}

function markdown(table) {
  const clean = said;
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const heads = [...table.tHead.rows[0].cells];
  const rule = heads.map((each) => (each.classList.contains("number") ? "--:" : ":--"));
  if (table.classList.contains("answers")) { // a body for each race, with its name in a row of its own
    const rows = [...table.tBodies].flatMap((body) => [...body.rows].filter((row) => !row.className)
      .map((row) => line([said(body.rows[0].cells[0]), ...[...row.cells].slice(0, -1).map(clean)])));
    return [line(["race", ...heads.slice(0, -1).map(clean)]), line([":--", ...rule.slice(0, -1)]), ...rows].join("\n");
  }
  return [line(heads.map(clean)), line(rule), ...[...table.tBodies[0].rows].map((row) => line([...row.cells].map(clean)))].join("\n");
}

async function copy(button) {
  const table = button.closest(".ask") ? document.querySelector("table.answers") : button.parentElement.nextElementSibling.querySelector("table");
  const text = table ? markdown(table) : button.parentElement.nextElementSibling.textContent;
  const label = button.textContent;
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
  setTimeout(() => { button.textContent = label; }, 2000);
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
for (const button of document.querySelectorAll("button.save")) {
  button.addEventListener("click", () => save(button));
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
    offer();
  }
  draw();
});
races["*"] = best; // of a run without races
if (series && !best.length && Object.keys(races).length > 1) series.elements.race.selectedIndex = 1; // what the first race needs; all on demand
if (series) {
  const first = races[series.elements.race.value];
  for (const each of series.querySelectorAll("input")) each.checked = !first || first.includes(each.value);
}
seen?.addEventListener("submit", (event) => event.preventDefault());
seen?.addEventListener("change", () => show(document.querySelector('[data-plot="pairs"]')));
offer();
// A link to a folded section opens it.
function unfold() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const folded = target && target.parentElement.querySelector(":scope > details");
  if (folded) folded.open = true;
}
addEventListener("hashchange", unfold);
unfold();
dark.addEventListener("change", draw);
let width = document.documentElement.clientWidth;
addEventListener("resize", () => { // labels have their room or give way to a legend
  if (Math.abs(document.documentElement.clientWidth - width) > 40) draw();
  width = document.documentElement.clientWidth;
});
print.addEventListener("change", draw);
draw();
