/** Rulebooks for administrators: which versions there are, which decide today, what stands in them, and how to publish another. */

import { html, language, locale, say, showDay, showNumber, t, useState } from "../pages/ui.js";
import { send, useData } from "./api.js";
import { Coming, Facts, Hash, Mark, showMoment, useAction, Verbatim } from "./office.js";
import { Empty, Table, Trouble } from "./parts.js";

const KINDS = ["categories", "limits", "calendar", "care_plan", "indicators", "recipients"];
const MEMBERS = ["kind", "name", "version", "effective_from", "content"];

/** #/rulebooks, #/rulebooks/<kind>/<name>/<version>, #/rulebooks/publish. */
export function Rulebooks({ rest }) {
  const { data, problem, reload } = useData("/v1/rulebooks", { limit: 500 });
  const books = data?.items ?? [];
  if (rest[0] === "publish") return html`<${Publish} books=${books} onPublished=${reload} />`;
  const [kind, name, version] = rest;
  if (kind) return html`<${One} book=${books.find((book) => book.kind === kind && book.name === name && book.version === version)} loaded=${Boolean(data)} problem=${problem} />`;
  return html`<h1>${t("books.title")}</h1>
    <p class="muted">${t("books.explain")}</p>
    <div class="toolbar"><a role="button" href="#/rulebooks/publish">${t("books.publish")}</a></div>
    <${Coming} data=${data} problem=${problem} />
    <${Trouble} problem=${problem} />
    ${data && KINDS.map((each) => html`<${OfKind} key=${each} kind=${each} books=${books.filter((book) => book.kind === each)} />`)}`;
}

const pathOf = ({ kind, name, version }) => `#/rulebooks/${[kind, name, version].map(encodeURIComponent).join("/")}`;
const State = ({ book }) => (book.in_force ? html`<${Mark} tone="done">${t("books.in_force")}</>` : html`<${Mark} tone="still">${t("books.not_in_force")}</>`);

function OfKind({ kind, books }) {
  const newest = [...books].sort((one, other) => (one.effective_from < other.effective_from ? 1 : -1));
  const columns = [
    { key: "name", title: t("books.name"), cell: (book) => html`<a href=${pathOf(book)}>${book.name}@${book.version}</a>${book.shipped && html`<small>${t("books.shipped")}</small>`}` },
    { key: "effective_from", title: t("books.from"), sort: true, cell: ({ effective_from }) => showDay(effective_from) },
    { key: "state", title: t("books.state"), cell: (book) => html`<${State} book=${book} />` },
    { key: "published_at", title: t("books.published"), cell: ({ published_at }) => (published_at ? showMoment(published_at) : "—") },
    { key: "sha256", title: "SHA-256", cell: ({ sha256 }) => html`<${Hash} value=${sha256} />` },
  ];
  return html`<section>
    <h2>${t(`books.kind.${kind}`)}</h2>
    ${newest.length ? html`<${Table} caption=${t(`books.kind.${kind}`)} columns=${columns} rows=${newest} rowKey=${pathOf} />` : html`<${Empty} />`}
  </section>`;
}

// ---- one version

function One({ book, loaded, problem }) {
  if (!book) return html`<h1>${t("books.one")}</h1><${Coming} data=${loaded} problem=${problem} /><${Trouble} problem=${problem} />${loaded && html`<${Empty}>${t("books.unknown")}</>`}`;
  const { kind, name, version, effective_from, published_at, shipped, sha256, content } = book;
  return html`<h1>${t(`books.kind.${kind}`)} · ${name}@${version}</h1>
    <div class="toolbar"><a href="#/rulebooks">${t("books.to_all")}</a></div>
    <${Facts} rows=${[
      [t("books.state"), html`<${State} book=${book} />`],
      [t("books.from"), showDay(effective_from)],
      [t("books.published"), shipped ? t("books.shipped") : showMoment(published_at)],
      ["SHA-256", html`<span class="mono">${sha256}</span>`],
    ]} />
    ${SHOWN[kind] && html`<${SHOWN[kind]} content=${content} />`}
    <${Verbatim} label=${t("books.as_file")} text=${JSON.stringify({ kind, name, version, effective_from, content }, null, 2)} name=${`${kind}-${name}-${version}.json`} type="application/json" />`;
}

const called = ({ name, zh } = {}, code = "") => (language.value === "zh" && zh) || (name ?? code).replaceAll("_", " ");

function Categories({ content }) {
  const rows = Object.entries(content.codes).map(([code, said]) => ({ code, said }));
  const columns = [
    { key: "code", title: t("books.code"), sort: true, cell: ({ code }) => html`<span class="mono">${code}</span>` },
    { key: "said", title: t("books.called"), cell: ({ code, said }) => called(said, code) },
    { key: "private", title: t("books.private"), cell: ({ said }) => (said.private === true ? t("books.of_persons") : said.private === false ? t("books.of_space") : t("books.as_above")) },
  ];
  return html`<${Facts} rows=${[[t("books.scheme"), `${content.scheme}/${content.version}`]]} /><${Table} caption=${t("books.kind.categories")} columns=${columns} rows=${rows} rowKey=${({ code }) => code} />`;
}

