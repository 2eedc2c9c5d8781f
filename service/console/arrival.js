/** Arriving at a page: the reader is at its heading; on the way back, where they were. Read by app.js, once for all pages. */

import { language, t, useEffect, useRef } from "../pages/ui.js";

const scrolled = new Map();
let arrivals = Date.now();
let here = "";

addEventListener("scroll", () => history.state?.arrival && scrolled.set(history.state.arrival, scrollY), { passive: true });
history.scrollRestoration = "manual";

/** The address of the page from which this one was reached. */
export const cameFrom = () => history.state?.from;

/** where: what makes this page another one; filters do not. title: until the heading is there. */
export function Arrival({ title, where }) {
  const first = useRef(true);
  useEffect(() => {
    const seen = history.state?.arrival;
    if (!seen) history.replaceState({ arrival: (arrivals += 1), from: here }, "");
    document.title = `${title} · ${t("app.name")}`;
    const wasFirst = first.current;
    first.current = false;
    return whenThere("#main h1", (heading) => {
      document.title = `${heading.textContent} · ${t("app.name")}`;
      heading.tabIndex = -1;
      if (!wasFirst) heading.focus({ preventScroll: true });
      scrollTo(0, (seen && scrolled.get(seen)) ?? 0);
    });
  }, [where, language.value]);
  useEffect(() => void (here = location.hash));
  return null;
}

/** Calls with the element as soon as the page has it; the answer stops the waiting. */
function whenThere(selector, then) {
  const found = document.querySelector(selector);
  if (found) return void then(found);
  const watch = new MutationObserver(() => {
    const element = document.querySelector(selector);
    if (!element) return;
    watch.disconnect();
    then(element);
  });
  watch.observe(document.getElementById("app"), { childList: true, subtree: true });
  return () => watch.disconnect();
}
