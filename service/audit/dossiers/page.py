"""The readable page of a dossier, made from its lines and nothing else. Goes into verify.py: standard library only.

The service writes the page with this code, and the verifier writes it again from the lines and compares the bytes.
"""

import base64
import hashlib
import html
import json
from datetime import datetime, timedelta, timezone

from service.audit.dossiers.words import (
    DEADLINES,
    FIELDS,
    HOW,
    LANGUAGES,
    PAGE,
    PROVEN,
    STEP_OF,
    STEPS,
    TOPICS,
    UNITS_OF_TIME,
    UNPROVEN,
    VALUES,
)

UTC = timezone.utc  # noqa: UP017 - Python 3.9 knows no datetime.UTC
KNOWN_ELSEWHERE = {"by", "role", "tablet", "happened_at", "day", "area", "holder", "from_holder", "entry", "data", "photos", "personal"}
KNOWN_ELSEWHERE |= {"overtime", *DEADLINES}
SIGNS = {"ed25519": "Ed25519", "p256": "ECDSA P-256"}
LATE_S = 120
"""Seconds between happening and recording from which the page says so."""


def fields_of(line):
    """What a parsed line says: said and derived fields together, the derived ones winning."""
    state = line.get("state") or {}
    entry = state.get("entry")
    said = {**entry.get("data", {}), "area": entry.get("area")} if isinstance(entry, dict) else state.get("data") or {}
    return {**said, **state}


def personal_of(line):
    """The personal fields that a parsed line names: (digest, subject, field) each."""
    named = fields_of(line).get("personal")
    return [(str(each["digest"]), str(each["subject"]), str(each["field"])) for each in named] if isinstance(named, list) else []


def digest_of_disclosure(disclosure):
    """The digest that stands for a disclosure (RFC 9901 section 4.2.3): base64url of the SHA-256 of its text."""
    return base64.urlsafe_b64encode(hashlib.sha256(disclosure.encode("ascii")).digest()).decode().rstrip("=")


def open_disclosure(disclosure):
    """(field, value) of a disclosure, base64url of a JSON array [salt, field, value]. ValueError where it is none."""
    told = json.loads(base64.b64decode(disclosure + "=" * (-len(disclosure) % 4), altchars=b"-_", validate=True))
    if not (isinstance(told, list) and len(told) == 3 and isinstance(told[0], str) and isinstance(told[1], str)):
        raise ValueError("a disclosure is [salt, field, value]")
    return told[1], told[2]


class Facts:
    """All that the page tells, taken from the parts of a dossier.

    lines        (ledger, position) → parsed line
    disclosures  digest → disclosure text, of those that are opened
    photos       SHA-256 → path in the dossier, of those whose bytes are there
    seals        (tablet, seq) → size of the tree that the tablet sealed
    logs         ledger → {"origin", "size", "root", "rooted": position in the root log or None, "signatures": number of lines}
    """

    def __init__(self, case, ledger, zone, searched, lines, disclosures, photos, seals, logs):
        self.case, self.ledger, self.zone, self.searched = case, ledger, zone, searched
        self.lines, self.disclosures, self.photos, self.seals, self.logs = lines, disclosures, photos, seals, logs
        placed = sorted(lines.items())
        self.steps = sorted(
            ((place, line) for place, line in placed if line["stream"] == case and place[0] == ledger), key=lambda each: each[1]["version"]
        )
        self.refusals = [each for each in placed if each[1]["topic"].startswith("refused.")]
        self.tablets = [each for each in placed if each[1]["topic"].startswith("tablet.")]
        self.erased = {line["stream"] for _, line in placed if line["topic"] == "subject.erased"}
        self.names, self.categories = {}, {}
        for _, line in placed:
            if line["topic"] in ("area.registered", "area.changed") and fields_of(line).get("name"):
                self.names[fields_of(line)["code"]] = fields_of(line)["name"]
            if line["topic"] == "rulebook.published" and fields_of(line).get("kind") == "categories":
                book = fields_of(line)["content"]
                named = ((f"{book['scheme']}/{book['version']}/{code}", names) for code, names in book["codes"].items())
                self.categories.update({code: (names.get("name"), names.get("zh") or names.get("name")) for code, names in named})

    def all(self, *topics):
        """The fields of the case's steps of some topics, in order."""
        return [fields_of(line) for _, line in self.steps if line["topic"] in topics]

    def local(self, moment):
        """A UTC text as the city's wall clock: (day, time with seconds, offset)."""
        minutes = offset_at(self.zone, moment)
        wall = read_utc(moment) + timedelta(minutes=minutes)
        sign, rest = "-" if minutes < 0 else "+", abs(minutes)
        return wall.strftime("%Y-%m-%d"), wall.strftime("%H:%M:%S"), f"{sign}{rest // 60:02d}:{rest % 60:02d}"


