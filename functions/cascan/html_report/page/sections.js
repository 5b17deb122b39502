// The sections of the page, in the order in which they are read.

const makeEmpty = (sentence) => make("p", { class: "empty" }, sentence);

const makeTile = (number, title, onclick) => {
  const content = [make("span", { class: "number" }, number === null ? "–" : formatNumber(number)), make("span", { class: "label" }, title)];
  return onclick && number ? make("button", { type: "button", class: "tile", onclick }, ...content) : make("div", { class: "tile" }, ...content);
};

const buildSince = (list) => {
  const { since } = plain;
  const section = makeSection("since", "Since your last scan");
  const numbers = since.isCompared ? [since.new, since.resolved, since.notCovered] : [null, null, null];
  const sentence = since.isCompared
    ? `Since your last scan: ${formatNumber(since.new)} new, ${formatNumber(since.resolved)} resolved, ${formatNumber(since.notCovered)} not covered. It was requested at ${formatTime(since.at)} (${since.earlier}).`
    : since.earlier ? "The last scan of the series has too many findings to be compared with."
      : "No earlier scan of this series is done, so nothing is compared, and nothing counts as new.";
  section.append(make("p", { class: "lead" }, sentence),
    make("div", { class: "tiles" }, makeTile(numbers[0], "new", () => list.apply({ onlyNew: true })),
      makeTile(numbers[1], "resolved"), makeTile(numbers[2], "not covered")));
  if (since.firstCovered) section.append(make("p", {}, `${pluralize(since.firstCovered, "more finding")} at places that the last scan did not look at: they may have been there before.`));
  if (!gone.count) return;
  const columns = makeFindingColumns(gone);
  const word = (row) => (row < data.gone.resolved ? "resolved" : "not covered");
  columns.unshift({ title: "Now", width: "9rem", class: "c-now", make: word, compare: (a, b) => a - b });
  const table = new VirtualTable({ id: "gone", caption: "Findings of the last scan that this one does not have", columns,
    rows: Array.from({ length: gone.count }, (_, row) => row), open: (row) => openDetails(gone, row), unit: "finding" });
  section.append(make("p", {}, "Resolved: this scan looked at the same place and the finding is not there. Not covered: it did not look there, so nothing is known."), table.element);
};

const buildSeverities = (list) => {
  const counts = severityNames.map(() => 0);
  for (let row = 0; row < listed.count; row++) counts[listed.severityOf(row)]++;
  const tiles = counts.map((count, number) => {
    if (!count && number > 3) return null;
    const tile = makeTile(count, severityTitles[number], () => list.apply({ severities: new Set([number]) }));
    tile.classList.add(`s${number}`);
    return tile;
  });
  makeSection("severities", "Severities", make("div", { class: "tiles" }, ...tiles));
};

const buildExposures = () => {
  const section = makeSection("exposures", "Exposures");
  if (!plain.exposures.length) {
    section.append(makeEmpty("No exposure of these hosts is open. Exposures are judged once a file of expected exposure is applied."));
    return;
  }
  const byText = (name) => (a, b) => String(a[name]).localeCompare(String(b[name]), "en", { numeric: true });
  const field = (title, name, width) => ({ title, width, class: `c-${name}`, make: (exposure) => exposure[name], compare: byText(name) });
  const severity = (exposure) => severityNames.indexOf(exposure.severity);
  const columns = [
    { title: "Severity", width: "6.5rem", class: "c-severity", make: (exposure) => makeSeverity(severity(exposure)), compare: (a, b) => severity(a) - severity(b) },
    { title: "State", width: "15rem", class: "c-state", make: (exposure) => exposure.until ? `${exposure.state} until ${exposure.until}` : exposure.state, compare: byText("state") },
    { title: "Since", width: "8rem", class: "c-since", make: (exposure) => formatDate(exposure.since), compare: byText("since") },
    { title: "Age", width: "6rem", class: "c-age", make: (exposure) => formatAge(exposure.since) },
    field("Owner", "owner", "8rem"), field("Address", "address", "10rem"), field("Port", "port", "7.5rem"), field("Kind", "kind", "10rem"), field("Why", "sentence", "26rem"),
  ];
  const rows = plain.exposures.slice().sort((a, b) => severity(a) - severity(b) || a.since.localeCompare(b.since));
  const table = new VirtualTable({ id: "exposure-list", caption: pluralize(rows.length, "exposure"), columns, rows, unit: "exposure" });
  table.table.classList.add("wide");
  section.append(table.element);
};

const MATRIX_PORTS = 40; // the most common ones; the others are counted in a column of their own

