// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The page at `/`: pictures are dropped, picked or pasted, each is sent to `./v1/classify`, and a
 * card shows what it evokes. It exists so that a person can try the service without writing code,
 * and so it talks to the public API alone and has no private door. Every address is relative (the
 * app may be mounted under a sub-path) and nothing needs an exception from the page's
 * Content-Security-Policy: text goes in as text, widths through CSSOM.
 *
 * @module
 */

/**
 * @typedef {{ label: string, score: number }} Score
 * @typedef {{ taxonomy: string, method: string, degraded?: boolean, scores: Score[] }} Prediction
 * @typedef {{
 *   model?: { name?: string, bundle?: string },
 *   image?: { width: number, height: number },
 *   predictions: Prediction[],
 * }} Answer
 * @typedef {{ title?: string, status?: number, detail?: string, code?: string }} Problem RFC 9457
 * @typedef {{ method: string, figures?: Record<string, number> }} Method
 * @typedef {{
 *   id: string,
 *   title?: string,
 *   labels?: { id: string, title?: string }[],
 *   methods?: Method[],
 * }} Taxonomy
 * @typedef {{
 *   name?: string,
 *   bundle?: string,
 *   embeddingSpace?: { id: string, size: number },
 *   license?: string,
 *   taxonomies?: Taxonomy[],
 *   modelCard?: string,
 * }} Model
 * @typedef {{ answer: Answer, times: string[] } | { problem: Problem }} Outcome
 * @typedef {{ file: File, root: HTMLElement, findings: HTMLElement }} Card
 */

/** Requests under way at once: enough to hide the network, few enough for a small server. */
const LANES = 2;

/** Labels shown of a taxonomy too long to show whole, and how long that is. */
const SHOWN = 6;
const LONG = 8;

const DEGRADED = "A part of the model could not be loaded, so a simpler method stood in. " +
  "Trust this answer less.";

const pick = part("pick", HTMLInputElement);
const status = part("status", HTMLElement);
const count = part("count", HTMLElement);
const clear = part("clear", HTMLButtonElement);
const cards = part("cards", HTMLElement);
const curl = part("curl", HTMLElement);
const copy = part("copy", HTMLButtonElement);
const about = part("model", HTMLElement);

/** @type {Card[]} */
const waiting = [];
let busy = 0;
let abort = new AbortController();
const model = readModel();

pick.addEventListener("change", () => {
  add(pick.files);
  pick.value = ""; // so that the same file can be picked again
});

document.addEventListener("paste", (event) => add(event.clipboardData?.files));

document.addEventListener("dragover", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  document.body.classList.add("dragging");
});

document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) document.body.classList.remove("dragging");
});

document.addEventListener("drop", (event) => {
  document.body.classList.remove("dragging");
  if (!event.dataTransfer?.files.length) return;
  event.preventDefault();
  add(event.dataTransfer.files);
});

clear.addEventListener("click", () => {
  abort.abort();
  abort = new AbortController();
  waiting.length = 0;
  cards.replaceChildren();
  count.textContent = "";
  clear.hidden = true;
  document.body.classList.remove("full");
  status.textContent = "Cleared.";
  pick.focus();
});

copy.hidden = !navigator.clipboard; // absent on plain http
copy.addEventListener("click", async () => {
  const done = navigator.clipboard.writeText(curl.textContent);
  status.textContent = copy.textContent = await done.then(() => "Copied", () => "Not allowed");
});

showCommand("photo.jpg", "image/jpeg");
showModel();

/**
 * The element of the page with this id.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 * @throws {TypeError} if the page has no such element
 */
function part(id, type) {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new TypeError(`Cannot start the page: index.html has no ${type.name} with id "${id}"`);
}

/**
 * A new element with properties and children.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Partial<HTMLElementTagNameMap[K]>} properties
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/**
 * Puts a card for each file before the older cards, and sends the files.
 *
 * @param {FileList | null | undefined} files
 */
function add(files) {
  const added = Array.from(files ?? [], makeCard);
  const last = added.at(-1);
  if (!last) return;
  cards.prepend(...added.map((card) => card.root));
  document.body.classList.add("full");
  clear.hidden = false;
  showCommand(last.file.name, last.file.type);
  added.forEach(send);
}

/**
 * @param {File} file
 * @returns {Card}
 */
function makeCard(file) {
  const url = URL.createObjectURL(file);
  const photo = element("img", { alt: `Preview of ${file.name}`, src: url });
  const release = () => URL.revokeObjectURL(url);
  photo.addEventListener("load", release);
  photo.addEventListener("error", () => {
    release();
    photo.remove();
  });
  const findings = element("div", { className: "findings" });
  const root = element("article", { className: "card", tabIndex: -1 }, photo, findings);
  root.setAttribute("aria-label", file.name);
  return { file, root, findings };
}

