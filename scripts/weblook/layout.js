// What a reader would call ugly, as a list of sentences: cut-off or overlapping text, things outside the page, words of machines.
(() => {
  const found = [], wide = document.documentElement.clientWidth, seen = new Map();
  const name = (el) => `${el.tagName.toLowerCase()}${el.id ? `#${el.id}` : ""}${el.classList.length ? `.${[...el.classList].join(".")}` : ""}`;
  const style = (el) => { let s = seen.get(el); if (!s) seen.set(el, s = getComputedStyle(el)); return s; };
  const up = function* (el) { for (let e = el; e && e !== document.documentElement; e = e.parentElement) yield e; };
  const modal = [...document.querySelectorAll("dialog[open]")].pop(); // what lies under it cannot be read or pressed
  const root = modal || document.body;
  const pinned = (el) => { for (const e of up(el)) if (["fixed", "sticky"].includes(style(e).position)) return e; return null; };
  const tiny = (r) => r.width <= 1 || r.height <= 1;
  function clip(el, rect) { // the part of a box that its scrolling or clipping ancestors let through
    let { left, top, right, bottom } = rect;
    for (const e of up(el)) {
      const s = style(e);
      if (s.overflowX !== "visible" || s.overflowY !== "visible" || s.clipPath !== "none") {
        const r = e.getBoundingClientRect();
        left = Math.max(left, r.left); right = Math.min(right, r.right); top = Math.max(top, r.top); bottom = Math.min(bottom, r.bottom);
      }
    }
    return { left, top, right, bottom, width: right - left, height: bottom - top };
  }
  const scrolls = (el) => { for (const e of up(el)) if (["auto", "scroll"].includes(style(e).overflowX)) return e; return null; };

  if (document.documentElement.scrollWidth > wide + 1) found.push(`the page scrolls sideways: ${document.documentElement.scrollWidth} in ${wide} px`);

  const texts = [], walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const el = node.parentElement, text = node.data.trim();
    if (!text || ["SCRIPT", "STYLE", "TEMPLATE", "NOSCRIPT", "OPTION"].includes(el.tagName)) continue;
    if (!el.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })) continue;
    if (el.closest("svg, .hidden, .skip")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const raw of range.getClientRects()) {
      const box = clip(el, raw);
      if (tiny(box)) continue;
      texts.push({ el, text, box, pin: pinned(el) });
      if ((raw.left < -1 || raw.right > wide + 1) && !scrolls(el) && !pinned(el)) found.push(`outside the page: "${text.slice(0, 40)}" in ${name(el)} at ${Math.round(raw.left)}..${Math.round(raw.right)} of ${wide}`);
    }
    if (/\b(undefined|NaN|Infinity)\b|\[object|(^|[\s:(])(None|null)($|[\s,.)])/.test(text) && !el.closest("pre, code, .log, textarea, [data-words=json]")) found.push(`says "${text.slice(0, 60)}" in ${name(el)}`);
  }
  // cut off: more text than the box shows, and no way to the rest
  for (const el of new Set(texts.map((t) => t.el))) {
    const s = style(el);
    if (s.display.startsWith("inline") && s.display !== "inline-block" && s.display !== "inline-flex") continue;
    if (el.clientWidth === 0 || el.scrollWidth <= el.clientWidth + 1) continue;
    if (["auto", "scroll"].includes(s.overflowX) || ["TD", "TH", "TABLE"].includes(el.tagName)) continue;
    if (s.textOverflow === "ellipsis" && (el.title || el.closest("[title]"))) continue;
    found.push(`cut off or spilling: ${name(el)} "${el.textContent.trim().slice(0, 40)}" needs ${el.scrollWidth} of ${el.clientWidth} px`);
  }
  for (const el of root.querySelectorAll("input:not([type=hidden]):not([type=checkbox]):not([type=radio]), select")) {
    if (el.checkVisibility() && el.value && el.type !== "password" && el.scrollWidth > el.clientWidth + 1) found.push(`cut off: the value of ${name(el)} "${String(el.value).slice(0, 40)}"`);
  }
  // overlap: two pieces of text of different elements in one place (fixed and sticky parts lie over the page by design)
  texts.sort((a, b) => a.box.top - b.box.top);
  for (let i = 0; i < texts.length; i++) {
    const a = texts[i];
    for (let j = i + 1; j < texts.length && texts[j].box.top < a.box.bottom - 3; j++) {
      const b = texts[j];
      if (a.el === b.el || a.pin !== b.pin) continue;
      const x = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
      const y = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
      if (x > 2 && y > 3) found.push(`overlap: "${a.text.slice(0, 30)}" (${name(a.el)}) and "${b.text.slice(0, 30)}" (${name(b.el)}) share ${Math.round(x)}x${Math.round(y)} px`);
    }
  }
  return [...new Set(found)];
})()