// Ports are numbers here, with the text of their protocol: strings of 64,000 rows take their time
const collectMatrix = () => {
  const ports = new Map(), hosts = new Map();
  const openPort = texts.indexOf("Open Port");
  for (let row = 0; row < listed.count; row++) {
    if (listed.category[row] !== openPort) continue;
    const key = listed.port[row] + 65536 * listed.protocol[row], address = listed.hosts.address[listed.host[row]];
    const port = ports.get(key);
    if (port) port.count++;
    else ports.set(key, { key, count: 1, endpoint: listed.endpoint(row) });
    const host = hosts.get(address) ?? { row, open: new Map() };
    hosts.set(address, host);
    const seen = host.open.get(key);
    if (seen) seen.push(listed.vantage[row]);
    else host.open.set(key, [listed.vantage[row]]);
  }
  const common = [...ports.values()].sort((a, b) => b.count - a.count).slice(0, MATRIX_PORTS);
  common.sort((a, b) => (a.key % 65536) - (b.key % 65536) || a.key - b.key);
  const rank = listed.hosts.rank;
  const rows = [...hosts.values()].sort((a, b) => rank[listed.host[a.row]] - rank[listed.host[b.row]]);
  return { common, rows, others: ports.size - common.length };
};

const buildMatrix = () => {
  const section = makeSection("matrix", "Hosts and ports");
  const { common, rows, others } = collectMatrix();
  if (!rows.length) {
    section.append(makeEmpty("No open port was found."));
    return;
  }
  const vantages = [...new Set(listed.vantage)].filter((number) => number);
  const letters = new Map(vantages.map((number, index) => [number, String.fromCharCode(65 + (index % 26))]));
  const many = vantages.length > 1;
  const makeCell = (host, key) => {
    const seen = host.open.get(key);
    if (!seen) return "";
    const label = many ? `open from ${seen.map((number) => texts[number]).join(", ")}` : "open";
    return make("span", { class: many && seen.length < vantages.length ? "dot some" : "dot", title: label },
      make("span", { "aria-hidden": "true" }, many ? seen.map((number) => letters.get(number)).join("") : "●"), make("span", { class: "hidden" }, label));
  };
  const columns = [
    { title: "Host", width: "15rem", class: "c-host sticky", make: (host) => [listed.address(host.row), listed.hostName(host.row)].filter(Boolean).join(" "), compare: (a, b) => listed.hosts.rank[listed.host[a.row]] - listed.hosts.rank[listed.host[b.row]] },
    { title: "Open", width: "4rem", class: "c-number", make: (host) => formatNumber(host.open.size), compare: (a, b) => b.open.size - a.open.size },
    ...common.map(({ key, endpoint }) => ({ title: endpoint, width: "5.4rem", class: "c-dot", make: (host) => makeCell(host, key) })),
  ];
  const isShown = new Set(common.map(({ key }) => key));
  const countOthers = (host) => [...host.open.keys()].filter((key) => !isShown.has(key)).length;
  if (others) columns.push({ title: "Others", width: "5rem", class: "c-number", make: (host) => formatNumber(countOthers(host)) });
  const table = new VirtualTable({ id: "matrix-list", caption: `Open ports of ${pluralize(rows.length, "host")}`, columns, rows, unit: "host" });
  table.table.classList.add("wide");
  if (many) section.append(make("p", {}, `Vantages: ${vantages.map((number) => `${letters.get(number)} = ${texts[number]}`).join(", ")}. A port that is not open from all of them is marked.`));
  if (others) section.append(make("p", {}, `The ${MATRIX_PORTS} most common of ${pluralize(others + common.length, "port")} have a column.`));
  section.append(table.element);
};

