// A table of which only the visible rows are in the page: ten thousand rows cost what thirty do.
// One row at a time can be reached with Tab, the others with the arrow keys, so that Tab soon leaves the table.

const PRINTED_ROWS = 2000; // of one table; more would take minutes, and the paper
const SPARE_ROWS = 12; // beyond what is visible, above and below
const FEW_ROWS = 100; // of a table that is drawn whole
const virtualTables = [];
// A long table is drawn when it comes near the screen
const observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) if (isIntersecting) virtualTables.find((table) => table.scroller === target).approach();
}, { rootMargin: "600px" });

class VirtualTable {
  // columns: { title, width, make(row) → text or element, compare(a, b), class }
  // rows: numbers or objects, in the order in which they are shown. open(row): what the button in the first column does
  constructor({ id, caption, columns, rows, open, describe, unit = "row" }) {
    Object.assign(this, { columns, rows, open, describe, unit, active: 0, sorted: null, first: -1, last: -1 });
    this.caption = make("caption", { id: `${id}-caption` }, caption);
    this.note = make("p", { class: "note", id: `${id}-note` });
    this.body = make("tbody");
    this.headers = columns.map((column) => this.#makeHeader(column));
    const groups = columns.map((column) => {
      const col = make("col");
      if (column.width) col.style.width = column.width;
      return col;
    });
    this.table = make("table", { class: "virtual", role: "table" }, this.caption, make("colgroup", {}, ...groups),
      make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...this.headers)), this.body);
    this.body.setAttribute("role", "rowgroup");
    this.scroller = make("div", { class: "scroller", id, tabindex: 0, role: "region", "aria-labelledby": `${id}-caption` }, this.table);
    this.element = make("div", { class: "table" }, this.scroller, this.note);
    this.scroller.addEventListener("scroll", () => this.#draw(), { passive: true });
    this.body.addEventListener("keydown", (event) => this.#move(event));
    this.isNear = false;
    virtualTables.push(this);
    observer.observe(this.scroller);
  }

  approach() {
    if (this.isNear) return;
    this.isNear = true;
    if (this.rows.length > FEW_ROWS) this.redraw();
  }

  #makeHeader(column) {
    const th = make("th", { scope: "col", role: "columnheader", class: column.class });
    if (column.compare) {
      th.append(makeButton(column.title, () => this.sortBy(column), { title: `Sort by ${column.title.toLowerCase()}` }));
      th.setAttribute("aria-sort", "none");
    } else {
      th.append(column.title);
    }
    return th;
  }

  show(rows) {
    this.rows = rows;
    this.active = 0;
    this.scroller.scrollTop = 0;
    if (this.sorted) this.#sort();
    this.redraw();
  }

  sortBy(column, direction) {
    const descending = direction ? direction < 0 : this.sorted?.column === column && this.sorted.direction > 0;
    this.sorted = { column, direction: descending ? -1 : 1 };
    this.columns.forEach((other, number) => {
      if (other.compare) this.headers[number].setAttribute("aria-sort", other === column ? (descending ? "descending" : "ascending") : "none");
    });
    this.#sort();
    this.redraw();
  }

