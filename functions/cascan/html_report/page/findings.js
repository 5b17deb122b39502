// The findings: columns of numbers, how they are searched, and what a row shows.

class Findings {
  constructor(columns) {
    Object.assign(this, columns);
    this.count = columns.severity.length;
    for (const [name, column] of Object.entries(columns)) {
      if (typeof column === "number") this[name] = new Array(this.count).fill(column); // the same in every row
    }
  }

  text(name, row) {
    return texts[this[name][row]];
  }

  severityOf(row) {
    return this.severity.charCodeAt(row) - 48;
  }

  // "new", or "first look": the earlier scan did not look there
  standingOf(row) {
    return ["", "new", "first look"][this.standing[row]];
  }

  address(row) {
    return texts[this.hosts.address[this.host[row]]];
  }

  hostName(row) {
    return texts[this.hosts.name[this.host[row]]];
  }

  // "443/tcp"; empty for the host itself
  endpoint(row) {
    return this.port[row] ? `${this.port[row]}/${this.text("protocol", row)}` : "";
  }

  // Where it is, as a location: tcp://10.0.0.1:22
  place(row) {
    const address = this.address(row);
    const host = address.includes(":") && this.port[row] ? `[${address}]` : address;
    return this.port[row] ? `${this.text("protocol", row)}://${host}:${this.port[row]}` : this.text("location", row) || address;
  }

  describe(row) {
    return [this.text("facts", row), this.text("output", row)].filter(Boolean).join("\n\n");
  }

  // The most severe first, then by address and port
  order() {
    const rank = this.hosts.rank;
    const rows = Array.from({ length: this.count }, (_, row) => row);
    const keys = rows.map((row) => (this.severityOf(row) * rank.length + rank[this.host[row]]) * 65536 + this.port[row]);
    return rows.sort((a, b) => keys[a] - keys[b] || a - b);
  }
}

const listed = new Findings(findings);
const gone = new Findings(data.gone.columns);

const SEARCHED = ["category", "name", "description", "service", "product", "version", "detail", "facts", "output", "vantage", "location"];
let lowered = null; // the texts in lower case, once something was searched

// For one word, whether each text has it
const matchTexts = (word) => {
  lowered ??= texts.map((text) => text.toLowerCase());
  return lowered.map((text) => text.includes(word));
};

// `443`, `port:443`, `host:10.0.0`, or any text: each word has to occur in the row
const makeWordTest = (word) => {
  const [, field, value] = /^(port|host|category|service):(.+)$/.exec(word) ?? [];
  if (field === "port") return (row) => String(listed.port[row]) === value;
  const matches = matchTexts(value ?? word);
  const isAtHost = (row) => matches[listed.hosts.address[listed.host[row]]] || matches[listed.hosts.name[listed.host[row]]];
  if (field === "host") return isAtHost;
  if (field) return (row) => matches[listed[field][row]];
  const columns = SEARCHED.map((name) => listed[name]);
  return (row) => String(listed.port[row]) === word || isAtHost(row) || columns.some((column) => matches[column[row]]);
};

// filter: { words, severities: Set of numbers, category: number of a text or -1, onlyNew, vantage }
const selectFindings = (rows, filter) => {
  const tests = filter.words.toLowerCase().split(/\s+/).filter(Boolean).map(makeWordTest);
  if (filter.severities.size) tests.push((row) => filter.severities.has(listed.severityOf(row)));
  if (filter.category >= 0) tests.push((row) => listed.category[row] === filter.category);
  if (filter.vantage >= 0) tests.push((row) => listed.vantage[row] === filter.vantage);
  if (filter.onlyNew) tests.push((row) => listed.standing[row] === "1");
  return rows.filter((row) => tests.every((test) => test(row)));
};

// Numbers of the texts that a column has, the most common first
const countTexts = (column) => {
  const counts = new Map();
  for (const number of column) counts.set(number, (counts.get(number) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
};

const toCopiedText = (rows, source = listed) => {
  const titles = ["severity", "address", "name", "port", "category", "finding", "detail", "vantage", "id"];
  const lines = rows.map((row) => [severityNames[source.severityOf(row)], source.address(row), source.hostName(row), source.endpoint(row),
    source.text("category", row), source.text("name", row), source.text("detail", row), source.text("vantage", row), source.id[row]]);
  return [titles, ...lines].map((cells) => cells.map(escapeCell).join("\t")).join("\n");
};

const makeFindingColumns = (source) => {
  const byText = (name) => (a, b) => source.text(name, a).localeCompare(source.text(name, b), "en", { numeric: true });
  const rank = source.hosts.rank;
  const columns = [
    { title: "Severity", width: "6.5rem", class: "c-severity", make: (row) => makeSeverity(source.severityOf(row)), compare: (a, b) => source.severityOf(a) - source.severityOf(b) },
    { title: "Finding", class: "c-name", opens: true, make: (row) => source.text("name", row), compare: byText("name") },
    { title: "Address", width: "13rem", class: "c-address", make: (row) => [source.address(row), source.hostName(row)].filter(Boolean).join(" "), compare: (a, b) => rank[source.host[a]] - rank[source.host[b]] },
    { title: "Port", width: "7.5rem", class: "c-port", make: (row) => source.endpoint(row), compare: (a, b) => source.port[a] - source.port[b] },
    { title: "Detail", width: "30%", class: "c-detail", make: (row) => source.text("detail", row), compare: byText("detail") },
  ];
  if (new Set(source.vantage).size > 1) columns.push({ title: "Vantage", width: "7rem", class: "c-vantage", make: (row) => source.text("vantage", row), compare: byText("vantage") });
  return columns;
};

const openDetails = (source, row) => {
  const dialog = document.getElementById("details");
  const evidence = source.text("output", row), facts = source.text("facts", row);
  const id = source.id[row];
  const makeBlock = (title, text) => text ? [make("h3", {}, title), make("pre", { tabindex: 0, role: "region", "aria-label": title }, text)] : [];
  const whole = () => [source.text("name", row), source.place(row), source.text("description", row), source.describe(row), id].filter(Boolean).join("\n");
  dialog.replaceChildren(
    make("div", { class: "details-head" }, make("h2", { id: "details-title" }, source.text("name", row)), makeSeverity(source.severityOf(row))),
    make("p", {}, source.text("description", row)),
    makeFacts([["Address", source.address(row)], ["Name", source.hostName(row)], ["Port", source.endpoint(row)], ["Location", source.place(row)],
      ["Category", source.text("category", row)], ["Service", ["service", "product", "version"].map((name) => source.text(name, row)).filter(Boolean).join(" ")],
      ["Vantage", source.text("vantage", row)], ["Since the last scan", source === listed && plain.since.isCompared ? source.standingOf(row) || "seen before" : ""], ["Finding", id]]),
    ...makeBlock("What nmap wrote", evidence), ...makeBlock("Attributes", facts),
    make("div", { class: "buttons" }, makeButton("Copy all", () => copyText(whole(), "Copied the finding.")),
      makeButton("Copy id", () => copyText(id, "Copied the id.")), makeButton("Close", () => dialog.close())));
  dialog.showModal();
};
