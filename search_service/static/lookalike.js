// What every page gains by JavaScript: a chosen, dropped or pasted picture is searched with at once, boxes can be
// switched, and a picture that was sent stays in this browser for as long as its tab is open.

const root = document.documentElement;
const form = document.querySelector("form.search");
const input = form?.querySelector("input[type=file]");
root.classList.add("scripted");

function searchWith(files) {
  const pictures = [...files].filter((file) => file.type.startsWith("image/"));
  if (!input || !pictures.length) return;
  const transfer = new DataTransfer();
  for (const picture of pictures) transfer.items.add(picture);
  input.files = transfer.files;
  submit();
}

function submit() {
  const [first, ...others] = input.files;
  const more = others.length ? ` and ${others.length} more` : "";
  form.classList.add("busy");
  form.querySelector("strong").textContent = `Searching with ${first.name}${more} …`;
  form.requestSubmit();
}

if (input) {
  input.addEventListener("change", () => { if (input.files.length) submit(); });
  document.addEventListener("paste", (event) => searchWith(event.clipboardData.files));
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    root.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) root.classList.remove("dropping"); });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    root.classList.remove("dropping");
    searchWith(event.dataTransfer.files);
  });
  // Coming back by the back button restores the page as it was left: busy.
  window.addEventListener("pageshow", (event) => { if (event.persisted) window.location.reload(); });
}

const switches = document.querySelectorAll("[data-hides]");

function showBoxes() {
  for (const box of switches) {
    const kind = box.dataset.hides;
    box.checked = localStorage.getItem(`boxes-${kind}`) !== "hidden";
    root.classList.toggle(`without-${kind}`, !box.checked);
  }
}

for (const box of switches) {
  box.addEventListener("change", () => {
    localStorage.setItem(`boxes-${box.dataset.hides}`, box.checked ? "shown" : "hidden");
    showBoxes();
  });
}
window.addEventListener("storage", showBoxes); // switched in another tab
window.addEventListener("pageshow", showBoxes); // or on a page that one came back from
showBoxes();

// A form asks for nothing that was left empty or as it is anyway, so that addresses stay short.
for (const filters of document.querySelectorAll("form[method=get]")) {
  filters.addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
    for (const { name, value, dataset } of filters.elements) {
      if (dataset.default === value && event.formData.get(name) === value) event.formData.delete(name);
    }
  });
}

// An uploaded picture is not kept by the service: its page is remembered here, and its address shows the results alone.
const HELD = 24;
const answer = document.querySelector("[data-address]");
const uploaded = document.querySelector("figure.large[data-reference^='~']");

function remember(name, element) {
  const held = JSON.parse(sessionStorage.getItem("held") ?? "[]").filter((one) => one !== name);
  while (held.length >= HELD) sessionStorage.removeItem(held.shift());
  for (;;) {
    try {
      sessionStorage.setItem(name, element.outerHTML);
      sessionStorage.setItem("held", JSON.stringify([...held, name]));
      return;
    } catch (error) {
      if (error.name !== "QuotaExceededError") throw error;
      if (!held.length) return; // the link goes on to work, only without the picture beside it
      sessionStorage.removeItem(held.shift());
    }
  }
}

// The answer to a form has no address of its own.
if (answer && !window.location.search) history.replaceState(null, "", answer.dataset.address);
for (const part of document.querySelectorAll("img[data-part^='~']")) remember(`part${part.dataset.part}`, part);
if (uploaded) {
  remember(`facts${uploaded.dataset.reference}`, document.querySelector("dl[data-facts]"));
  remember(uploaded.dataset.reference, uploaded);
}

function recalled(name) {
  const html = sessionStorage.getItem(name);
  return html && new DOMParser().parseFromString(html, "text/html").body.firstChild;
}

function recall(name, place) {
  const element = recalled(name);
  if (element) place.replaceWith(element);
  return Boolean(element);
}

for (const figure of document.querySelectorAll("[data-forgotten]")) {
  const reference = figure.dataset.forgotten;
  recall(`facts${reference}`, document.querySelector("dl[data-facts]"));
  if (!recall(reference, figure)) recall(`part${reference}`, figure.querySelector(".forgotten p"));
}
for (const part of document.querySelectorAll(".no-preview")) {
  const { part: reference } = part.dataset;
  if (recall(`part${reference}`, part)) continue;
  const picture = recalled(reference)?.querySelector("img"); // of when it was searched with alone
  if (picture) part.replaceWith(Object.assign(picture, { width: 64, height: 64, alt: "" }));
}
