"""How the page looks, and the one thing it does by itself: while it is open and scripts run, its figures stay fresh.

Nothing is fetched from anywhere: whoever is captive has nothing but this base station. An old browser that knows no
colour names gets plain paper.
"""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --paper: #f7f5f0; --card: #fff; --line: #e4dfd4; --edge: #8c8a80; --ink: #1a2322;
  --soft: #58635f; --water: #0b6a68; --wash: #e1f0ed; --on-water: #fff; --clay: #a32c1a; --clay-wash: #fbe8e3;
  --sand: #8a4f14; --sand-wash: #f8ecdb; font: 100%/1.55 system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { :root { --paper: #0e1315; --card: #161d20; --line: #2a3539; --edge: #6b7b80;
  --ink: #e9eeec; --soft: #9db0ac; --water: #66cfc1; --wash: #14302f; --on-water: #06211f; --clay: #ffa392;
  --clay-wash: #3a1e19; --sand: #e5b67b; --sand-wash: #32271a; } }
*, ::before, ::after { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); overflow-wrap: anywhere; }
header, main { max-width: 34rem; margin: 0 auto; padding: 0 1.1rem; }
header { padding-top: 1.6rem; }
main { padding-bottom: 3rem; }
h1 { font-size: 1.7rem; line-height: 1.2; letter-spacing: -.02em; margin: 0; }
h2 { font-size: 1.1rem; margin: 0; }
p { margin: 0; }
.soft, dt, .hint { color: var(--soft); }
.hint { font-size: .875rem; }
section, form.card { background: var(--card); border: 1px solid var(--line); border-radius: .9rem; padding: 1.3rem 1.4rem;
  margin-top: 1.2rem; display: grid; gap: 1rem; }
.refused { background: var(--clay-wash); border-color: var(--clay); gap: .35rem; }
.refused strong, .refused code { color: var(--clay); }
.away { background: var(--sand-wash); color: var(--sand); border-radius: .6rem; padding: .6rem .9rem; }
.online { color: var(--water); }
.figure { display: block; font-size: 3.4rem; font-weight: 650; letter-spacing: -.04em; line-height: 1.1; }
progress { display: block; margin: .5rem 0 .6rem; width: 100%; height: .5rem; border: 0; border-radius: 1rem;
  overflow: hidden; appearance: none; background: var(--wash); color: var(--water); }
progress::-webkit-progress-bar { background: var(--wash); }
progress::-webkit-progress-value { background: var(--water); }
progress::-moz-progress-bar { background: var(--water); }
dl { margin: 0; display: grid; grid-template-columns: auto 1fr; gap: .4rem 1.2rem; }
dd { margin: 0; font-weight: 600; }
dd.id { font: .85rem/1.8 ui-monospace, monospace; }
label { display: block; font-weight: 600; }
input, button { font: inherit; width: 100%; padding: .6rem .8rem; border-radius: .6rem; border: 1px solid var(--edge); }
input { background: var(--paper); color: var(--ink); margin-top: .3rem; }
::placeholder { color: var(--soft); opacity: 1; }
button { background: var(--water); color: var(--on-water); border-color: var(--water); font-weight: 600; cursor: pointer; }
button.quiet { background: transparent; color: var(--ink); border-color: var(--edge); }
a { color: var(--water); }
:focus-visible { outline: 2.5px solid var(--water); outline-offset: 2px; }
nav { display: flex; justify-content: space-between; gap: 1rem; margin-top: 1.4rem; font-size: .95rem; }
nav a:only-child { margin-left: auto; }
[hidden] { display: none; }
"""
SCRIPT: Final = """"use strict";
const away = document.querySelector("[data-away]");
const lookAgain = async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const then = document.querySelector("[data-live]"), now = fresh.querySelector("[data-live]");
    away.hidden = true;
    if (now) then.replaceChildren(...now.childNodes);
    else location.reload();
  } catch { away.hidden = false; }
};
if (away) setInterval(lookAgain, 3000);
"""