const UNITS = ["urgent_hour", "work_hour", "work_day", "natural_day"];
/** An amount in the unit of its clock, and which clock it is: parts of an hour as minutes. */
function limitText(limit) {
  if (!limit) return "—";
  const hours = limit.kind.endsWith("hour");
  const [amount, unit] = hours && limit.amount < 1 ? [limit.amount * 60, "minute"] : [limit.amount, hours ? "hour" : "day"];
  const clock = UNITS.includes(limit.kind) ? t(`books.unit.${limit.kind}`) : limit.kind;
  return html`${showNumber(amount, { style: "unit", unit, unitDisplay: "long" })} <small class="muted">${clock}</small>`;
}

function Limits({ content }) {
  const categories = useData("/v1/rulebooks", { kind: "categories" }).data?.items ?? [];
  const codes = categories.find(({ content: each }) => each.scheme === content.scheme && String(each.version) === String(content.scheme_version))?.content.codes ?? {};
  const columns = [
    { key: "category", title: t("books.code"), sort: true, cell: ({ category }) => html`<span class="mono">${category}</span><small>${called(codes[category], "")}</small>` },
    { key: "urgency", title: t("books.urgency"), cell: ({ urgency }) => (urgency ? t(`report.urgency.${urgency}`) : t("console.any")) },
    { key: "complexity", title: t("books.complexity"), cell: ({ complexity }) => (complexity ? t(`books.complexity.${complexity}`) : t("console.any")) },
    { key: "limit", title: t("books.limit"), cell: limitText },
  ];
  return html`<${Facts} rows=${[[t("books.scheme"), `${content.scheme}/${content.scheme_version}`], [t("books.accept"), limitText(content.accept)], [t("books.dispatch"), limitText(content.dispatch)]]} />
    <p class="muted">${t("books.limits_explain")}</p>
    <${Table} caption=${t("books.kind.limits")} columns=${columns} rows=${content.limits.map((each, at) => ({ ...each, at }))} rowKey=${({ at }) => at} />`;
}

const weekdayOf = (day) => new Date(`${day}T12:00:00`).toLocaleDateString(locale(), { weekday: "long" });
/** Days of the week by their ISO number, Monday being 1: 2024-01-01 was a Monday. */
const weekdayName = (number) => weekdayOf(`2024-01-0${number}`);

function Calendar({ content }) {
  const days = [...(content.holidays ?? []).map((day) => ({ day, what: "holiday" })), ...(content.workdays ?? []).map((day) => ({ day, what: "workday" }))].sort((one, other) => (one.day < other.day ? -1 : 1));
  const columns = [
    { key: "day", title: t("books.day"), sort: true, cell: ({ day }) => `${showDay(day)} · ${weekdayOf(day)}` },
    { key: "what", title: t("books.what"), sort: true, cell: ({ what }) => html`<${Mark} tone=${what === "holiday" ? "still" : "warn"}>${t(`books.${what}`)}</>` },
  ];
  return html`<p class="muted">${t("books.calendar_explain")}</p>
    <${Facts} rows=${[
      [t("books.weekdays"), (content.working_weekdays ?? []).map(weekdayName).join(", ")],
      [t("books.periods"), (content.periods ?? []).map((ends) => ends.join("–")).join(", ")],
      [t("books.zone"), content.zone],
    ]} />
    ${days.length ? html`<${Table} caption=${t("books.kind.calendar")} columns=${columns} rows=${days} rowKey=${({ day, what }) => day + what} />` : html`<p>${t("books.no_special_days")}</p>`}`;
}

function CarePlan({ content }) {
  const rows = Object.entries(content.groups).map(([code, said]) => ({ code, said }));
  const columns = [
    { key: "code", title: t("books.care_group"), cell: ({ code, said }) => html`${called(said, code)}<small class="mono">${code}</small>` },
    { key: "tier", title: t("books.tier"), cell: ({ said }) => said.tier },
    { key: "days", title: t("books.every"), numeric: true, cell: ({ said }) => t("books.days", { count: showNumber(content.tiers[said.tier]) }) },
  ];
  return html`<${Facts} rows=${[[t("books.no_one_home"), t("books.days", { count: showNumber(content.no_one_home_days ?? 3) })]]} /><${Table} caption=${t("books.kind.care_plan")} columns=${columns} rows=${rows} rowKey=${({ code }) => code} />`;
}

function Indicators({ content }) {
  const columns = [
    { key: "code", title: t("books.called"), cell: (each) => html`${(language.value === "zh" ? each.zh : each.en) ?? each.code}<small class="mono">${each.code}</small>` },
    { key: "of", title: t("books.counted"), cell: (each) => html`<span class="mono">${each.of.join(" + ")}</span>` },
    { key: "per", title: t("books.per"), cell: (each) => html`<span class="mono">${each.per.join(" + ")}</span>` },
    { key: "weight", title: t("books.weight"), numeric: true },
  ];
  return html`<${Table} caption=${t("books.kind.indicators")} columns=${columns} rows=${content.indicators} rowKey=${({ code }) => code} />`;
}