const buildServices = (list) => {
  const section = makeSection("services", "Services and versions");
  const groups = new Map(), openPort = texts.indexOf("Open Port");
  for (let row = 0; row < listed.count; row++) {
    if (listed.category[row] !== openPort) continue;
    const key = `${listed.service[row]}/${listed.product[row]}/${listed.version[row]}`;
    if (!groups.has(key)) groups.set(key, { row, hosts: new Set(), ports: new Set() });
    groups.get(key).hosts.add(listed.host[row]);
    groups.get(key).ports.add(listed.endpoint(row));
  }
  if (!groups.size) {
    section.append(makeEmpty("No open port was found."));
    return;
  }
  const field = (title, name, width) => ({ title, width, class: `c-${name}`, make: (group) => listed.text(name, group.row), compare: (a, b) => listed.text(name, a.row).localeCompare(listed.text(name, b.row), "en", { numeric: true }) });
  const columns = [
    { ...field("Service", "service", "10rem"), opens: true, make: (group) => listed.text("service", group.row) || "unknown" }, field("Product", "product"), field("Version", "version", "12rem"),
    { title: "Hosts", width: "6rem", class: "c-number", make: (group) => formatNumber(group.hosts.size), compare: (a, b) => b.hosts.size - a.hosts.size },
    { title: "Ports", width: "14rem", class: "c-ports", make: (group) => [...group.ports].slice(0, 6).join(", ") + (group.ports.size > 6 ? " …" : "") },
  ];
  const rows = [...groups.values()].sort((a, b) => b.hosts.size - a.hosts.size);
  const showFindings = (group) => list.apply({ words: "", service: group.row });
  section.append(make("p", {}, "A service opens its findings. Products and versions are known where the scan asked for them (-sV)."),
    new VirtualTable({ id: "service-list", caption: pluralize(rows.length, "service"), columns, rows, open: showFindings, unit: "service" }).element);
};

const NODE_WIDTH = 190, NODE_HEIGHT = 46;

// Columns by hop; within one, nodes are near those that they are reached over
const placeNodes = ({ nodes, edges }) => {
  const columns = [...new Set(nodes.map((node) => node.hop))].sort((a, b) => a - b);
  const parents = nodes.map((_, index) => edges.filter((edge) => edge[1] === index).map((edge) => edge[0]));
  const rows = nodes.map(() => 0);
  let height = 1;
  for (const hop of columns) {
    const mean = (index) => parents[index].reduce((sum, parent) => sum + rows[parent], 0) / (parents[index].length || 1);
    const inColumn = nodes.map((_, index) => index).filter((index) => nodes[index].hop === hop).sort((a, b) => mean(a) - mean(b) || a - b);
    inColumn.forEach((index, row) => { rows[index] = row; });
    height = Math.max(height, inColumn.length);
  }
  const places = nodes.map((node, index) => ({ x: 16 + columns.indexOf(node.hop) * NODE_WIDTH, y: 20 + rows[index] * NODE_HEIGHT }));
  return { places, width: columns.length * NODE_WIDTH, height: height * NODE_HEIGHT + 8 };
};

