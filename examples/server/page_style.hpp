// SPDX-License-Identifier: MIT
//
// What stays the same on the page: its head, with the style sheet, and its script, which replaces <main> each second.

#ifndef SERVER_PAGE_STYLE_HPP
#define SERVER_PAGE_STYLE_HPP

namespace server {

inline constexpr const char* kPageHead = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<noscript><meta http-equiv="refresh" content="2"></noscript>
<link rel="icon" href="data:,">
<title>server status</title>
<style>
:root {
  --page: #f6f7f9; --card: #fff; --line: #e1e5ea; --text: #1c2530; --dim: #5c6976;
  --blue: #1b6ca8; --green: #2f8f4e; --amber: #b86e14; --red: #c2403a; --track: #e9edf1;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161b; --card: #1a2027; --line: #2b343e; --text: #e4e9ee; --dim: #97a4b1;
    --blue: #5aa9e6; --green: #62c17f; --amber: #e0a04a; --red: #ee7b75; --track: #2a323b;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.45 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums;
}
main { max-width: 80rem; margin: 0 auto; padding: 1rem clamp(.75rem, 3vw, 2rem) 2rem; transition: opacity .2s; }
.stale main { opacity: .45; }
.stale .live { color: var(--red); }
.stale .live::after { content: "no answer"; }
.live { color: var(--green); white-space: nowrap; }
.live::before { content: "\25cf\00a0"; }
body:not(.stale) .live::after { content: "live"; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .1rem 1rem; margin-bottom: .75rem; }
h1 { font-size: 1.3rem; margin: 0; }
h2 { font-size: .95rem; margin: 1.6rem 0 .6rem; }
h3 { font-size: 1rem; margin: 0; }
.dim { color: var(--dim); }
.small { font-size: .82rem; }
.grid { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); }
.tiles { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .8rem 1rem; min-width: 0; }
.tile b { display: block; font-size: 1.6rem; line-height: 1.2; font-weight: 600; }
.tile svg { display: block; width: 100%; height: 2.2rem; margin-top: .35rem; }
td.dim { opacity: .7; }
.tile .top { margin: 0; }
.top { display: flex; justify-content: space-between; align-items: baseline; gap: 1rem; margin-bottom: .5rem; }
.bar { margin: .45rem 0; }
.bar div:first-child { display: flex; justify-content: space-between; gap: 1rem; font-size: .85rem; }
.bar i { display: block; height: 7px; border-radius: 4px; background: var(--track); overflow: hidden; margin-top: .2rem; }
.bar i i { margin: 0; background: var(--blue); transition: width .3s; }
.bar.high i i { background: var(--amber); }
.bar.full i i { background: var(--red); }
dl { display: grid; grid-template-columns: repeat(4, 1fr); gap: .45rem .6rem; margin: .7rem 0 0; }
dt { color: var(--dim); font-size: .78rem; }
dd { margin: 0; }
.bad { color: var(--red); }
ul { list-style: none; margin: .7rem 0 0; padding: .6rem 0 0; border-top: 1px solid var(--line); font-size: .82rem; }
li { display: flex; gap: .6rem; overflow-wrap: anywhere; margin: .2rem 0; }
li b { font-weight: 600; flex: 0 0 5.6rem; }
li.held b { color: var(--blue); }
li.waiting b { color: var(--amber); }
.wide { overflow-x: auto; padding: .3rem .4rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: right; padding: .38rem .6rem; white-space: nowrap; }
th { color: var(--dim); font-size: .78rem; font-weight: 500; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; }
tr + tr td { border-top: 1px solid var(--line); }
code { font: .86rem/1.4 ui-monospace, "DejaVu Sans Mono", monospace; }
a { color: var(--blue); }
footer { margin-top: 1.6rem; }
@media (max-width: 34rem) {
  .tiles { grid-template-columns: 1fr 1fr; }
  .tile b { font-size: 1.35rem; }
  th, td { padding: .34rem .2rem; font-size: .76rem; }
  td:first-child { white-space: normal; }
  code { font-size: .74rem; }
  .wide { padding: .3rem; }
  .peak, th:nth-child(3), td:nth-child(3) { display: none; }
}
</style>
</head>
<body>
)";

inline constexpr const char* kPageFoot = R"(<script>
setInterval(async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.pathname, {signal: AbortSignal.timeout(3000)});
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    document.querySelector('main').replaceWith(page.querySelector('main'));
    document.body.classList.remove('stale');
  } catch (failure) {
    document.body.classList.add('stale');
  }
}, 1000);
</script>
</body>
</html>
)";

}  // namespace server

#endif  // SERVER_PAGE_STYLE_HPP