/** A kind without a table of its own is shown as its file, which every kind is. */
const SHOWN = { categories: Categories, limits: Limits, calendar: Calendar, care_plan: CarePlan, indicators: Indicators };

// ---- publishing

/** Every leaf of a content by its place; items of lists are known by what they are about, not by their number. */
function leaves(value, place = "") {
  if (Array.isArray(value)) return Object.assign({}, ...value.map((each, at) => leaves(each, `${place}[${keyOf(each) ?? at}]`)));
  if (value && typeof value === "object") return Object.assign({}, ...Object.entries(value).map(([name, each]) => leaves(each, place ? `${place}.${name}` : name)));
  return { [place]: value };
}
const keyOf = (each) => (typeof each === "string" ? each : each?.category ? [each.category, each.urgency, each.complexity].filter(Boolean).join(" ") : (each?.day ?? each?.date));

function differences(before, after) {
  const [was, is] = [leaves(before ?? {}), leaves(after)];
  return [...new Set([...Object.keys(was), ...Object.keys(is)])].filter((place) => was[place] !== is[place]).map((place) => ({ place, before: was[place], after: is[place] }));
}

function readBook(text) {
  const book = JSON.parse(text);
  if (!book || typeof book !== "object" || MEMBERS.some((name) => !(name in book)) || Object.keys(book).length !== MEMBERS.length) throw new Error("members");
  return book;
}

function Publish({ books, onPublished }) {
  const [book, setBook] = useState(null);
  const [wrong, setWrong] = useState("");
  const [tried, setTried] = useState(null);
  const { busy, problem, run } = useAction();
  async function choose(file) {
    setTried(null);
    setBook(null);
    setWrong("");
    if (!file) return;
    try {
      setBook(readBook(await file.text()));
    } catch (fault) {
      setWrong(fault.message === "members" ? t("books.members_wrong", { members: MEMBERS.join(", ") }) : t("books.not_json", { what: fault.message }));
    }
  }
  const submit = (dry_run) =>
    run(async () => {
      const { body } = await send("POST", `/v1/rulebooks?dry_run=${dry_run}`, book);
      setTried(body);
      if (!dry_run) {
        onPublished();
        say(t("books.done"));
      }
    });
  const before = book && (books.find((each) => each.kind === book.kind && each.name === book.name && each.in_force) ?? books.find((each) => each.kind === book.kind && each.in_force));
  return html`<h1>${t("books.publish")}</h1>
    <p>${t("books.publish_explain")}</p>
    <div class="toolbar"><a href="#/rulebooks">${t("books.to_all")}</a></div>
    <form class="office-form" onSubmit=${(event) => (event.preventDefault(), submit(true))}>
      <label>${t("books.file")} <input type="file" accept=".json,application/json" required onChange=${({ target }) => choose(target.files[0])} /></label>
      ${wrong && html`<p role="alert" class="trouble">${wrong}</p>`}
      <button class="outline" aria-busy=${busy} disabled=${busy || !book}>${t("areas.try")}</button>
    </form>
    <${Trouble} problem=${problem} />
    ${book && html`<${Facts} rows=${[[t("books.what"), KINDS.includes(book.kind) ? t(`books.kind.${book.kind}`) : book.kind], [t("books.name"), `${book.name}@${book.version}`], [t("books.from"), book.effective_from]]} />`}
    ${tried && html`<p role="status" class="office-note">${t(`books.${tried.dry_run ? "would" : "did"}.${tried.outcome}`)}</p>`}
    ${tried?.dry_run && tried.outcome === "published" && html`<p><button type="button" aria-busy=${busy} disabled=${busy} onClick=${() => submit(false)}>${t("books.publish_now", { name: `${book.name}@${book.version}` })}</button></p>`}
    ${tried && book && html`<${Compared} before=${before} rows=${differences(before?.content, book.content)} />`}`;
}

const said = (value) => (value === undefined ? "—" : String(value));
const MOST = 300;
function Compared({ before, rows }) {
  const columns = [
    { key: "place", title: t("books.place"), cell: ({ place }) => html`<span class="mono">${place}</span>` },
    { key: "before", title: t("books.before"), cell: (row) => html`<span class=${row.after === undefined ? "office-old" : ""}>${said(row.before)}</span>` },
    { key: "after", title: t("books.after"), cell: (row) => said(row.after) },
  ];
  return html`<h2>${before ? t("books.compared_with", { name: `${before.name}@${before.version}` }) : t("books.nothing_before")}</h2>
    ${rows.length > MOST && html`<p class="muted">${t("areas.first", { count: showNumber(MOST), all: showNumber(rows.length) })}</p>`}
    ${rows.length ? html`<${Table} caption=${t("books.differences")} columns=${columns} rows=${rows.slice(0, MOST)} rowKey=${({ place }) => place} />` : html`<p>${t("books.no_difference")}</p>`}`;
}
