/** What every page of the tablet and of the console is made of: markup, texts in the chosen language, signals, and a few components. */

import htm from "../vendor/htm.js";
import { useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "../vendor/preact-hooks.js";
import { h } from "../vendor/preact.js";
import { computed, effect, signal } from "../vendor/signals.js";

export const html = htm.bind(h);
export { computed, effect, signal, useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState };

// ---- languages

export const LANGUAGES = { zh: "中文", en: "English" };
export const language = signal(localStorage.getItem("gridtrail:language") ?? (navigator.language.startsWith("zh") ? "zh" : "en"));
const catalogue = signal({});

/** Takes the texts of a language; of those, only the part that the page names in data-texts of its <html>. Those before stay until then. */
export async function speak(chosen) {
  catalogue.value = await textsOf(chosen);
  language.value = chosen;
  localStorage.setItem("gridtrail:language", chosen);
  document.documentElement.lang = chosen === "zh" ? "zh-CN" : "en";
  document.title = t("app.name");
}

/** The texts, asked for again where something else came, as from a proxy while the service starts. */
async function textsOf(chosen) {
  let status;
  for (const pause of [0, 1000, 3000]) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    const answer = await fetch(`../texts/${document.documentElement.dataset.texts ?? ""}${chosen}.json`);
    if (answer.ok) return answer.json();
    status = answer.status;
  }
  throw new Error(`no texts in ${chosen}: ${status}`);
}

/** A text in the chosen language, with its {names} filled in. */
export function t(key, said = {}) {
  const text = catalogue.value[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => said[name] ?? whole);
}

export const locale = () => (language.value === "zh" ? "zh-CN" : "en-GB");
/** How the language writes times or days. Made once: a formatter costs as much as a hundred of its answers. */
const formats = new Map();
function formatOf(name, options) {
  const key = `${locale()} ${name}`;
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(locale(), options));
  return formats.get(key);
}
export const showTime = (moment) => formatOf("time", { dateStyle: "medium", timeStyle: "short" }).format(new Date(moment));
export const showDay = (day) => formatOf("day", { dateStyle: "medium" }).format(new Date(`${day}T12:00:00`));
/** A number as the language writes it; nothing to show is "—". more: options of Intl.NumberFormat, such as {style: "percent"}. */
export const showNumber = (number, more = {}) => (number === null || number === undefined || Number.isNaN(number) ? "—" : number.toLocaleString(locale(), more));
export const today = () => new Date(Date.now() - new Date().getTimezoneOffset() * 60_000).toISOString().slice(0, 10);

/** The name of a coded word of a rulebook: Chinese where the book has it, else the word itself. */
export const named = ({ name, zh }, code) => (language.value === "zh" && zh) || (name ?? code).replaceAll("_", " ");

// ---- where we are: the part of the address behind #

const place = () => location.hash.slice(1) || "/";
export const route = signal(place());
addEventListener("hashchange", () => (route.value = place()));
export const go = (path) => (location.hash = path);

// ---- components

/** One choice of few, as large buttons; each is one tap. */
export function Choice({ label, name, options, value, onChange, required }) {
  return html`<fieldset class="choice">
    <legend>${label}${required ? "" : html` <small>${t("common.optional")}</small>`}</legend>
    ${options.map(
      ([each, text]) => html`<label class="tile">
        <input type="radio" name=${name} checked=${value === each} onChange=${() => onChange(each)} />
        <span>${text}</span>
      </label>`,
    )}
  </fieldset>`;
}

/** A text field with its label and, below it, why it is asked. */
export function Field({ label, value, onInput, long, why, required, ...more }) {
  const control = long ? "textarea" : "input";
  return html`<label>
    ${label}${required ? "" : html` <small>${t("common.optional")}</small>`}
    <${control} value=${value ?? ""} required=${required} onInput=${(event) => onInput(event.target.value)} ...${more} />
    ${why && html`<small>${why}</small>`}
  </label>`;
}

/** Words that appear for a while after something was done. */
export const notice = signal("");
let noticeTimer;
export function say(words) {
  notice.value = words;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => (notice.value = ""), 6000);
}
