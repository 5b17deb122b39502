// Elements of the page. Texts of the data become text nodes, never markup.

const SVG = "http://www.w3.org/2000/svg";

const fill = (element, attributes, children) => {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
};
// make("td", { class: "port" }, "443"): `on…` is a listener
const make = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const makeSvg = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

const makeSeverity = (number) => make("span", { class: `severity s${number}` }, severityTitles[number]);

const makeButton = (title, onclick, attributes = {}) => make("button", { type: "button", onclick, ...attributes }, title);

const makeSection = (id, title, ...children) => {
  const heading = `${id}-title`;
  const section = make("section", { id, "aria-labelledby": heading }, make("h2", { id: heading }, title), ...children);
  document.getElementById("main").append(section);
  const link = make("a", { href: `#${id}` }, title);
  document.querySelector("#contents ul").append(make("li", {}, link));
  return section;
};

// Facts as a list: [["Targets", "10.0.0.0/8"], …]; those without a value are left out
const makeFacts = (entries) =>
  make("dl", { class: "facts" }, ...entries.filter(([, value]) => value !== "" && value !== undefined)
    .map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, String(value)))));

let regions = 0;
// A table of few rows, which are all in the page
const makePlainTable = (caption, titles, rows) => {
  const id = `caption-${++regions}`;
  const head = make("tr", {}, ...titles.map((title) => make("th", { scope: "col" }, title)));
  const body = rows.map((cells) => make("tr", {}, ...cells.map((cell) => make("td", {}, cell))));
  const table = make("table", {}, make("caption", { id }, caption), make("thead", {}, head), make("tbody", {}, ...body));
  return make("div", { class: "scroller plain", tabindex: 0, role: "region", "aria-labelledby": id }, table);
};
