// Draws every `.chart` from the figure in its JSON script. Colours that follow the reader's scheme are in site.css.
"use strict";

const touch = window.matchMedia("(pointer: coarse)").matches;

// Draw, or draw again what differs.
window.drawChart = (chart, { data, layout }) => {
  // The page has its own heading, and gives the chart its size.
  const { title, width, height, ...rest } = layout;
  const fitted = { ...rest, margin: { ...layout.margin, t: 44 } };
  // Plotly writes <b> as a style attribute, which the page's policy does not let through.
  for (const label of fitted.annotations ?? []) label.text = label.text?.replace(/<\/?b>/g, "");
  // A finger that moves over the chart scrolls the page.
  if (touch) fitted.dragmode = false;
  if (chart.clientWidth < 600) {
    // The venues' table has the colours.
    Object.assign(fitted, { showlegend: false, yaxis: { ...fitted.yaxis, title: undefined } });
    if (fitted.xaxis2) fitted.margin.t = 16;
    if (fitted.xaxis) fitted.xaxis = { ...fitted.xaxis, nticks: 4 };
    // There is no room for figures; the profile's own are on touch and in the table.
    if (fitted.xaxis2) fitted.xaxis2 = { ...fitted.xaxis2, showticklabels: false };
  }
  const config = { responsive: true, displaylogo: false, displayModeBar: touch ? false : "hover", plotlyServerURL: "" };
  return Plotly.react(chart, data, fitted, config);
};

for (const chart of document.querySelectorAll(".chart")) {
  const figure = JSON.parse(chart.querySelector("script").textContent);
  chart.replaceChildren();
  window.drawChart(chart, figure);
}
