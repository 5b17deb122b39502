// The data of the report, and how its values are written.

const data = JSON.parse(document.getElementById("data").textContent);
const { plain, texts, findings } = data;
const severityNames = plain.severityNames;
const severityTitles = ["High", "Medium", "Low", "Info", "Accepted", "Suppressed"];
const numberFormat = new Intl.NumberFormat("en");

const formatNumber = (number) => numberFormat.format(number);
const pluralize = (number, singular, plural) => `${formatNumber(number)} ${number === 1 ? singular : plural ?? `${singular}s`}`;

// "2026-03-01 12:00 UTC"; the data has UTC alone, and reports are read in many places
const formatTime = (text) => (text ? `${text.slice(0, 16).replace("T", " ")} UTC` : "");
const formatDate = (text) => text.slice(0, 10);

const DAY_MS = 86_400_000;
const daysUntil = (text) => Math.floor((Date.parse(text) - Date.parse(plain.generatedAt)) / DAY_MS);

const formatAge = (text) => {
  const days = Math.floor((Date.parse(plain.generatedAt) - Date.parse(text)) / DAY_MS); // whole days
  return Number.isFinite(days) ? (days < 1 ? "today" : pluralize(days, "day")) : "";
};

// What a spreadsheet would take for a formula, in ASCII and in full width; quotes around pasted cells are dropped
const FORMULA_START = /^[\s"]*[=+\-@\uff1d\uff0b\uff0d\uff20]/u;
const escapeCell = (text) => {
  const line = String(text).replace(/[\t\r\n]+/g, " ");
  return FORMULA_START.test(line) ? `'${line}` : line;
};

const status = document.getElementById("status");
const announce = (sentence) => {
  const dialog = document.getElementById("details"); // while it is open, nothing outside it is read out
  (dialog.open ? dialog : document.body).append(status);
  status.textContent = sentence;
  status.classList.add("shown");
  clearTimeout(announce.timer);
  announce.timer = setTimeout(() => status.classList.remove("shown"), 4000);
};

const copyText = async (text, sentence) => {
  try {
    await navigator.clipboard.writeText(text);
    announce(sentence);
  } catch {
    announce("The browser does not allow copying here: select the text and copy it yourself.");
  }
};