/**
 * Queues a card and, where a lane is free, works the queue off.
 *
 * @param {Card} card
 */
async function send(card) {
  card.root.ariaBusy = "true";
  fill(card, element("p", { className: "quiet wait", textContent: "Looking at it …" }));
  waiting.push(card);
  if (busy >= LANES) return;
  busy++;
  for (let next = waiting.shift(); next; next = waiting.shift()) await classify(next);
  busy--;
}

/**
 * Replaces what a card says under the name of its file, and counts the cards anew.
 *
 * @param {Card} card
 * @param {Node[]} content
 */
function fill(card, ...content) {
  card.findings.replaceChildren(element("h2", { textContent: card.file.name }), ...content);
  const all = cards.childElementCount;
  const done = all - cards.querySelectorAll("[aria-busy=true]").length;
  count.textContent = done < all ? `${done} of ${all} seen` : "";
}

/**
 * Sends one picture and shows what came of it, unless it was cleared away meanwhile.
 *
 * @param {Card} card
 */
async function classify(card) {
  const { signal } = abort;
  const outcome = await ask(card.file, signal);
  const known = await model;
  if (signal.aborted) return;
  card.root.ariaBusy = "false";
  if ("problem" in outcome) showProblem(card, outcome.problem);
  else showAnswer(card, outcome.answer, outcome.times, known);
}

/**
 * One call of the API. Never rejects: whatever goes wrong is a problem with a `detail`.
 *
 * @param {File} file
 * @param {AbortSignal} signal
 * @returns {Promise<Outcome>}
 */
async function ask(file, signal) {
  const type = file.type || "application/octet-stream";
  if (file.type && !file.type.startsWith("image/")) {
    const detail = `This file was not sent: it is no picture (${type}). Try a JPEG, PNG or WebP.`;
    return { problem: { status: 415, detail } };
  }
  const start = performance.now();
  try {
    const headers = { "Content-Type": type };
    const response = await fetch("./v1/classify", { method: "POST", headers, body: file, signal });
    /** @type {Answer & Problem} */
    const body = (await response.json().catch(() => null)) ?? {};
    if (response.ok && body.predictions?.every(({ scores }) => Array.isArray(scores))) {
      const times = serverTimes(response.headers.get("Server-Timing") ?? "");
      times.push(`${milliseconds(performance.now() - start)} there and back`);
      return { answer: body, times };
    }
    const detail = body.detail ?? body.title ??
      `The server answered ${response.status} in a form that this page cannot read.`;
    return { problem: { status: response.status, ...body, detail } };
  } catch {
    const detail =
      "The picture was not classified: the file could not be read, or the server did " +
      "not answer. Check the connection, then try again.";
    return { problem: { detail } };
  }
}

/**
 * @param {Card} card
 * @param {Problem} problem
 */
function showProblem(card, { status: number = 0, code, detail = "" }) {
  /** @type {Node[]} */
  const parts = [element("p", { className: "error", textContent: detail })];
  if (code) parts.push(element("p", { className: "quiet", textContent: `${number} · ${code}` }));
  // Per RFC 9110, section 15.5: the same request again cannot mend the other client errors.
  if (number < 400 || number === 408 || number === 429 || number >= 500) {
    const again = element("button", { type: "button", textContent: "Try again" });
    again.addEventListener("click", () => {
      card.root.focus(); // the button is about to go
      send(card);
    });
    parts.push(again);
  }
  fill(card, ...parts);
  status.textContent = `${card.file.name}: ${detail}`;
}

/**
 * @param {Card} card
 * @param {Answer} answer
 * @param {string[]} times
 * @param {Model} known what `./v1/model` said: titles and figures
 */
function showAnswer(card, answer, times, known) {
  const said = [];
  const sections = [];
  for (const prediction of answer.predictions) {
    const taxonomy = known.taxonomies?.find(({ id }) => id === prediction.taxonomy);
    const title = taxonomy?.title ?? prediction.taxonomy;
    const titles = new Map(taxonomy?.labels?.map((label) => [label.id, label.title]));
    const rows = prediction.scores
      .toSorted((a, b) => b.score - a.score)
      .map(({ label, score }) => ({ name: titles.get(label) ?? label, score }));
    if (rows[0]) said.push(`${title}: ${rows[0].name} ${percent(rows[0].score)}`);
    sections.push(question(title, prediction.method, taxonomy));
    if (prediction.degraded) {
      sections.push(element("p", { className: "degraded", textContent: DEGRADED }));
    }
    sections.push(...bars(rows));
  }
  const { image } = answer;
  const facts = [answer.model?.name ?? known.name ?? "", ...times];
  if (image) facts.unshift(`${image.width} × ${image.height}`);
  fill(
    card,
    ...sections,
    element("p", { className: "quiet", textContent: facts.filter(Boolean).join(" · ") }),
    folded("Answer as JSON", text(JSON.stringify(answer, null, 2))),
  );
  status.textContent = `${card.file.name}. ${said.join("; ")}.`;
}