def read_utc(text):
    """The moment of a UTC text such as 2026-11-21T01:03:12.123Z."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def offset_at(zone, moment):
    """Minutes that the city's wall clock was ahead of UTC at a moment: of the last change that is not later."""
    found = zone["offsets"][0][1]
    for begins, minutes in zone["offsets"]:
        if begins <= moment:
            found = minutes
    return found


class Page:
    """One page in one language."""

    def __init__(self, facts, language):
        self.facts, self.at = facts, LANGUAGES.index(language)
        self.language = language
        self.out = []

    # ---- words

    def word(self, name):
        return PAGE[name][self.at]

    def value(self, value):
        """A value of a closed list in this language, or as it stands."""
        if isinstance(value, (str, bool)) and value in VALUES:
            return esc(VALUES[value][self.at])
        if isinstance(value, dict):
            return esc(", ".join(f"{name}: {self.plain(each)}" for name, each in value.items()))
        if isinstance(value, list):
            return esc(", ".join(self.plain(each) for each in value))
        return esc(value)

    def plain(self, value):
        return VALUES[value][self.at] if isinstance(value, str) and value in VALUES else str(value)

    def topic(self, line):
        """What a line's topic is called."""
        return esc(TOPICS[line["topic"]][self.at] if line["topic"] in TOPICS else line["topic"])

    def unit(self, unit):
        """A unit or area: its name where a line of the dossier gives one, and its code."""
        area = str(unit).partition("/")[0]
        name = self.facts.names.get(area)
        named = f"{name} " if name else ""
        return f'{esc(named)}<span class="code">{esc(unit)}</span>'

    def moment(self, moment):
        """A UTC text as the city's time."""
        day, clock, offset = self.facts.local(moment)
        return f'<time datetime="{esc(moment)}">{day} {clock}</time> <span class="code">{offset}</span>'

    def person(self, fields):
        by, role = str(fields.get("by")), fields.get("role")
        if by == "system":
            return self.value("system")
        return f'{self.value(role)} <span class="code">{esc(by)}</span>'

    # ---- the page

    def write(self):
        """The whole page."""
        facts, title = self.facts, f"{self.word('title')} {self.facts.case}"
        other = "zh" if self.language == "en" else "en"
        self.out = [
            f'<!DOCTYPE html>\n<html lang="{"zh-CN" if self.language == "zh" else "en"}">\n<head>\n<meta charset="utf-8">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src 'self' file: data:; ",
            "style-src 'unsafe-inline'\">\n",
            f"<title>{esc(title)}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n",
            f'<p class="other"><a href="index.{other}.html" lang="{other}">{self.word("other")}</a></p>\n',
            f"<h1>{self.word('title')}</h1>\n",
        ]
        self.head()
        self.out.append("</header>\n<main>\n")
        self.timeline()
        self.refused()
        self.tablets()
        self.proofs()
        self.plain_words()
        end = f"{self.word('page')} {esc(facts.case)} · {self.word('zone')} ({esc(facts.zone['name'])})"
        self.out.append(f"</main>\n<footer><p>{end}</p></footer>\n</body>\n</html>\n")
        return "".join(self.out)

    def section(self, name):
        self.out.append(f'<h2 id="{name}">{self.word(name)}</h2>\n')

    def table(self, rows):
        self.out.append("<dl>\n")
        self.out.extend(f"<div><dt>{term}</dt><dd>{told}</dd></div>\n" for term, told in rows if told)
        self.out.append("</dl>\n")

    def head(self):
        """Where the case stands, each fact from the recorded steps."""
        facts = self.facts
        first, last = facts.steps[0][1], facts.steps[-1][1]
        reported = fields_of(first)
        summary = reported.get("summary") or self.opened(first, "summary")
        if summary:
            self.out.append(f'<p class="summary">{esc(summary)}</p>\n')
        registered, handled = facts.all("case.registered", "case.reopened"), facts.all("case.handled", "case.self_handled")
        due = [fields["due_at"] for fields in facts.all(*TOPICS) if fields.get("due_at")]
        ratings = facts.all("case.evaluated")
        closed = [fields_of(last)] if last["topic"] == "case.closed" else []
        count = [len(facts.all(topic)) for topic in ("case.extended", "case.returned", "case.reworked")]
        limits = [fields["limit"] for fields in registered if fields.get("limit")]
        self.table(
            [
                (self.word("case"), f'<span class="code">{esc(facts.case)}</span>'),
                (self.word("area"), self.unit(reported["area"])),
                (FIELDS["category"][self.at], self.category(reported.get("category", ""))),
                (FIELDS["urgency"][self.at], self.value(reported.get("urgency") or "normal")),
                (self.word("reported"), f"{self.moment(reported['happened_at'])}<br>{self.person(reported)}"),
                (self.word("holder"), self.unit(fields_of(last).get("holder"))),
                (self.word("last"), f"{self.topic(last)}, {self.moment(fields_of(last)['happened_at'])}"),
                (self.word("limit"), self.limit(limits[-1]) if limits else self.word("not_yet")),
                (self.word("due"), self.moment(due[-1]) if due else self.word("not_yet")),
                (self.word("handled"), self.moment(handled[-1]["happened_at"]) if handled else self.word("not_yet")),
                (self.word("closed"), self.moment(closed[-1]["happened_at"]) if closed else self.word("not_yet")),
                (self.word("overtime"), self.overtime()),
                (self.word("rating"), self.value(ratings[-1]["rating"]) if ratings else self.word("not_yet")),
                (self.word("counts"), ", ".join(map(str, count))),
            ]
        )

    def category(self, category):
        """The category's code, and its name where the book that was published stands in the dossier."""
        name = self.facts.categories.get(category, (None, None))[self.at]
        told = f"{esc(str(name).replace('_', ' '))} " if name else ""
        return f'{told}<span class="code">{esc(category)}</span>'

    def limit(self, limit):
        return f"{esc(limit.get('amount'))} {self.value(limit.get('kind'))}"

    def overtime(self):
        """Which steps were recorded as late: a fact that stays, also where an appeal exempts it."""
        late = [line for _, line in self.facts.steps if fields_of(line).get("overtime") is True]
        if not late:
            return self.word("none")
        steps = ", ".join(f"{line['version']} {self.topic(line)}" for line in late)
        told = f'<span class="late">{self.word("late_steps")}: {steps}</span>'
        return f"{told}<br>{self.word('exempted')}" if self.facts.all("case.overtime_exempted") else told

    def timeline(self):
        self.section("timeline")
        legend = "".join(f'<li class="{step}">{names[self.at]}</li>' for step, names in STEPS.items())
        self.out.append(f'<ul class="legend">{legend}</ul>\n<ol class="steps">\n')
        for place, line in self.facts.steps:
            self.step(place, line)
        self.out.append("</ol>\n")

    def step(self, place, line):
        fields = fields_of(line)
        step = STEP_OF.get(line["topic"].partition(".")[2], "report")
        late = f' <strong class="late">{self.word("late")}</strong>' if fields.get("overtime") is True else ""
        self.out.append(f'<li class="{step}">\n<h3><span class="number">{line["version"]}</span> {self.topic(line)}{late}</h3>\n')
        self.out.append(f'<p class="when">{self.moment(fields["happened_at"])}</p>\n')
        gave = f", {self.word('gave')} {self.unit(fields['from_holder'])}" if fields.get("from_holder") else ""
        tablet = f'<span class="code">{esc(fields["tablet"])}</span>' if fields.get("tablet") else self.word("console")
        rows = [
            (self.word("who"), f"{self.person(fields)}<br>{self.word('tablet') if fields.get('tablet') else ''} {tablet}"),
            (self.word("holds"), f"{self.unit(fields['holder'])}{gave}" if fields.get("holder") else ""),
            *((names[self.at], self.moment(fields[name])) for name, names in DEADLINES.items() if fields.get(name)),
            *self.said(fields),
            *self.personal(line),
            (self.word("photos"), self.photos(fields.get("photos"))),
            (self.word("recorded"), self.recorded(line, fields)),
            (self.word("line"), self.where(place, line)),
        ]
        self.table(rows)
        self.out.append("</li>\n")

    def said(self, fields):
        """What was said, and what the service derived, beside what has a place of its own."""
        names = [*(name for name in FIELDS if name in fields), *sorted(set(fields) - set(FIELDS) - KNOWN_ELSEWHERE)]
        for name in names:
            value = fields[name]
            if value is None or value == "" or value == []:
                continue
            label = FIELDS[name][self.at] if name in FIELDS else esc(name)
            if name == "limit" and isinstance(value, dict):
                yield label, self.limit(value)
            elif name == "category":
                yield label, self.category(value)
            elif name in ("to", "lead", "unit", "registrar"):
                yield label, self.unit(value)
            elif name == "assists" and isinstance(value, list):
                yield label, "<br>".join(self.unit(each) for each in value)
            else:
                yield label, self.value(value)

    def personal(self, line):
        for digest, subject, field in personal_of(line):
            disclosure = self.facts.disclosures.get(digest)
            label = f"{self.word('personal')}: {esc(FIELDS[field][self.at] if field in FIELDS else field)}"
            if disclosure is not None:
                yield label, f'<span class="personal">{self.value(open_disclosure(disclosure)[1])}</span>'
            elif subject in self.facts.erased:
                yield label, f'<span class="erased">{self.word("erased")}</span>'
            else:
                yield label, f'<span class="digest">{self.word("digest")} <span class="code">{esc(digest)}</span></span>'

    def opened(self, line, field):
        """The value of a line's personal field where the dossier opens it."""
        for digest, _, name in personal_of(line):
            if name == field and digest in self.facts.disclosures:
                return open_disclosure(self.facts.disclosures[digest])[1]
        return None

    def photos(self, photos):
        told = []
        for sha256 in photos if isinstance(photos, list) else []:
            path = self.facts.photos.get(sha256)
            picture = f'<img src="{esc(path)}" alt="{esc(sha256)}">' if path else f"<em>{self.word('photo_absent')}</em>"
            told.append(f'<figure>{picture}<figcaption class="code">SHA-256 {esc(sha256)}</figcaption></figure>')
        return "".join(told)

    def recorded(self, line, fields):
        told = self.moment(line["recorded_at"])
        behind = (read_utc(line["recorded_at"]) - read_utc(fields["happened_at"])).total_seconds()
        return f'{told} <em class="behind">{self.word("later")} ({duration(behind, self.at)})</em>' if behind >= LATE_S else told

    def where(self, place, line):
        path = f"ledgers/{place[0]}/{place[1]}.json"
        told = f'<a class="code" href="{path}">{path}</a>'
        state = line.get("state") or {}
        seq = seq_of(line)
        if seq is not None and (state.get("tablet"), seq) in self.facts.seals:
            entry = f"tablets/{state['tablet']}/{seq}.entry"
            told += f'<br>{self.word("entry")} <a class="code" href="{entry}">{entry}</a>'
        return told

    def refused(self):
        self.section("refusals")
        searched = esc(", ".join(self.facts.searched))
        if not self.facts.refusals:
            self.out.append(f"<p>{self.word('refusals_none')} {searched}</p>\n")
            return
        self.out.append(f'<p>{self.word("refusals_in")} {searched}</p>\n<ol class="steps plain">\n')
        for place, line in self.facts.refusals:
            state = line["state"]
            kind = state.get("kind")
            self.out.append(f'<li class="refusal">\n<h3>{self.topic(line)}</h3>\n')
            self.table(
                [
                    (self.word("at"), self.moment(state["happened_at"])),
                    (self.word("who"), self.person(state)),
                    (self.word("asked"), esc(TOPICS[kind][self.at] if isinstance(kind, str) and kind in TOPICS else kind or "")),
                    (self.word("code"), esc(state.get("code") or "")),
                    ("", esc(state.get("detail") or "")),
                    (FIELDS["reason"][self.at], esc(fields_of(line).get("reason") or "") if line["topic"] != "refused.kept" else ""),
                    (self.word("recorded"), self.moment(line["recorded_at"])),
                    (self.word("line"), self.where(place, line)),
                ]
            )
            self.out.append("</li>\n")
        self.out.append("</ol>\n")

    def tablets(self):
        self.section("tablets")
        if not self.facts.tablets:
            self.out.append(f"<p>{self.word('tablets_none')}</p>\n")
        for place, line in self.facts.tablets:
            fields = fields_of(line)
            self.out.append(f'<div class="tablet">\n<h3>{self.topic(line)}</h3>\n')
            sealed = f"{fields['size']} {self.word('seal_of')}" if line["topic"] == "tablet.uploaded" else ""
            self.table(
                [
                    (self.word("tablet"), f'<span class="code">{esc(line["stream"])}</span>'),
                    (self.word("who"), f'<span class="code">{esc(fields.get("person") or "")}</span>' if fields.get("person") else ""),
                    (self.word("at"), self.moment(fields["happened_at"])),
                    (self.word("key"), self.key_of(fields)),
                    (self.word("seal"), sealed),
                    (FIELDS["reason"][self.at], esc(fields.get("reason") or "")),
                    (self.word("line"), self.where(place, line)),
                ]
            )
            self.out.append("</div>\n")

    def key_of(self, fields):
        """The key that a tablet was enrolled with, and what it signs with; nothing of other facts."""
        if not fields.get("public_key"):
            return ""
        return f'{esc(SIGNS.get(fields["algorithm"], fields["algorithm"]))} <span class="code">{esc(fields["public_key"])}</span>'

    def proofs(self):
        self.section("proofs")
        for ledger, log in sorted(self.facts.logs.items()):
            count = sum(1 for place in self.facts.lines if place[0] == ledger)
            rooted = self.word("no_root_log")
            if log["rooted"] is not None:
                rooted = f"{self.word('in_root_log')} {log['rooted']}, {log['signatures']} {self.word('signatures')}"
            self.out.append(f'<div class="log">\n<h3>{self.word("ledger")} {esc(ledger)}</h3>\n')
            self.table(
                [
                    ("", f'<span class="code">{esc(log["origin"])}</span>'),
                    ("", f'{log["size"]} {self.word("size")}, {self.word("root")} <span class="code">{esc(log["root"])}</span>'),
                    (self.word("line"), str(count)),
                    ("", rooted),
                ]
            )
            self.out.append("</div>\n")

    def plain_words(self):
        for name, sentences in (("proven", PROVEN), ("unproven", UNPROVEN), ("verify", HOW)):
            self.section(name)
            items = "".join(f"<li>{esc(each[self.at])}</li>\n" for each in sentences)
            self.out.append(f'<ul class="{name}">\n{items}</ul>\n')


