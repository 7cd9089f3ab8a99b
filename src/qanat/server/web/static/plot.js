// Draws the figures of a table as bars. The table says the same, for whoever can't see the plot.
"use strict";

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

function size(octets) {
  let step = 0;
  while (octets >= 1000 && step < UNITS.length - 1) { octets /= 1000; step += 1; }
  return `${octets >= 100 || Number.isInteger(octets) ? Math.round(octets) : octets.toPrecision(3)} ${UNITS[step]}`;
}

function draw(place) {
  const rows = [...document.querySelectorAll(`#${place.dataset.plot} tbody tr`)].reverse();
  const at = rows.map((row) => Date.parse(row.querySelector("time").dateTime) / 1000);
  const used = rows.map((row) => Number(row.querySelector("data").value));
  const colour = (name) => {
    const probe = document.createElement("i");
    probe.className = `colour-${name}`;
    place.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };
  const by = place.dataset.by;
  const label = new Intl.DateTimeFormat(document.documentElement.lang, by === "hour"
    ? { hour: "2-digit", minute: "2-digit", timeZone: "UTC", hour12: false }
    : { day: "numeric", month: "short", timeZone: "UTC" });
  const axis = { stroke: colour("soft"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: `12px ${getComputedStyle(document.body).fontFamily}` };
  const step = by === "hour" ? 3600 : 86400;
  place.replaceChildren();
  return new uPlot({
    width: place.clientWidth,
    height: Math.max(220, Math.min(320, place.clientWidth / 2.6)),
    cursor: { y: false, points: { show: false } },
    legend: { live: true },
    scales: { x: { time: false, range: [at[0] - step * 0.7, at[at.length - 1] + step * 0.7] }, y: { range: (_, __, most) => [0, Math.max(most * 1.08, 1000)] } },
    axes: [
      { ...axis, grid: { show: false }, space: 60, incrs: [1, 2, 3, 4, 6, 7, 8, 12, 14].map((n) => n * step), values: (_, ticks) => ticks.map((tick) => label.format(tick * 1000)) },
      { ...axis, size: 64, values: (_, ticks) => ticks.map(size) },
    ],
    series: [
      { label: "UTC", value: (_, tick) => (tick === null ? "–" : label.format(tick * 1000)) },
      { label: place.dataset.label, fill: colour("water"), stroke: colour("water"), width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.72, 40], radius: 0.25 }), value: (_, octets) => (octets === null ? "–" : size(octets)) },
    ],
  }, [at, used], place);
}

for (const place of document.querySelectorAll("[data-plot]")) {
  let plot = draw(place);
  let width = place.clientWidth;
  const again = () => { plot.destroy(); plot = draw(place); };
  new ResizeObserver(() => {
    if (place.clientWidth !== width) { width = place.clientWidth; again(); }
  }).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
}