  #sort() {
    const { column, direction } = this.sorted;
    this.rows = this.rows.slice().sort((a, b) => direction * column.compare(a, b));
  }

  redraw() {
    this.first = this.last = -1;
    this.table.setAttribute("aria-rowcount", this.rows.length + 1);
    this.#draw();
  }

  get rowHeight() {
    return Number.parseFloat(getComputedStyle(this.table).getPropertyValue("--row")) || 32;
  }

  #draw() {
    if (this.printing) return;
    if (this.rows.length > FEW_ROWS && !this.isNear) {
      this.body.replaceChildren(this.#makeSpace(this.rows.length));
      return;
    }
    const [top, bottom] = this.rows.length > FEW_ROWS ? this.#findVisible() : [0, this.rows.length];
    if (top === this.first && bottom === this.last) return;
    const hadFocus = this.body.contains(document.activeElement);
    [this.first, this.last] = [top, bottom];
    const shown = [];
    for (let index = top; index < bottom; index++) shown.push(this.#makeRow(index));
    this.body.replaceChildren(this.#makeSpace(top), ...shown, this.#makeSpace(this.rows.length - bottom));
    this.#markActive();
    if (hadFocus) (this.#findButton(this.active) ?? this.scroller).focus({ preventScroll: true });
  }

  #findVisible() {
    const height = this.rowHeight;
    const top = Math.max(0, Math.floor(this.scroller.scrollTop / height) - SPARE_ROWS);
    const visible = Math.ceil((this.scroller.clientHeight || 600) / height) + 2 * SPARE_ROWS;
    return [top, Math.min(this.rows.length, top + visible)];
  }

  #makeSpace(rows) {
    const cell = make("td", { colspan: this.columns.length, role: "presentation" });
    cell.style.height = `calc(var(--row) * ${rows})`;
    return make("tr", { class: "space", role: "presentation", "aria-hidden": "true" }, cell);
  }

  #makeRow(index) {
    const row = this.rows[index];
    const tr = make("tr", { role: "row", "aria-rowindex": index + 2, class: index % 2 ? "odd" : undefined });
    this.columns.forEach((column, number) => {
      const content = column.make(row);
      const cell = make("td", { role: "cell", class: column.class });
      if (this.open && column.opens) {
        const button = makeButton(content, () => this.#open(index), { tabindex: -1, class: "open" });
        button.dataset.row = index;
        cell.append(button);
      } else {
        cell.append(content ?? "");
      }
      if (typeof content === "string" && content.length > 20) cell.title = content;
      tr.append(cell);
    });
    return tr;
  }

  #open(index) {
    this.active = index;
    this.#markActive();
    this.open(this.rows[index]);
  }

  #findButton(index) {
    return this.body.querySelector(`button[data-row="${index}"]`);
  }

  #markActive() {
    const shown = Math.min(Math.max(this.active, this.first), this.last - 1);
    for (const button of this.body.querySelectorAll("button[data-row]")) button.tabIndex = Number(button.dataset.row) === shown ? 0 : -1;
  }

  #move(event) {
    const current = Number(event.target.dataset?.row);
    if (!Number.isInteger(current)) return;
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / this.rowHeight) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -current, End: this.rows.length };
    if (!(event.key in steps)) return;
    event.preventDefault();
    this.active = Math.min(Math.max(current + steps[event.key], 0), this.rows.length - 1);
    const height = this.rowHeight, top = this.active * height, headHeight = this.table.tHead.offsetHeight;
    const { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop) this.scroller.scrollTop = top;
    else if (top + height > scrollTop + clientHeight - headHeight - height) this.scroller.scrollTop = top - clientHeight + headHeight + 2 * height;
    this.#draw();
    this.#markActive();
    this.#findButton(this.active)?.focus({ preventScroll: true });
  }

  // All rows up to a limit are in the page while it is printed
  startPrinting() {
    if (this.printing) return;
    this.printing = true;
    const count = Math.min(this.rows.length, PRINTED_ROWS);
    const shown = [];
    for (let index = 0; index < count; index++) {
      shown.push(this.#makeRow(index));
      const text = this.describe?.(this.rows[index]);
      if (text) shown.push(make("tr", { class: "evidence", role: "row" }, make("td", { colspan: this.columns.length, role: "cell" }, make("pre", {}, text))));
    }
    this.body.replaceChildren(...shown);
    this.note.textContent = count < this.rows.length
      ? `Printed: the first ${formatNumber(count)} of ${pluralize(this.rows.length, this.unit)}. Filter the list to print others.` : "";
  }

  stopPrinting() {
    this.printing = false;
    this.note.textContent = "";
    this.redraw();
  }
}
