
"use strict";
// The table of rows. Every text goes into the page as text (textContent, text nodes), never as HTML.
(() => {
  const rows = JSON.parse(document.getElementById("rows").textContent);
  const [LINE, ID, STATE, REASON, MODEL, LATENCY, INPUT, OUTPUT, STATUS, SENDS, AT, COST, METADATA, WORDS, MORE, QUESTION, FIELDS] = Array(17).keys();
  const STATES = ["answered", "cached", "shared", "failed"];
  const PER_PAGE = 100;
  const PREVIEW = 300;
  const at = id => document.getElementById(id);
  const [table, text, filter, found, page, back, next] = ["table", "text", "filter", "found", "page", "back", "next"].map(at);
  const number = new Intl.NumberFormat("en");
  let shown = rows;
  let first = 0;
  let pattern = null;
  let sort = { column: LINE, down: false };

  // What has no shape of its own, or turns the direction of writing, is shown by its sign.
  const visible = words => words
    .replace(/[\u0000-\u0008\u000b-\u001f]/g, c => c === "\r" ? "" : String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(/[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, c => `⟨U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
  const time = ms => ms === null ? "" : ms < 1000 ? `${ms} ms` : ms < 60000 ? `${(ms / 1000).toFixed(2)} s` : `${Math.floor(ms / 60000)} min ${Math.floor(ms / 1000 % 60)} s`;
  const count = n => n === null ? "" : number.format(n);

  function element(name, content, className) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (typeof content === "string") made.textContent = content;
    else if (content) made.append(...content);
    return made;
  }

  // The words, with what was searched for marked.
  function marked(words, className) {
    const holder = element("bdi", null, className);
    let end = 0;
    if (pattern) {
      for (const match of words.matchAll(pattern)) {
        holder.append(words.slice(end, match.index), element("mark", match[0]));
        end = match.index + match[0].length;
      }
    }
    holder.append(words.slice(end));
    return holder;
  }

  // A preview begins a little before the first match, so that one sees why a row was found.
  function preview(words) {
    const match = pattern ? words.search(pattern) : -1;
    const from = match > PREVIEW / 3 ? match - 40 : 0;
    return (from > 0 ? "… " : "") + visible(words.slice(from, from + PREVIEW)).replace(/\s+/g, " ");
  }

  // The members of a JSON object, each with its text; null for any other text.
  function members(json) {
    if (json[0] !== "{") return null;
    try {
      return Object.entries(JSON.parse(json)).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]);
    } catch {
      return null;
    }
  }

  // The columns of the input row, if they were copied to the output as one whole object.
  const columns = row => members(row[METADATA]) || [];

  // The fields of an answer that is JSON, or one block of it. They are read once.
  function fields(row) {
    if (row[FIELDS] === undefined) row[FIELDS] = row[STATE] === 3 ? null : members(row[WORDS].trim().replace(/^```\w*\n([^]*)```$/, "$1").trim());
    return row[FIELDS];
  }

  // Fields rather than their JSON, and the only one, such as a label, without its name.
  function answer(row) {
    const named = fields(row);
    return !named ? row[WORDS] : named.length === 1 ? named[0][1] : named.map(([name, value]) => `${name}: ${value}`).join(" · ");
  }

  // Without the request itself, the columns that it was made of, the longest text first. Those that repeat the id say nothing.
  const question = row => row[QUESTION] || columns(row).map(([, value]) => value).filter(value => value !== "" && value !== row[ID])
    .sort((a, b) => b.length - a.length).join(" · ") || row[METADATA];

  function cells(row) {
    const open = element("button", [marked(visible(row[ID]))]);
    open.type = "button";
    open.setAttribute("aria-expanded", "false");
    open.title = visible(row[ID]);
    const outcome = element("td", [element("span", null, `state s${row[STATE]}`), marked(STATES[row[STATE]] + (row[REASON] ? ` · ${visible(row[REASON])}` : ""))]);
    outcome.title = visible(row[REASON]);
    return [element("td", String(row[LINE])), element("td", [open]), outcome, element("td", time(row[LATENCY]), "number"),
      element("td", count(row[OUTPUT]), "number"), element("td", [marked(preview(question(row)))], "question"), element("td", [marked(preview(answer(row)))], "answer")];
  }

  function detail(row) {
    const facts = element("div", null, "facts");
    const fact = (name, value) => value !== "" && value !== null && facts.append(element("span", [`${name} `, marked(visible(String(value)))]));
    fact("id", row[ID]);
    fact("model", row[MODEL]);
    fact(row[STATE] === 3 ? "failure" : "finish reason", row[REASON]);
    fact("HTTP status", row[STATUS]);
    fact("sends", row[SENDS]);
    fact("latency", time(row[LATENCY]));
    fact("input tokens", count(row[INPUT]));
    fact("output tokens", count(row[OUTPUT]));
    fact("at", row[AT] === null ? "" : new Date(row[AT]).toISOString().replace("T", " "));
    fact("cost in USD", row[COST]);
    const link = element("a", "link to this row");
    link.href = hashOf(row);
    facts.append(link);
    const body = [facts];
    const part = (name, words) => body.push(element("h3", name), element("pre", [marked(visible(words))]));
    if (row[QUESTION]) part("Question", row[QUESTION]);
    const list = (name, named, words) => {
      if (!named || named.length === 0) return words && part(name, words);
      const pairs = named.flatMap(([name, value]) => [element("dt", [marked(visible(name))]), element("dd", [marked(visible(value))])]);
      body.push(element("h3", name), element("dl", pairs, "columns"));
    };
    list("Input row", columns(row), row[METADATA]);
    list(row[STATE] === 3 ? "Failure" : "Answer", fields(row), row[WORDS] || "(no words)");
    if (row[MORE] > 0) body.push(element("p", `${number.format(row[MORE])} characters more in line ${row[LINE]} of the file.`));
    const cell = element("td", body);
    cell.colSpan = [...document.querySelectorAll(".rows th")].filter(head => head.offsetParent).length; // narrow screens show fewer
    return element("tr", [cell], "detail");
  }

  const hashOf = row => `#row-${encodeURIComponent(row[ID])}`;

  // A link to a row opens it, whatever was searched for before.
  function follow() {
    const row = location.hash.startsWith("#row-") && rows.find(one => hashOf(one) === location.hash);
    if (!row) return;
    if (!shown.includes(row)) {
      text.value = filter.value = "";
      choose();
    }
    const place = shown.indexOf(row);
    first = place - place % PER_PAGE;
    draw();
    const line = table.children[place - first];
    toggle(line, row);
    line.scrollIntoView({ block: "center" });
  }

  function toggle(line, row) {
    const button = line.querySelector("button");
    const opens = button.getAttribute("aria-expanded") === "false";
    button.setAttribute("aria-expanded", String(opens));
    if (opens) line.after(detail(row));
    else line.nextSibling.remove();
  }

  function draw() {
    const some = shown.slice(first, first + PER_PAGE);
    table.replaceChildren(...some.map(row => {
      const line = element("tr", cells(row), "row");
      line.addEventListener("click", event => {
        // Whoever marks text to copy it does not want the row to fold.
        if (event.target.closest("button") || String(getSelection()) === "") toggle(line, row);
      });
      return line;
    }));
    found.textContent = shown.length === rows.length ? `${count(rows.length)} rows` : `${count(shown.length)} of ${count(rows.length)} rows`;
    page.textContent = shown.length ? `${count(first + 1)} – ${count(first + some.length)} of ${count(shown.length)}` : "Nothing found.";
    back.disabled = first === 0;
    next.disabled = first + PER_PAGE >= shown.length;
  }

  // What a filter compares: a field of the answer, a whole short answer, or what the row has in a column.
  const valueOf = (row, column, name) => column === FIELDS ? fields(row)?.find(field => field[0] === name)?.[1]
    : column !== WORDS ? row[column] : row[STATE] !== 3 && !fields(row) && row[WORDS].length <= 60 ? row[WORDS].trim() : undefined;

  function choose() {
    const words = text.value.trim();
    pattern = words ? new RegExp(words.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&"), "gi") : null;
    const test = pattern && new RegExp(pattern.source, "i");
    const [column, value, name] = filter.value ? JSON.parse(filter.value) : [];
    shown = rows.filter(row => (column === undefined || valueOf(row, column, name) === value)
      && (!test || test.test(row[WORDS]) || test.test(row[ID]) || test.test(row[REASON]) || test.test(row[MODEL]) || test.test(row[METADATA]) || test.test(row[QUESTION])));
    order();
    first = 0;
    draw();
  }

  function order() {
    const { column, down } = sort;
    if (column !== LINE || down) {
      const sign = down ? -1 : 1;
      // What is not known comes last, whichever way.
      shown = shown.slice().sort((a, b) => a[column] === b[column] ? a[LINE] - b[LINE] : a[column] === null ? 1 : b[column] === null ? -1 : a[column] < b[column] ? -sign : sign);
    }
  }

  function options() {
    const all = element("option", `All ${count(rows.length)} rows`);
    all.value = "";
    filter.append(all);
    const group = (label, column, of, named, field) => {
      const counts = new Map();
      for (const row of rows) {
        const value = of(row) ? valueOf(row, column, field) : undefined;
        if (value !== undefined && value !== "") counts.set(value, (counts.get(value) || 0) + 1);
      }
      // Values that hardly ever come again are no choice.
      if (counts.size === 0 || (column >= WORDS && counts.size * 2 > rows.length)) return;
      const made = element("optgroup");
      made.label = label;
      for (const [value, n] of [...counts].sort((a, b) => b[1] - a[1]).slice(0, 50)) {
        const option = element("option", `${visible(named(value))} (${count(n)})`);
        option.value = JSON.stringify([column, value, field]);
        made.append(option);
      }
      filter.append(made);
    };
    const same = value => value;
    group("Outcome", STATE, () => true, state => STATES[state]);
    const names = new Set();
    for (const row of rows) for (const [name] of fields(row) || []) if (names.size < 50) names.add(name);
    for (const name of names) group(visible(name), FIELDS, () => true, same, name);
    group("Answer", WORDS, () => true, same);
    group("Failure", REASON, row => row[STATE] === 3, same);
    group("Finish reason", REASON, row => row[STATE] !== 3, same);
    group("Model", MODEL, () => true, same);
  }

  // Shows the rows with one of some values, or with the words where no filter has them.
  function show(words, ...values) {
    const keys = values.map(value => JSON.stringify(value));
    const option = [...filter.options].find(o => keys.includes(o.value));
    text.value = option ? "" : words;
    filter.value = option ? option.value : "";
    choose();
    at("rows-title").scrollIntoView();
    filter.focus({ preventScroll: true });
  }

  let waiting = 0;
  text.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(choose, rows.length > 2000 ? 150 : 0);
  });
  filter.addEventListener("change", choose);
  at("find").addEventListener("submit", event => event.preventDefault());
  for (const [button, step] of [[back, -PER_PAGE], [next, PER_PAGE]]) {
    button.addEventListener("click", () => {
      first = Math.max(0, first + step);
      draw();
      at("rows-title").scrollIntoView();
    });
  }
  for (const button of document.querySelectorAll("button[data-show]")) {
    const value = button.dataset.show;
    button.addEventListener("click", () => show(value, [REASON, value, undefined], [MODEL, value, undefined]));
  }
  for (const button of document.querySelectorAll("button[data-find]")) {
    const { find, field } = button.dataset;
    button.addEventListener("click", () => show(find, [field === undefined ? WORDS : FIELDS, find, field]));
  }
  for (const button of document.querySelectorAll("button[data-sort]")) {
    button.addEventListener("click", () => {
      const column = Number(button.dataset.sort);
      sort = { column, down: sort.column === column ? !sort.down : column > STATE };
      for (const other of document.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
      button.parentElement.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
      choose();
    });
  }
  if (!rows.some(row => row[QUESTION] || row[METADATA])) document.querySelector(".rows table").classList.add("answers-only");
  addEventListener("hashchange", follow);
  options();
  draw();
  follow();
})();
