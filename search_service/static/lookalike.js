// What a page gains by JavaScript: a chosen, dropped or pasted picture is searched with at once.
"use strict";

const root = document.documentElement;
const form = document.querySelector("form.search");
const input = form && form.querySelector("input[type=file]");
root.classList.add("scripted");

function searchWith(files) {
  const picture = [...files].find((file) => file.type.startsWith("image/"));
  if (!input || !picture) return;
  const transfer = new DataTransfer();
  transfer.items.add(picture);
  input.files = transfer.files;
  submit();
}

function submit() {
  form.classList.add("busy");
  form.querySelector("strong").textContent = `Searching with ${input.files[0].name} …`;
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

const boxes = document.querySelector(".boxes-switch");
if (boxes) {
  boxes.checked = localStorage.getItem("boxes") !== "hidden";
  const show = () => root.classList.toggle("without-boxes", !boxes.checked);
  boxes.addEventListener("change", () => {
    localStorage.setItem("boxes", boxes.checked ? "shown" : "hidden");
    show();
  });
  show();
}
