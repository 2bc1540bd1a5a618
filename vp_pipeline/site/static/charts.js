// Draws every `.chart` from the figure in its JSON script. Colours that follow the reader's scheme are in site.css.
"use strict";

const touch = window.matchMedia("(pointer: coarse)").matches;

for (const chart of document.querySelectorAll(".chart")) {
  const { data, layout } = JSON.parse(chart.querySelector("script").textContent);
  // The page has its own heading, and gives the chart its size.
  const { title, width, height, ...rest } = layout;
  const fitted = { ...rest, margin: { ...layout.margin, t: 44 } };
  // A finger that moves over the chart scrolls the page.
  if (touch) fitted.dragmode = false;
  chart.replaceChildren();
  Plotly.newPlot(chart, data, fitted, { responsive: true, displaylogo: false, plotlyServerURL: "" });
}
