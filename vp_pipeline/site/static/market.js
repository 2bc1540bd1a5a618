// The market page without loading it anew: controls, keys, and minutes that come in while it is open.
// Every change is an address; the page of that address is fetched and takes this one's place.
"use strict";

(() => {
  const QUIET_MS = 1500; // at most one refresh in this time, however often something changes
  const STALE_MS = 30 * 60000;
  let asked = 0;
  let live = null;
  let fresh = null; // what the lead market has after the last candle
  let refreshAt = 0;
  let timer = null;
  let retry = 1000;

  const view = () => document.getElementById("view");

  async function show(address, how) {
    const turn = ++asked;
    let page;
    try {
      const answer = await fetch(address, { headers: { accept: "text/html" } });
      page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!answer.ok && how === "same") return say("The newest view could not be had; trying again.");
    } catch {
      if (how === "same") return say("The site does not answer; trying again.");
      return location.assign(address);
    }
    if (turn !== asked) return;
    const next = page.getElementById("view");
    if (!next) return how === "same" ? undefined : location.assign(address);
    take(next);
    document.title = page.title;
    if (how === "push") history.pushState(null, "", address);
    listen();
  }

  // Replace the words, keep the chart's element: Plotly draws the difference.
  function take(next) {
    const focus = document.activeElement?.closest?.("#view") ? mark(document.activeElement) : null;
    const open = [...view().querySelectorAll("details[open]")].map((one) => one.id);
    const chart = view().querySelector(".chart");
    const fresh = next.querySelector(".chart");
    const editing = document.activeElement?.closest?.("#options form");
    const kept = editing ? view().querySelector("#options") : null;
    if (fresh && chart) {
      const figure = JSON.parse(fresh.querySelector("script").textContent);
      chart.setAttribute("aria-label", fresh.getAttribute("aria-label"));
      fresh.replaceWith(chart);
      if (kept) next.querySelector("#options").replaceWith(kept);
      view().replaceWith(next);
      window.drawChart(chart, figure);
    } else {
      view().replaceWith(next);
    }
    for (const id of open) next.querySelector(`#${id}`)?.setAttribute("open", "");
    if (focus && !editing) next.querySelector(focus)?.focus();
    age();
    provisional();
  }

  function mark(element) {
    if (element.matches(".choice a")) {
      const group = element.parentElement.getAttribute("aria-label");
      return `[aria-label="${group}"] a[aria-current]`;
    }
    return element.name ? `[name="${element.name}"]` : element.id ? `#${element.id}` : element.tagName.toLowerCase();
  }

  function say(words) {
    const place = view()?.querySelector(".link");
    if (place) place.textContent = words;
    view()?.querySelector(".fresh")?.classList.toggle("away", words !== "");
  }

  // How long ago the last minute closed; counted here, as nothing may come in.
  function age() {
    const place = view()?.querySelector("[data-end]");
    if (!place) return;
    const end = new Date(place.dataset.end);
    const gone = Date.now() - end;
    const last = new Date(end - 60000).toISOString();
    const stale = gone > STALE_MS;
    const when = stale ? `${last.slice(0, 10)} ${last.slice(11, 16)}` : last.slice(11, 16);
    place.querySelector(".age").textContent =
      `Last minute ${when} UTC, closed ${words(gone)} ago${stale ? ": nothing has come in since" : ""}`;
    place.classList.toggle("warn", stale);
  }

  // Minutes of the lead alone that no candle has yet: another kind of line, and said to be provisional.
  function provisional() {
    const chart = view()?.querySelector(".chart");
    if (!chart?.data || fresh?.instrument !== view().dataset.instrument) return;
    const minutes = since();
    const data = chart.data.filter((trace) => trace.name !== "Provisional");
    if (minutes.length && view().hasAttribute("data-follows")) {
      data.push({
        type: "scatter", mode: "lines+markers", name: "Provisional", showlegend: false,
        x: minutes.map((one) => one.open_time.slice(0, 16)),
        y: minutes.map((one) => one.close),
        line: { color: "#0072B2", width: 1.4, dash: "dot" },
        marker: { color: "#0072B2", size: minutes.map((_, at) => (at === minutes.length - 1 ? 7 : 3)) },
        hovertemplate: `%{x|%H:%M}<br>%{y:,.2f}<br>${fresh.market} alone, provisional<extra></extra>`,
      });
    }
    window.drawChart(chart, { data, layout: chart.layout });
    lead();
  }

  // Those after the candles that are shown, which a tick may have brought meanwhile.
  function since() {
    const end = new Date(view().querySelector("[data-end]")?.dataset.end ?? Infinity);
    return fresh.minutes.filter((one) => new Date(one.open_time) >= end);
  }

  // The lead's price, or how long it has not been read and why.
  function lead() {
    if (fresh?.instrument !== view()?.dataset.instrument) return;
    const { market, read_at, late_seconds, trouble } = fresh;
    const newest = since().at(-1);
    const late = !read_at || Date.now() - new Date(read_at) > late_seconds * 1000;
    const read = read_at ? `last read ${read_at.slice(11, 19)} UTC` : "not read yet";
    const price = newest?.close.toLocaleString("en", { maximumFractionDigits: newest.close >= 10 ? 2 : 4 });
    view().querySelector(".now").textContent = newest && !late ? `${price} now, provisional` : "";
    view().querySelector(".lead").textContent =
      late || trouble ? `${market} ${read}${trouble && `: ${trouble}`}` : newest ? `since then ${market} alone, ${read}` : "";
  }

  function words(ms) {
    const minutes = Math.floor(ms / 60000);
    if (minutes < 1) return "less than a minute";
    for (const [size, unit] of [[1440, "day"], [60, "hour"], [1, "minute"]]) {
      const count = Math.floor(minutes / size);
      if (count >= 1) return `${count.toLocaleString("en")} ${unit}${count > 1 ? "s" : ""}`;
    }
  }

  // One stream for the instrument shown. The browser connects again by itself and says what it heard last;
  // where the server refused, we do.
  function listen() {
    const { instrument, number } = view().dataset;
    if (live?.instrument === instrument && live.source.readyState !== EventSource.CLOSED) return;
    live?.source.close();
    const source = new EventSource(`/live?instrument=${encodeURIComponent(instrument)}&after=${number}`);
    live = { instrument, source };
    source.addEventListener("open", () => { retry = 1000; say(""); });
    source.addEventListener("change", (event) => {
      say("");
      if (Number(event.lastEventId) !== Number(view().dataset.number)) soon();
    });
    source.addEventListener("fresh", (event) => { fresh = JSON.parse(event.data); provisional(); });
    source.addEventListener("away", () => say("The database does not answer; what is shown may be old."));
    source.addEventListener("back", () => say(""));
    source.addEventListener("error", () => {
      say("Connection lost; connecting again.");
      if (source.readyState !== EventSource.CLOSED) return;
      setTimeout(() => { if (live.source === source) listen(); }, retry);
      retry = Math.min(retry * 2, 30000);
    });
  }

  function soon() {
    if (timer !== null || document.hidden) return;
    timer = setTimeout(() => {
      timer = null;
      refreshAt = Date.now() + QUIET_MS;
      show(location.href, "same");
    }, Math.max(0, refreshAt - Date.now()));
  }

  document.addEventListener("visibilitychange", () => { if (!document.hidden) soon(); });
  window.addEventListener("popstate", () => show(location.href, "back"));
  window.addEventListener("pagehide", () => live?.source.close());
  window.addEventListener("pageshow", (event) => { if (event.persisted) { live = null; listen(); soon(); } });

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("#view .choice a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    show(link.href, "push");
  });

  function submit(form) {
    const data = new FormData(form);
    const boxes = form.querySelectorAll("input[type=checkbox]");
    if (boxes.length && boxes.length === form.querySelectorAll("input[type=checkbox]:checked").length) data.delete("venue");
    const query = new URLSearchParams();
    for (const [name, value] of data) {
      const select = form.elements[name];
      const usual = select instanceof HTMLSelectElement && select.selectedIndex === 0;
      if (value !== "" && !usual) query.append(name, value);
    }
    document.activeElement?.blur?.();
    show(`/?${query}`, "push");
  }

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("#view form[data-view]")) return;
    event.preventDefault();
    submit(event.target);
  });
  document.addEventListener("change", (event) => {
    const form = event.target.closest?.("#view form[data-view]");
    if (form && event.target.matches("select")) submit(form);
  });

  function step(links, by) {
    const at = links.findIndex((one) => one.hasAttribute("aria-current"));
    const next = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by];
    if (next) show(next.href, "push");
  }

  function choose(name, by) {
    const select = view().querySelector(`select[name=${name}]`);
    if (!select) return;
    const shown = view().querySelector("#options summary").textContent.match(/View: (\S+)/)?.[1];
    const from = select.selectedIndex || [...select.options].findIndex((one) => one.value === shown);
    const next = by === 0 ? (select.selectedIndex + 1) % select.options.length : from + by;
    if (next < (by === 0 ? 0 : 1) || next >= select.options.length) return;
    select.selectedIndex = next;
    submit(select.form);
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches?.("input, select, textarea")) return;
    const periods = () => [...view().querySelectorAll(".periods a")];
    const toggle = (id) => view().querySelector(id)?.toggleAttribute("open");
    const keys = {
      ArrowLeft: () => step(periods(), -1),
      ArrowRight: () => step(periods(), 1),
      "[": () => choose("timeframe", -1),
      "]": () => choose("timeframe", 1),
      c: () => choose("chart", 0),
      v: () => toggle("#options"),
      "?": () => toggle("#help"),
    };
    const key = keys[event.key];
    if (!key || !view() || event.target.closest?.(".scroll, .chart")) return;
    event.preventDefault();
    key();
  });

  setInterval(() => { age(); lead(); }, 5000);
  age();
  if (view().hasAttribute("data-follows") || view().dataset.instrument) listen();
})();
