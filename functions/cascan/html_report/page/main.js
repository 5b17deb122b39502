// Puts the page together.

const NO_FILTER = { words: "", severities: new Set(), category: -1, vantage: -1, onlyNew: false, service: -1 };

class FindingList {
  constructor() {
    this.all = listed.order();
    this.filter = { ...NO_FILTER };
    const columns = makeFindingColumns(listed);
    if (plain.since.isCompared) {
      columns.push({ title: "New", width: "6rem", class: "c-new", make: (row) => listed.standingOf(row), compare: (a, b) => listed.standing[a].localeCompare(listed.standing[b]) });
    }
    this.table = new VirtualTable({ id: "finding-list", caption: "List of findings", columns, rows: this.all, open: (row) => openDetails(listed, row), unit: "finding",
      describe: (row) => (listed.severityOf(row) < 3 ? listed.describe(row) : "") });
    this.table.table.classList.add("cards");
  }

  build() {
    this.search = make("input", { type: "search", id: "search", autocomplete: "off", spellcheck: "false", placeholder: "Text, address or port:443", oninput: () => this.#read() });
    this.severities = severityTitles.map((title, number) => makeButton(title, () => this.#toggle(number), { class: `toggle s${number}`, "aria-pressed": "false" }));
    this.category = this.#makeSelect("All categories", listed.category);
    this.vantage = this.#makeSelect("All vantages", listed.vantage);
    this.onlyNew = make("input", { type: "checkbox", id: "only-new", onchange: () => this.#read() });
    this.count = make("p", { class: "count", role: "status" });
    const label = (title, control, attributes) => make("label", attributes ?? {}, make("span", {}, title), control);
    const toolbar = make("div", { class: "toolbar" },
      label("Search", this.search, { class: "grow" }), label("Category", this.category),
      new Set(listed.vantage).size > 1 ? label("Vantage", this.vantage) : null,
      plain.since.isCompared ? label("Only new", this.onlyNew, { class: "check" }) : null,
      make("div", { class: "toggles", role: "group", "aria-label": "Severities" }, ...this.severities.filter((_, number) => number < 4 || findings.severity.includes(String(number)))),
      make("div", { class: "buttons" }, makeButton("Copy rows", () => this.#copyRows(), { id: "copy-rows" }), makeButton("Copy addresses", () => this.#copyAddresses()), makeButton("Clear filter", () => this.apply({}), { id: "clear" })));
    makeSection("findings", "Findings", ...plain.notes.map((note) => make("p", { class: "note" }, note)), toolbar, this.count, this.table.element);
    this.#show();
  }

  #makeSelect(title, column) {
    const options = countTexts(column).map(([number, count]) => make("option", { value: number }, `${texts[number] || "none"} (${formatNumber(count)})`));
    return make("select", { onchange: () => this.#read() }, make("option", { value: -1 }, title), ...options);
  }

  // Show what another section names: all findings of a severity, a service …
  apply(filter) {
    this.filter = { ...NO_FILTER, ...filter };
    this.search.value = this.filter.words;
    this.category.value = this.filter.category;
    this.vantage.value = this.filter.vantage;
    this.onlyNew.checked = this.filter.onlyNew;
    this.#show();
    document.getElementById("findings").scrollIntoView();
    this.search.focus({ preventScroll: true });
  }

  #read() {
    Object.assign(this.filter, { words: this.search.value, category: Number(this.category.value), vantage: Number(this.vantage.value), onlyNew: this.onlyNew.checked });
    this.#show();
  }

  #toggle(number) {
    const severities = new Set(this.filter.severities);
    if (!severities.delete(number)) severities.add(number);
    this.filter.severities = severities;
    this.#show();
  }

  #show() {
    const { filter } = this;
    let rows = selectFindings(this.all, filter);
    if (filter.service >= 0) rows = rows.filter((row) => ["service", "product", "version"].every((name) => listed[name][row] === listed[name][filter.service]));
    this.severities.forEach((button, number) => button.setAttribute("aria-pressed", String(filter.severities.has(number))));
    this.count.textContent = rows.length === listed.count ? pluralize(rows.length, "finding") : `${formatNumber(rows.length)} of ${pluralize(listed.count, "finding")}`;
    this.table.show(rows);
  }

  #copyRows() {
    copyText(toCopiedText(this.table.rows), `Copied ${pluralize(this.table.rows.length, "row")}.`);
  }

  #copyAddresses() {
    const addresses = [...new Set(this.table.rows.map((row) => listed.address(row)))];
    copyText(addresses.join("\n"), `Copied ${pluralize(addresses.length, "address", "addresses")}.`);
  }
}

const THEMES = ["auto", "light", "dark"];
const THEME_KEY = "cascan-report-theme";

const readTheme = () => {
  try {
    return localStorage.getItem(THEME_KEY) ?? "auto";
  } catch {
    return "auto"; // a browser may forbid it in a file
  }
};

const setTheme = (theme, button) => {
  document.documentElement.dataset.theme = theme;
  button.textContent = `Colours: ${theme}`;
  try {
    localStorage.setItem(THEME_KEY, theme);
  } catch {
    // the choice lasts until the page is closed
  }
};

const buildHead = () => {
  const { scan } = plain;
  document.getElementById("title").textContent = plain.title;
  document.getElementById("subtitle").textContent = [scan.targets.slice(0, 3).join(", ") + (scan.targetCount > 3 ? " …" : ""),
    `requested ${formatTime(scan.requestedAt)}`, scan.outcome || scan.state].filter(Boolean).join(" · ");
  document.getElementById("footer").textContent = `Scan ${scan.id}. Made by cascan at ${formatTime(plain.generatedAt)}. This file loads nothing from any network.`;
  const theme = document.getElementById("theme"), print = document.getElementById("print");
  theme.hidden = print.hidden = document.getElementById("contents").hidden = false;
  setTheme(THEMES.includes(readTheme()) ? readTheme() : "auto", theme);
  theme.addEventListener("click", () => setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length], theme));
  print.addEventListener("click", () => window.print());
};

const list = new FindingList();
buildHead();
buildSince(list);
buildSeverities(list);
buildExposures();
buildMatrix();
buildServices(list);
buildTopology();
list.build();
buildCascade();
buildTimeline();
buildCertificates();
buildCoverage();
buildGaps();
virtualTables.filter((table) => table.first < 0).forEach((table) => table.redraw());
const startPrinting = () => virtualTables.forEach((table) => table.startPrinting());
const stopPrinting = () => virtualTables.forEach((table) => table.stopPrinting());
addEventListener("beforeprint", startPrinting);
addEventListener("afterprint", stopPrinting);
addEventListener("resize", () => virtualTables.forEach((table) => table.redraw()));
document.documentElement.dataset.ready = "yes";
setTimeout(() => virtualTables.forEach((table) => table.approach())); // the page can be used already
