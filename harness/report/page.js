// Draws the plots in the colours of the page, and sorts tables by the column whose heading is clicked.
const specs = JSON.parse(document.getElementById("specs").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
const print = matchMedia("print");

function theme(width) {
  const night = dark.matches && !print.matches;
  const ink = night ? "#e6e9ec" : "#1b1f24";
  const line = night ? "#333b44" : "#d8dee4";
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
    range: { category: night
      ? ["#6cb6ff", "#f69d50", "#57ab5a", "#f47067", "#dcbdfb", "#e2c541", "#76e3ea", "#ff9bce", "#adbac7", "#c69026", "#8ddb8c", "#b083f0"]
      : ["#0969da", "#bc4c00", "#1a7f37", "#cf222e", "#8250df", "#7d6a00", "#0a7480", "#bf3989", "#57606a", "#633c01", "#54a3ff", "#d4a72c"] },
  };
}

async function draw() {
  for (const place of document.querySelectorAll("[data-plot]")) {
    const options = { renderer: "svg", actions: { export: true, source: false, compiled: false, editor: false }, config: theme(place.clientWidth) };
    try {
      await vegaEmbed(place, specs[place.dataset.plot], options);
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

for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => sort(button.parentElement));
}
dark.addEventListener("change", draw);
print.addEventListener("change", draw);
draw();
