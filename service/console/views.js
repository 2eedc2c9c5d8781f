/** Views: filters under a name, each person's own, kept in this browser. Read by the list of cases. */

import { html, say, t, useRef, useState } from "../pages/ui.js";
import { session } from "./api.js";
import { Dialog, Select, setQuery } from "./parts.js";
import { ownUnits } from "./steps.js";

const LONGEST = 40;
const MOST = 50;
const key = (path) => `gridtrail:views:${session.value.person}:${path}`;

function kept(path) {
  try {
    return JSON.parse(localStorage.getItem(key(path)) ?? "[]");
  } catch {
    return [];
  }
}

/** Views that everybody has. */
function shipped() {
  const [unit] = ownUnits();
  return [
    { name: t("cases.view.overdue"), query: "overdue=true" },
    { name: t("cases.view.new"), query: "status=reported" },
    ...(unit ? [{ name: t("cases.view.held"), query: `${new URLSearchParams({ holder: unit })}` }] : []),
    { name: t("cases.view.to_check"), query: "status=handled" },
    { name: t("cases.view.closed"), query: "open=false&sort=-reported_at" },
  ];
}

export function SavedViews({ query, path }) {
  const [own, setOwn] = useState(() => kept(path));
  const [naming, setNaming] = useState(false);
  const now = query.toString();
  const narrowed = [...query.keys()].some((name) => name !== "map");
  const keep = (views) => {
    localStorage.setItem(key(path), JSON.stringify(views));
    setOwn(views);
  };
  const choose = (chosen) => chosen && setQuery(path, Object.fromEntries(new URLSearchParams(chosen.slice(1))));
  const at = own.find((view) => view.query === now);
  const known = [...shipped(), ...own].some((view) => view.query === now);
  const option = ({ name, query: each }) => [`?${each}`, name];
  return html`<label class="views">${t("cases.views")}
      <${Select} value=${known ? `?${now}` : ""} onChange=${choose}
        options=${[["", t("cases.view.none")], { group: t("cases.view.shipped"), options: shipped().map(option) }, ...(own.length ? [{ group: t("cases.view.own"), options: own.map(option) }] : [])]} />
    </label>
    ${narrowed && !known && html`<button type="button" class="outline" onClick=${() => setNaming(true)}>${t("cases.view.save")}</button>`}
    ${at && html`<button type="button" class="outline" onClick=${() => (keep(own.filter((view) => view !== at)), say(t("cases.view.removed", { name: at.name })))}>${t("cases.view.remove")}</button>`}
    ${naming && html`<${Naming} onClose=${() => setNaming(false)} onName=${(name) => (keep([...own.filter((view) => view.name !== name), { name, query: now }].slice(-MOST)), setNaming(false), say(t("cases.view.saved", { name })))} />`}`;
}

function Naming({ onClose, onName }) {
  const box = useRef();
  const name = (event) => {
    event.preventDefault();
    if (box.current.value.trim()) onName(box.current.value.trim());
  };
  return html`<${Dialog} title=${t("cases.view.save")} onClose=${onClose}>
    <form onSubmit=${name}>
      <label>${t("cases.view.name")} <input ref=${box} required maxlength=${LONGEST} autofocus /></label>
      <p class="muted">${t("cases.view.where")}</p>
      <footer><button>${t("cases.view.save")}</button></footer>
    </form>
  </${Dialog}>`;
}