def seq_of(line):
    """The sequence of the tablet's entry that a line holds, None where it holds none."""
    state = line.get("state") or {}
    if line["topic"] == "refused.kept":
        return state.get("seq")
    entry = state.get("entry")
    return entry.get("seq") if isinstance(entry, dict) else None


def duration(seconds, language):
    """Seconds as days and hours, or hours and minutes."""
    days, rest = divmod(int(seconds // 60), 1440)
    hours, minutes = divmod(rest, 60)
    counts = list(zip((days, hours, minutes), UNITS_OF_TIME))  # noqa: B905 - Python 3.9 knows no strict
    shown = counts[:2] if days else counts[1:] if hours else counts[2:]
    return " ".join(f"{count} {names[language]}" for count, names in shown)


def esc(value):
    """Text as HTML."""
    return html.escape("" if value is None else str(value))


STYLE = """\
:root { color-scheme: light; --ink: #1c2330; --soft: #5b6575; --line: #d8dde5; --late: #b3261e; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 52rem; padding: 1rem; color: var(--ink); background: #fff;
  font: 16px/1.5 system-ui, "Noto Sans", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2rem 0 .75rem; padding-bottom: .25rem; border-bottom: 2px solid var(--ink); }
h3 { font-size: 1rem; margin: 0 0 .25rem; }
p { margin: 0 0 .5rem; }
.other { float: right; margin: .4rem 0 0 1rem; }
.summary { font-size: 1.15rem; }
.code { font: .82em/1.4 ui-monospace, "DejaVu Sans Mono", Consolas, monospace; color: var(--soft); }
.late { color: var(--late); font-weight: 600; }
.erased { font-style: italic; }
dl { margin: 0; }
dl > div { display: grid; grid-template-columns: 11rem 1fr; gap: .15rem 1rem; padding: .2rem 0; border-top: 1px solid var(--line); }
dl > div:first-child { border-top: 0; }
dt { color: var(--soft); font-size: .9rem; }
dd { margin: 0; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 0 0 .75rem; padding: 0; font-size: .9rem; }
.legend li { padding-left: .5rem; border-left: .4rem solid var(--step); }
.steps { list-style: none; margin: 0; padding: 0; }
.steps > li, .tablet, .log { margin: 0 0 1rem; padding: .5rem 0 .5rem .9rem; border-left: .4rem solid var(--step, var(--line)); }
.steps h3 .number { color: var(--soft); font-weight: 400; }
.when { font-weight: 600; }
.report { --step: #2f6fb5; }
.transfer { --step: #8a5cb8; }
.handle { --step: #2e8b57; }
.evaluate { --step: #c08a1e; }
.refusal { --step: #b3261e; }
figure { display: inline-block; margin: .25rem .5rem .25rem 0; max-width: 16rem; vertical-align: top; }
figure img { display: block; max-width: 100%; max-height: 14rem; }
ul.proven, ul.unproven, ul.verify { padding-left: 1.2rem; }
ul.proven li, ul.unproven li, ul.verify li { margin-bottom: .4rem; }
footer { margin-top: 2rem; color: var(--soft); font-size: .85rem; }
a { color: #1d5fa8; }
@media (max-width: 34rem) {
  dl > div { grid-template-columns: 1fr; gap: 0; }
  .steps > li, .tablet, .log { padding-left: .6rem; }
}
@page { size: A4; margin: 18mm 16mm; }
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; line-height: 1.4; }
  .other { display: none; }
  a { color: inherit; text-decoration: none; }
  h2 { break-after: avoid; margin-top: 1.2rem; }
  .steps > li, .tablet, .log, figure { break-inside: avoid; }
  .steps > li, .legend li { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  dl > div { padding: .08rem 0; grid-template-columns: 9rem 1fr; }
}
"""


def pages_of(facts):
    """Both pages by their names in the dossier, as bytes."""
    return {f"index.{language}.html": Page(facts, language).write().encode() for language in LANGUAGES}
