// Keeps the overview alive: figures, sessions and the plot of rates, as the server tells them.
"use strict";

(() => {
  const units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
  const place = document.querySelector("[data-pulse]");
  const plotted = place.querySelector("[data-plot-rate]");
  const table = document.querySelector("[data-sessions]");
  const nobody = document.querySelector("[data-no-session]");
  const away = document.getElementById("away");
  const points = [[], []];
  const kept = 450;
  const shown = 12;
  const span = 180;
  let plot = null;

  function size(octets) {
    let step = 0;
    while (octets >= 1000 && step < units.length - 1) { octets /= 1000; step += 1; }
    const digits = step === 0 || octets >= 100 ? 0 : octets >= 10 ? 1 : 2;
    const scaled = 10 ** digits;
    return [(Math.floor(octets * scaled) / scaled).toFixed(digits), units[step]];
  }

  const colour = (name) => {
    const probe = document.createElement("i");
    probe.style.color = `var(--${name})`;
    plotted.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };

  // One point alone would be given a whole day by the plot.
  const between = () => {
    const most = points[0].at(-1);
    return [Math.min(points[0][0], most - span), most];
  };

  function draw() {
    if (plot) plot.destroy();
    const clock = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
    const axis = { stroke: colour("soft"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: `12px ${getComputedStyle(document.body).fontFamily}` };
    plot = new uPlot({
      width: plotted.clientWidth,
      height: 220,
      legend: { show: false },
      cursor: { y: false },
      scales: { x: { time: true, range: between }, y: { range: (_, __, most) => [0, Math.max(1000, most * 1.15)] } },
      axes: [
        { ...axis, grid: { show: false }, space: 70, values: (_, ticks) => ticks.map((tick) => clock.format(tick * 1000)) },
        { ...axis, size: 78, space: 44, values: (_, ticks) => ticks.map((tick) => `${size(tick).join(" ")}/s`) },
      ],
      series: [{}, { stroke: colour("water"), fill: colour("water-wash"), width: 2, points: { show: (self) => self.data[0].length === 1 } }],
    }, points, plotted);
  }

  function text(node, said) { if (node.textContent !== said) node.textContent = said; }

  function cell(row, className, label, content) {
    const made = document.createElement("td");
    made.className = className;
    if (label) made.dataset.label = label;
    made.append(content);
    row.append(made);
  }

  function link(path, name, className) {
    const made = document.createElement("a");
    made.href = path + encodeURIComponent(name);
    made.className = className;
    made.textContent = name;
    return made;
  }

  function list(sessions) {
    const labels = [...table.tHead.rows[0].cells].map((head) => head.textContent);
    const focused = document.activeElement && table.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const rows = sessions.slice(0, shown).map((one) => {
      const row = document.createElement("tr");
      const held = one.quotas.reduce((sum, quota) => sum + quota.octets - quota.used, 0);
      cell(row, "lead", "", link("/ops/subscribers/", one.subscriber, ""));
      cell(row, "number", labels[1], `${size(one.octets_per_s).join(" ")}/s`);
      cell(row, "number", labels[2], size(one.used).join(" "));
      cell(row, "number", labels[3], size(held).join(" "));
      cell(row, "", labels[4], link("/ops/refusals/why/", one.session, "id"));
      return row;
    });
    table.tBodies[0].replaceChildren(...rows);
    table.hidden = rows.length === 0;
    nobody.hidden = rows.length > 0;
    if (focused) table.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  }

  function add(moment) {
    points[0].push(Date.parse(moment.at) / 1000);
    points[1].push(moment.octets_per_s);
    for (const series of points) if (series.length > kept) series.shift();
  }

  function beat(event) {
    const now = JSON.parse(event.data);
    if (now.past.length > 0) { points[0].length = points[1].length = 0; now.past.forEach(add); }
    if (points[0].length === 0 || Date.parse(now.at) / 1000 > points[0].at(-1)) add(now);
    const [number, unit] = size(now.octets_per_s);
    const figure = place.querySelector(".figure .figure");
    text(figure.firstChild, number);
    text(figure.querySelector("small"), unit);
    figure.title = now.octets_per_s.toLocaleString("en");
    text(place.querySelector("[data-live]"), `${now.live}${now.complete ? "" : "+"}`);
    text(place.querySelector("[data-reserved]"), size(now.reserved).join(" "));
    list(now.sessions);
    if (plot) plot.setData(points); else draw();
    away.hidden = true;
    place.dataset.beats = Number(place.dataset.beats || 0) + 1;
  }

  function watch() {
    const source = new EventSource(place.dataset.pulse);
    source.addEventListener("pulse", beat);
    source.addEventListener("end", () => { source.close(); location.reload(); });
    source.addEventListener("error", () => {
      away.hidden = false;
      if (source.readyState === EventSource.CLOSED) setTimeout(again, 5000);
    });
  }

  // A stream that was refused is not asked for again by the browser: sign in again if that is it, else try.
  async function again() {
    try {
      const answer = await fetch(location.pathname, { redirect: "manual" });
      if (answer.type === "opaqueredirect") location.reload(); else watch();
    } catch {
      setTimeout(again, 5000);
    }
  }

  watch();
  let width = plotted.clientWidth;
  new ResizeObserver(() => {
    if (plot && plotted.clientWidth !== width) { width = plotted.clientWidth; draw(); }
  }).observe(plotted);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot && draw());
})();
