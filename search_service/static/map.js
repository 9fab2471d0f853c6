// The map of all pictures, from the places that the API tells.

import { listen } from "./map-input.js";
import { PictureMap } from "./map-plot.js";

async function loadPlaces(address) {
  const response = await fetch(address);
  const body = await response.json();
  if (!response.ok) throw new Error(body.error.message);
  return body;
}

async function start(root) {
  const state = root.querySelector(".map-state");
  try {
    if (!window.Plotly) throw new Error("what draws it did not arrive");
    const map = new PictureMap(root, await loadPlaces(root.dataset.places), window.Plotly);
    await map.begin();
    listen(map);
    state.remove();
    root.classList.add("drawn");
  } catch (error) {
    state.textContent = `The map could not be drawn: ${error.message}. Load the page again.`;
    state.className = "map-state problem";
    state.setAttribute("role", "alert");
  }
}

start(document.querySelector(".map"));
