// What Streamlit leaves to the browser: links into documents, focus, what a screen reader hears, the page's language.
// One component is mounted with every run of the script; it writes nothing of its own into the page but what is here.
const page = { busy: false, questions: null, shown: null, opener: null, send: null, timer: 0, text: {} };
const still = matchMedia("(prefers-reduced-motion: reduce)");
const fine = matchMedia("(pointer: fine)");

const find = (selector) => document.querySelector(selector);
const input = () => find('[data-testid="stChatInputTextArea"], [data-testid="stChatInput"] textarea');

function say(words) {
  let live = find("#pq-live");
  if (!live) {
    live = document.createElement("div");
    live.id = "pq-live";
    live.className = "pq-unseen";
    live.setAttribute("role", "status");
    live.setAttribute("aria-live", "polite");
    document.body.append(live);
  }
  if (words && live.textContent !== words) live.textContent = words;
}

// -- links into documents ------------------------------------------------------------------------------------------

function preview(link) {
  hidePreview();
  const box = document.createElement("div");
  box.id = "pq-preview";
  const image = new Image();
  image.alt = "";
  image.src = link.dataset.preview;
  image.onload = () => {
    const at = link.getBoundingClientRect();
    if (!link.isConnected) return;
    document.body.append(box);
    const high = box.offsetHeight, wide = box.offsetWidth;
    box.style.left = `${Math.max(8, Math.min(at.left - 20, innerWidth - wide - 8))}px`;
    box.style.top = at.top > high + 12 ? `${at.top - high - 8}px` : `${at.bottom + 8}px`;
  };
  box.append(image);
  page.preview = box;
}

function hidePreview() {
  clearTimeout(page.timer);
  page.preview?.remove();
  if (page.preview?.firstChild) page.preview.firstChild.onload = null;
  page.preview = null;
}

async function copy(button) {
  const words = button.dataset.copy || new URL(button.dataset.copyLink, location.origin).href;
  try {
    await navigator.clipboard.writeText(words);
  } catch {
    const area = Object.assign(document.createElement("textarea"), { value: words });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.classList.add("pq-copied");
  say(page.text.copied);
  setTimeout(() => button.classList.remove("pq-copied"), 2000);
}

function zoom(step) {
  const root = document.documentElement;
  const now = Number(root.style.getPropertyValue("--pq-zoom")) || 1;
  root.style.setProperty("--pq-zoom", step === "0" ? "1" : String(Math.min(3, Math.max(0.5, now + Number(step)))));
  showMark(true);
}

document.addEventListener("click", (event) => {
  const target = event.target.closest?.("[data-open], [data-copy], [data-copy-link], [data-zoom]");
  if (!target || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  hidePreview();
  if (target.dataset.zoom !== undefined) return zoom(target.dataset.zoom);
  if (target.dataset.open === undefined) return copy(target);
  if (!target.closest(".st-key-pane")) page.opener = target.dataset.open;
  page.send?.(target.dataset.open);
}, true);

for (const [kind, wait] of [["mouseover", 180], ["focusin", 350]]) {
  document.addEventListener(kind, (event) => {
    const link = event.target.closest?.("[data-preview]");
    clearTimeout(page.timer);
    if (link && (kind === "mouseover" || link.matches(":focus-visible") && !page.quiet)) {
      page.timer = setTimeout(() => preview(link), wait);
    } else if (!link) hidePreview();
  });
}
addEventListener("scroll", hidePreview, true);

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (page.preview) return hidePreview();
  const pane = find(".st-key-pane");
  if (pane && !find('[role="dialog"], [data-testid="stPopoverBody"]')) page.send?.("");
});

// -- files that are too large: Streamlit gives the reason only to who points at them ---------------------------------