const makeTopology = (topology, label) => {
  const { places, width, height } = placeNodes(topology);
  const lines = topology.edges.map(([start, end, isGap]) => makeSvg("line", { class: isGap ? "edge gap" : "edge", x1: places[start].x, y1: places[start].y, x2: places[end].x, y2: places[end].y }));
  const marks = topology.nodes.flatMap((node, index) => {
    const { x, y } = places[index];
    const below = [node.name, node.hosts ? pluralize(node.hosts, "host") : ""].filter(Boolean).join(", ");
    const title = makeSvg("title", {}, [node.address, below].filter(Boolean).join(": "));
    const shown = (text) => (text.length > 26 ? `${text.slice(0, 25)}…` : text);
    return [makeSvg("circle", { class: node.hop ? "node" : "node vantage", cx: x, cy: y, r: 5 }, title),
      makeSvg("text", { class: "tick", x: x + 10, y: y - 3 }, shown(node.address)), makeSvg("text", { class: "tick", x: x + 10, y: y + 11 }, shown(below))];
  });
  return makeSvg("svg", { class: "topology", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, ...lines, ...marks);
};

const buildTopology = () => {
  const { topology } = plain;
  if (!topology.nodes.length) return; // nmap traced no route
  const section = makeSection("topology", "Topology");
  const routers = topology.nodes.filter((node) => node.hop).sort((a, b) => a.hop - b.hop || b.hosts - a.hosts);
  const label = `Routes from the vantages over ${pluralize(routers.length, "router")}. The table below has them.`;
  section.append(make("p", {}, "Routes as nmap traced them. Hosts are counted at the last router before them; a dashed line stands for hops that did not answer."));
  if (topology.cut) section.append(make("p", { class: "note" }, `${pluralize(topology.cut, "route")} ${topology.cut === 1 ? "is" : "are"} not drawn to the end: there are too many routers.`));
  section.append(make("figure", { class: "scroller", tabindex: 0, role: "region", "aria-label": "Picture of the topology" }, makeTopology(topology, label)));
  if (routers.length) section.append(makePlainTable("Routers", ["Hop", "Address", "Name", "Hosts directly behind it"], routers.map((node) => [String(node.hop), node.address, node.name, formatNumber(node.hosts)])));
};

const describeDecision = (scan) => {
  const parts = [scan.state, scan.outcome, "findings" in scan ? pluralize(scan.findings, "finding") : "", scan.errorDescription];
  return parts.filter(Boolean).join(", ");
};

const makeBranch = (scan, prefix = "") => {
  const entries = [
    ...(scan.members ?? []).map((member) => makeBranch(member, `from ${member.vantage}: `)),
    ...(scan.children ?? []).map((child) => makeBranch(child, `${child.rule}: `)),
    ...(scan.notFollowed ?? []).map((line) => make("li", { class: "refused" }, `${line.rule}: ${line.decision}, ${pluralize(line.count, "finding")}: ${line.reason}`)),
  ];
  if (scan.moreNotFollowed) entries.push(make("li", {}, `and ${formatNumber(scan.moreNotFollowed)} more that were not followed`));
  const options = scan.parameters?.length ? make("code", {}, scan.parameters.join(" ")) : null;
  const line = make("div", {}, prefix, make("strong", {}, scan.name), " ", make("code", {}, scan.id), " ", describeDecision(scan), " ", options);
  return make("li", {}, line, entries.length ? make("ul", {}, ...entries) : null);
};

const buildCascade = () => {
  const { cascade } = plain;
  const section = makeSection("cascade", "Cascade");
  const isAlone = !cascade.children.length && !cascade.notFollowed.length && !cascade.members.length;
  section.append(isAlone ? makeEmpty("No rule led to another scan.") : make("ul", { class: "tree" }, makeBranch(cascade)));
};

const makeChart = (series) => {
  const width = innerWidth < 800 ? 340 : 720, height = 200, left = 44, bottom = 24;
  const most = Math.max(1, ...series.map((scan) => scan.findings));
  const step = (width - left) / series.length, bar = Math.max(2, Math.min(40, step * 0.7));
  const scale = (height - bottom - 8) / most;
  const bars = series.flatMap((scan, index) => {
    let top = height - bottom;
    return severityNames.map((name, number) => number).reverse().flatMap((number) => {
      const count = scan.severities[severityNames[number]] ?? 0;
      if (!count) return [];
      top -= count * scale;
      const title = makeSvg("title", {}, `${formatTime(scan.at)}: ${formatNumber(count)} ${severityTitles[number]}`);
      return [makeSvg("rect", { class: `fill s${number}`, x: left + index * step + (step - bar) / 2, y: top, width: bar, height: count * scale }, title)];
    });
  });
  const lines = [0, 0.5, 1].flatMap((share) => {
    const y = height - bottom - share * most * scale;
    return [makeSvg("line", { class: "axis", x1: left, x2: width, y1: y, y2: y }), makeSvg("text", { class: "tick", x: left - 6, y: y + 4, "text-anchor": "end" }, formatNumber(Math.round(share * most)))];
  });
  const label = (index, anchor, x) => makeSvg("text", { class: "tick", x, y: height - 6, "text-anchor": anchor }, formatDate(series[index].at));
  const labels = [label(0, "start", left), ...(series.length > 1 ? [label(series.length - 1, "end", width)] : [])];
  const newest = series[series.length - 1];
  const title = `Findings of the last ${pluralize(series.length, "scan")} of the series, by severity; ${formatNumber(newest.findings)} in the newest. The table below has the numbers.`;
  return makeSvg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title }, ...lines, ...bars, ...labels);
};

const buildTimeline = () => {
  const { series } = plain;
  const section = makeSection("timeline", "Timeline of the series");
  if (!series.length) {
    section.append(makeEmpty("No scan of the series has ended."));
    return;
  }
  const legend = severityTitles.slice(0, 4).map((title, number) => make("li", {}, make("span", { class: `swatch s${number}`, "aria-hidden": "true" }), title));
  const rows = series.slice().reverse().map((scan) => [formatTime(scan.at), scan.id, scan.outcome, formatNumber(scan.hostsUp),
    ...severityNames.slice(0, 4).map((name) => formatNumber(scan.severities[name] ?? 0)), formatNumber(scan.findings)]);
  section.append(make("figure", {}, makeChart(series), make("figcaption", {}, make("ul", { class: "legend" }, ...legend))),
    makePlainTable(series.length > 1 ? `The last ${pluralize(series.length, "scan")} of the series, the newest first` : "The only scan of the series so far", ["Requested", "Scan", "Outcome", "Hosts up", ...severityTitles.slice(0, 4), "Findings"], rows));
};

const SOON_DAYS = 90;

