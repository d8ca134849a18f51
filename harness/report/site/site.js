"use strict";
// Filters the list of runs, compares two runs, and follows runs that are being measured where the site is served.
const body = document.body;
const make = (tag, text, kind) => {
  const found = document.createElement(tag);
  if (text !== undefined) found.textContent = text;
  if (kind) found.className = kind;
  return found;
};

function filtering() {
  const form = document.getElementById("filter");
  if (!form) return;
  const rows = [...document.querySelectorAll("#runs tbody tr")];
  const chosen = () => rows.map((row) => row.querySelector("input")).filter((each) => each.checked);
  const apply = () => {
    const { text, suite, state } = form.elements;
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const said = row.textContent.toLowerCase();
      const fits = words.every((word) => said.includes(word))
        && (!suite.value || row.dataset.suite === suite.value) && (!state.value || row.dataset.state === state.value);
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    document.getElementById("count").textContent = `${shown} of ${rows.length} run${rows.length === 1 ? "" : "s"}`;
  };
  const pair = document.getElementById("pair");
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("runs").addEventListener("change", () => { pair.disabled = chosen().length !== 2; });
  pair.addEventListener("click", () => {
    const [later, earlier] = chosen().map((each) => each.value); // the list begins with the latest
    location.href = `compare.html#old=${earlier}&new=${later}`;
  });
  apply();
}

const loaded = {};
window.harnessFigures = (figures) => { loaded[figures.run] = figures; };

function load(name) {
  if (loaded[name]) return Promise.resolve(loaded[name]);
  return new Promise((resolve, reject) => {
    const script = make("script"); // a file: page may not fetch, but may load scripts
    script.src = `runs/${name}/figures.js`;
    script.onload = () => resolve(loaded[name]);
    script.onerror = () => reject(new Error(`the figures of ${name} cannot be loaded`));
    document.head.append(script);
  });
}

function table(heads, rows) {
  const found = make("table");
  const line = found.createTHead().insertRow();
  for (const each of heads) { const cell = make("th", each); cell.scope = "col"; line.append(cell); }
  const rest = found.createTBody();
  for (const row of rows) {
    const drawn = rest.insertRow();
    for (const [text, kind] of row.map((each) => (Array.isArray(each) ? each : [each]))) drawn.append(make("td", text, kind));
  }
  const scroll = make("div", undefined, "scroll");
  scroll.append(found);
  return scroll;
}

function crossover(old, now) {
  if (!old) return ["appeared", "differs"];
  if (!now) return ["vanished", "differs"];
  if (old.crossings.length !== now.crossings.length) return ["other number of crossings", "differs"];
  if (old.below !== now.below || old.above !== now.above) return ["another leader", "differs"];
  const apart = old.crossings.some(([, low, high], place) => now.crossings[place][2] < low || high < now.crossings[place][1]);
  return apart ? ["moved: intervals do not overlap", "differs"] : ["no significant change", "dim"];
}

function cell(old, now) {
  const ratio = now[0] / old[0];
  const known = [old[1], old[2], now[1], now[2]].every((each) => each !== null);
  if (!known) return [ratio, "unknown", "dim"];
  if (now[1] > old[2]) return [ratio, "slower", "differs"];
  if (now[2] < old[1]) return [ratio, "faster", "good"];
  return [ratio, "no significant change", "dim"];
}

function show(old, now, place) {
  const facts = [["commit", old.commit, now.commit], ["suite", old.suite, now.suite], ["suite file", old.options, now.options]];
  for (const kind of ["versions", "machine"]) {
    for (const name of new Set([...Object.keys(old[kind]), ...Object.keys(now[kind])])) {
      facts.push([name, old[kind][name] ?? "absent", now[kind][name] ?? "absent"]);
    }
  }
  const changed = facts.filter(([, was, is]) => was !== is);
  const labels = [...new Set([...Object.keys(old.crossovers), ...Object.keys(now.crossovers)])];
  const races = labels.map((label) => {
    const [was, is] = [old.crossovers[label], now.crossovers[label]];
    return [label, was?.text ?? "", is?.text ?? "", crossover(was, is)];
  });
  const both = Object.keys(old.cells).filter((name) => now.cells[name]);
  const cells = both.map((name) => [name, ...cell(old.cells[name], now.cells[name])]);
  const moved = cells.filter(([, , verdict]) => verdict === "slower" || verdict === "faster");
  moved.sort((a, b) => Math.abs(Math.log(b[1])) - Math.abs(Math.log(a[1])));
  place.replaceChildren(
    make("h2", "What was different"),
    changed.length ? table(["what", "old", "new"], changed) : make("p", "The same suite, commit, versions and machine."),
    make("h2", "Crossovers"),
    races.length ? table(["race", "old N*", "new N*", "change"], races) : make("p", "Neither run has races."),
    make("h2", `Latencies: ${moved.length} of ${both.length} cells changed`),
    ...(moved.length ? [table(["cell", "new / old", "change"], moved.map(([name, ratio, verdict, kind]) => [name, `${ratio.toPrecision(3)}x`, [verdict, kind]]))] : []),
  );
  body.dataset.compared = "yes";
}

function comparing() {
  const form = document.getElementById("compare");
  if (!form) return;
  const place = document.getElementById("compared");
  const go = async () => {
    const { old, new: now } = form.elements;
    if (!old.value || !now.value) return;
    try {
      show(await load(old.value), await load(now.value), place);
    } catch (error) {
      place.textContent = error.message;
    }
  };
  const take = () => {
    const wanted = new URLSearchParams(location.hash.slice(1));
    for (const name of ["old", "new"]) if (wanted.get(name)) form.elements[name].value = wanted.get(name);
    go();
  };
  form.addEventListener("change", () => {
    history.replaceState(null, "", `#old=${form.elements.old.value}&new=${form.elements.new.value}`);
    go();
  });
  addEventListener("hashchange", take);
  take();
}

// Where the site is served: the page is taken anew when records have changed; what was typed and chosen stays.
async function following() {
  let known = null; // the page may be older than the first answer, so it is taken anew once
  for (;;) {
    try {
      const found = await (await fetch(`${body.dataset.root}changes`, { cache: "no-store" })).text();
      if (found !== known && !document.getElementById("compare")) {
        const text = await (await fetch(location.pathname, { cache: "no-store" })).text();
        const fresh = new DOMParser().parseFromString(text, "text/html").querySelector("main");
        const open = [...document.querySelectorAll("main details")].map((each) => each.open);
        const typed = [...document.querySelectorAll("#filter input, #filter select")].map((each) => each.value);
        const ticked = new Set([...document.querySelectorAll("#runs input:checked")].map((each) => each.value));
        document.querySelector("main").replaceWith(fresh);
        document.querySelectorAll("main details").forEach((each, place) => { each.open = open[place] ?? false; });
        document.querySelectorAll("#filter input, #filter select").forEach((each, place) => { each.value = typed[place]; });
        document.querySelectorAll("#runs input").forEach((each) => { each.checked = ticked.has(each.value); });
        filtering();
        body.dataset.updates = String(Number(body.dataset.updates ?? 0) + 1);
      }
      known = found;
    } catch {
      body.dataset.lost = "yes"; // the server was stopped
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

filtering();
comparing();
if (body.dataset.live) following();