function refuse(files, place) {
  find("#pq-refused")?.remove();
  const large = [...files].filter((file) => file.size > page.limit * 2 ** 20);
  if (!large.length || !place || place.closest('[data-testid="stSidebar"]')) return;
  const box = document.createElement("div");
  box.id = "pq-refused";
  box.setAttribute("role", "alert");
  box.textContent = large.map((file) => page.text.large.replace("{file}", file.name)).join("\n");
  document.body.append(box);
  const at = place.getBoundingClientRect();
  box.style.left = `${at.left}px`;
  box.style.width = `${at.width}px`;
  box.style.top = `${Math.max(8, at.top - box.offsetHeight - 8)}px`;
  setTimeout(() => box.remove(), 15000);
}

const UPLOADERS = '[data-testid="stChatInput"], [data-testid="stFileUploader"]';
document.addEventListener("change", (event) => {
  if (event.target.type === "file") refuse(event.target.files, event.target.closest(UPLOADERS));
}, true);
document.addEventListener("drop", (event) => {
  refuse(event.dataTransfer?.files ?? [], event.target.closest?.(UPLOADERS));
}, true);

// -- the pane: its mark in view, focus in it and back ----------------------------------------------------------------

function showMark(again) {
  const image = find(".pq-view img");
  const view = image?.closest(".pq-view");
  if (!image || (!again && page.shown === image.src)) return;
  if (!image.complete || !image.naturalHeight) return void image.addEventListener("load", () => showMark(again), { once: true });
  page.shown = image.src;
  const top = Number(image.dataset.top || 0) * image.offsetHeight, left = Number(image.dataset.left || 0) * image.offsetWidth;
  view.scrollTo({ top: Math.max(0, top - view.clientHeight * 0.3), left: Math.max(0, left - 40), behavior: "instant" });
}

function pane() {
  const box = find(".st-key-pane");
  if (box && !page.pane) {
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", page.text.pane || "");
    find(".st-key-pane .pq-file")?.focus({ preventScroll: true });
  }
  if (!box && page.pane) {
    page.shown = null;
    page.quiet = true;
    if (page.opener) find(`[data-open="${CSS.escape(page.opener)}"]`)?.focus({ preventScroll: true });
    page.opener = null;
    page.quiet = false;
  }
  page.pane = box;
  for (const part of document.querySelectorAll('[data-testid="stSidebarContent"], .pq-view')) part.tabIndex = 0;
  showMark(false);
}

// A machine that is busy draws a page late: ask once more, and show no broken picture.
document.addEventListener("error", (event) => {
  const image = event.target;
  if (!image.matches?.(".pq-crop, .pq-whole")) return;
  if (image.dataset.again) return void (image.style.display = "none");
  image.dataset.again = "1";
  setTimeout(() => { image.src = `${image.src}&again=1`; }, 1500);
}, true);

let waiting = false;
new MutationObserver(() => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; pane(); });
}).observe(document.body, { childList: true, subtree: true });

// -- the chat ------------------------------------------------------------------------------------------------------

function questionInView() {
  const asked = [...document.querySelectorAll(".pq-question")].at(-1)?.closest('[data-testid="stChatMessage"]');
  asked?.scrollIntoView({ block: "start", behavior: still.matches ? "instant" : "smooth" });
}

function focusInput() {
  const at = document.activeElement;
  const free = !at || at === document.body || at.disabled || at.closest(".stMain") && !at.closest("input, textarea, .st-key-pane");
  if (free && fine.matches) input()?.focus({ preventScroll: true });
}

export default function (component) {
  const { data, setTriggerValue } = component;
  page.send = (address) => setTriggerValue("open", address);
  page.text = data.text;
  page.limit = data.limit;
  document.documentElement.lang = data.lang;
  const asked = page.questions !== null && data.questions > page.questions;
  if (asked) for (const wait of [60, 400]) setTimeout(questionInView, wait);
  if (page.busy && !data.busy) for (const wait of [100, 500]) setTimeout(focusInput, wait);
  say(data.say);
  page.busy = data.busy;
  page.questions = data.questions;
  pane();
}