const buildCertificates = () => {
  const section = makeSection("certificates", "Certificates that end soon");
  const all = findings.certificates, soon = all.filter(([until]) => daysUntil(until) < SOON_DAYS);
  if (!soon.length) {
    section.append(makeEmpty(all.length ? `None of ${pluralize(all.length, "certificate")} ends within ${SOON_DAYS} days.` : "The scan read no certificate: the script ssl-cert reads them."));
    return;
  }
  const describeLeft = ([until]) => {
    const days = daysUntil(until);
    return days < 0 ? `ended ${pluralize(-days, "day")} ago` : `${pluralize(days, "day")} left`;
  };
  const address = (entry) => texts[findings.hosts.address[entry[1]]];
  const columns = [
    { title: "Ends", width: "8rem", class: "c-since", make: ([until]) => formatDate(until), compare: (a, b) => a[0].localeCompare(b[0]) },
    { title: "Left", width: "9rem", class: "c-state", make: (entry) => describeLeft(entry) },
    { title: "Subject", class: "c-name", make: (entry) => texts[entry[3]], compare: (a, b) => texts[a[3]].localeCompare(texts[b[3]]) },
    { title: "Address", width: "13rem", class: "c-address", make: address, compare: (a, b) => listed.hosts.rank[a[1]] - listed.hosts.rank[b[1]] },
    { title: "Port", width: "5rem", class: "c-port", make: (entry) => String(entry[2] || ""), compare: (a, b) => a[2] - b[2] },
  ];
  const caption = `${formatNumber(soon.length)} of ${pluralize(all.length, "certificate")} end within ${SOON_DAYS} days of this report`;
  section.append(new VirtualTable({ id: "certificate-list", caption, columns, rows: soon, unit: "certificate" }).element);
};

const describeScan = (scan) => makeFacts([
  ["Scan", scan.id], ["Vantage", scan.vantage], ["State", scan.state], ["Requested", formatTime(scan.requestedAt)], ["Ended", formatTime(scan.finishedAt)],
  ["Targets", scan.targets.slice(0, 20).join(", ") + (scan.targetCount > 20 ? `, and ${formatNumber(scan.targetCount - 20)} more` : "")], ["Options", scan.parameters],
  ["Addresses", `${formatNumber(scan.hostsUp)} up of ${formatNumber(scan.addresses)} that were to be scanned`],
  ["Shards", Object.entries(scan.shardOutcomes).map(([outcome, count]) => `${formatNumber(count)} ${outcome}`).join(", ") || formatNumber(scan.shards)],
  ["Requested by", scan.requestedBy], ["Authorized by", scan.authorization], ["Contact", scan.contact],
  ["Labels", Object.entries(scan.labels).map(([key, value]) => `${key}=${value}`).join(", ")]]);

const buildCoverage = () => {
  const { scan } = plain;
  const outcome = scan.outcome || scan.state;
  const section = makeSection("coverage", "Coverage and outcome", make("p", { class: "lead" }, make("strong", { class: `outcome ${scan.outcome === "complete" ? "good" : "flawed"}` }, outcome), " ", scan.sentence), describeScan(scan));
  for (const member of plain.members) section.append(make("h3", {}, `From ${member.vantage}`), make("p", {}, member.sentence), describeScan(member));
  if (scan.notes.length) section.append(make("h3", {}, "Notes"), make("ul", {}, ...scan.notes.map((note) => make("li", {}, note))));
};

const buildGaps = () => {
  const { gaps } = plain;
  const section = makeSection("gaps", "What was not scanned, and why");
  if (gaps.reasons.length) section.append(makePlainTable("Reasons of the outcome", ["Reason", "About", "What happened"], gaps.reasons.map((reason) => [reason.title, reason.subject, reason.sentence])));
  if (gaps.moreReasons > 0) section.append(make("p", {}, `And ${pluralize(gaps.moreReasons, "more reason", "more reasons")}: cascan scans --json counts them.`));
  if (gaps.shards.length) section.append(makePlainTable("Shards without a whole result", ["Shard", "Targets", "State", "Outcome", "Error"], gaps.shards.map((shard) => [String(shard.number), shard.targets, shard.state, shard.outcome, shard.error])));
  if (gaps.moreShards) section.append(make("p", {}, `And ${pluralize(gaps.moreShards, "more shard")}.`));
  if (gaps.excluded.length) section.append(make("h3", {}, "Excluded by the request"), make("p", {}, gaps.excluded.join(", ") + (gaps.excludedCount > gaps.excluded.length ? " …" : "")));
  if (plain.since.notCovered) section.append(make("p", {}, make("a", { href: "#since" }, `${pluralize(plain.since.notCovered, "finding")} of the last scan`), " could not be looked at again."));
  if (section.childElementCount === 1) section.append(makeEmpty("Everything that was asked for was scanned. Ports that the options do not name were not asked about."));
};
