// Runs before the page is drawn, so that it never shows in the wrong colours.
"use strict";
try {
  const chosen = localStorage.getItem("hopsml-theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch { /* storage is off */ }