/**
 * The heading of a taxonomy, with the method that answered and how often it was found right.
 *
 * @param {string} title
 * @param {string} method
 * @param {Taxonomy | undefined} taxonomy
 * @returns {HTMLElement}
 */
function question(title, method, taxonomy) {
  const accuracy = taxonomy?.methods?.find((one) => one.method === method)?.figures?.accuracy;
  const measured = typeof accuracy === "number" ? `, accuracy ${percent(accuracy)}` : "";
  return element(
    "div",
    { className: "question" },
    element("h3", { textContent: title }),
    element("p", { className: "quiet", textContent: method + measured }),
  );
}

/**
 * The strongest labels as bars, the rest of a long list folded away.
 *
 * @param {{ name: string, score: number }[]} rows strongest first
 * @returns {HTMLElement[]}
 */
function bars(rows) {
  const items = rows.map(({ name, score }, place) => {
    const track = element("span", { className: "track", ariaHidden: "true" });
    track.style.setProperty("--score", String(Math.min(1, Math.max(0, score))));
    return element(
      "li",
      { className: place === 0 ? "strongest" : "" },
      element("span", { textContent: name }),
      track,
      element("span", { className: "percent", textContent: percent(score) }),
    );
  });
  if (items.length <= LONG) return [element("ol", {}, ...items)];
  const rest = items.splice(SHOWN);
  return [
    element("ol", {}, ...items),
    folded(`${rest.length} more`, element("ol", {}, ...rest)),
  ];
}

/**
 * @param {string} title
 * @param {Node} content
 * @returns {HTMLElement}
 */
function folded(title, content) {
  return element("details", {}, element("summary", { textContent: title }), content);
}

/**
 * Text as it is, in a box that the keyboard can scroll.
 *
 * @param {string} textContent
 * @returns {HTMLElement}
 */
function text(textContent) {
  return element("pre", { tabIndex: 0, textContent });
}

/**
 * The entries of a Server-Timing header as text, `encode 35 ms`.
 *
 * @param {string} header
 * @returns {string[]}
 */
function serverTimes(header) {
  const entries = header.matchAll(/([\w-]+)\s*;[^,]*?\bdur=([\d.]+)/g);
  return Array.from(entries, ([, name, duration]) => `${name} ${milliseconds(Number(duration))}`);
}

/**
 * @param {number} time in milliseconds
 * @returns {string}
 */
function milliseconds(time) {
  return `${time < 10 ? Number(time.toFixed(1)) : Math.round(time)} ms`;
}

/**
 * @param {number} share from 0 to 1
 * @returns {string}
 */
function percent(share) {
  if (share > 0 && share < 0.001) return "<0.1%";
  return `${(share * 100).toFixed(share > 0 && share < 0.0995 ? 1 : 0)}%`;
}

/**
 * @param {string} name of the file
 * @param {string} type of the file
 */
function showCommand(name, type) {
  const address = new URL("./v1/classify", document.baseURI);
  const quoted = /^[\w.-]+$/.test(name) ? `@${name}` : `'@${name.replaceAll("'", "'\\''")}'`;
  const header = `Content-Type: ${type || "application/octet-stream"}`;
  curl.textContent = `curl --data-binary ${quoted} -H '${header}' ${address}`;
  copy.textContent = "Copy";
}

/**
 * What the service says of its model, or nothing where it cannot say: the page then shows ids.
 *
 * @returns {Promise<Model>}
 */
async function readModel() {
  try {
    const response = await fetch("./v1/model", { signal: AbortSignal.timeout(10_000) });
    return response.ok ? await response.json() : {};
  } catch {
    return {};
  }
}

async function showModel() {
  const { name, bundle, embeddingSpace, license, taxonomies = [], modelCard } = await model;
  if (!name) return;
  const answers = taxonomies.map(({ id, title, labels }) =>
    `${title ?? id}${labels ? ` (${labels.length} labels)` : ""}`
  );
  /** @type {[string, string | undefined][]} */
  const facts = [
    ["Name", name],
    ["Answers", answers.join(", ")],
    ["Licence of the weights", license],
    ["Embedding space", embeddingSpace && `${embeddingSpace.id} (${embeddingSpace.size} numbers)`],
    ["Bundle", bundle],
  ];
  for (const [term, text] of facts) {
    if (!text) continue;
    about.querySelector("dl")?.append(
      element("dt", { textContent: term }),
      element("dd", { textContent: text }),
    );
  }
  if (modelCard) about.append(folded("Model card", text(modelCard)));
  about.hidden = false;
}
