/** Who works: enrolment with a code or a QR code, and the PIN that keeps workers of one device apart. */

import { Field, html, t, useEffect, useRef, useState } from "../pages/ui.js";
import { addWorker, locked, logIn, pauseOf, sync, tablet, workers } from "./state.js";

/** The code that an address or a QR code carries: <base>/tablet/#enrol=<code>. */
export const codeOf = (scanned) => decodeURIComponent(scanned.split("#enrol=")[1] ?? scanned);

const EXPLAINED = new Set(["code_unknown", "code_used", "code_expired", "code_locked", "too_many_attempts", "no_assignment"]);

function whyNot(fault) {
  if (fault.name === "Unreachable") return t("enrol.why.offline");
  if (EXPLAINED.has(fault.code)) return t(`enrol.why.${fault.code}`);
  return t("enrol.failed", { what: fault.facts?.detail ?? fault.message });
}

export function Enrol({ first }) {
  const [code, setCode] = useState(location.hash.startsWith("#enrol=") ? codeOf(location.hash) : "");
  const [name, setName] = useState("");
  const [pin, setPin] = useState("");
  const [wrong, setWrong] = useState("");
  const [busy, setBusy] = useState(false);

  async function enrol(event) {
    event.preventDefault();
    setBusy(true);
    setWrong("");
    try {
      await addWorker({ code, name, pin });
    } catch (fault) {
      setWrong(whyNot(fault));
      setBusy(false);
    }
  }

  return html`<main class="container">
    <h1 tabindex="-1">${t("enrol.title")}</h1>
    <p>${t("enrol.explain")}</p>
    <form onSubmit=${enrol}>
      <${Scanner} onCode=${(found) => setCode(codeOf(found))} />
      <${Field} label=${t("enrol.code")} value=${code} onInput=${setCode} required autocomplete="off" autocapitalize="characters" spellcheck=${false} maxlength="80" />
      <${Field} label=${t("enrol.name")} value=${name} onInput=${setName} required maxlength="40" autocomplete="off" />
      <${Field}
        label=${t("enrol.pin")}
        value=${pin}
        onInput=${setPin}
        required
        type="password"
        inputmode="numeric"
        pattern="[0-9]{4,8}"
        title=${t("enrol.pin")}
        autocomplete="new-password"
        why=${t("enrol.pinWhy")}
      />
      <div role="alert">${wrong && html`<p class="wrong">${wrong}</p>`}</div>
      <button aria-busy=${busy} disabled=${busy}>${t("enrol.go")}</button>
      ${!first && html`<button type="button" class="secondary" onClick=${() => (location.hash = "/")}>${t("common.cancel")}</button>`}
    </form>
  </main>`;
}

function Scanner({ onCode }) {
  const [scanning, setScanning] = useState(false);
  const [wrong, setWrong] = useState("");
  const video = useRef(null);
  useEffect(() => {
    if (!scanning) return undefined;
    let scanner;
    let isOver = false;
    (async () => {
      try {
        const { default: QrScanner } = await import("../vendor/qr-scanner.js");
        if (isOver) return;
        scanner = new QrScanner(
          video.current,
          ({ data }) => {
            setScanning(false);
            onCode(data);
          },
          {},
        );
        await scanner.start();
      } catch {
        setScanning(false);
        setWrong(t("enrol.camera"));
      }
    })();
    return () => {
      isOver = true;
      scanner?.destroy();
    };
  }, [scanning]);
  return html`
    ${scanning && html`<video ref=${video} class="camera" muted playsinline></video>`}
    <button type="button" class="secondary" onClick=${() => setScanning(!scanning)}>${t(scanning ? "enrol.stop" : "enrol.scan")}</button>
    <div role="alert">${wrong && html`<p class="wrong">${wrong}</p>`}</div>
  `;
}

/** The lock: whose turn it is, and their PIN. */
export function Who() {
  const here = tablet.value?.name;
  const [chosen, choose] = useState(here ?? (workers.value.length === 1 ? workers.value[0].id : ""));
  const [pin, setPin] = useState("");
  const [wrong, setWrong] = useState("");
  const [busy, setBusy] = useState(false);

  async function open(event) {
    event.preventDefault();
    const worker = workers.value.find(({ id }) => id === chosen);
    setBusy(true);
    setWrong("");
    const isRight = await logIn(worker, pin);
    setPin("");
    if (isRight) return;
    setBusy(false);
    const pause = pauseOf(workers.value.find(({ id }) => id === chosen));
    setWrong(pause ? t("who.pause", { seconds: Math.ceil(pause / 1000) }) : t("who.wrong"));
  }

  return html`<main class="container">
    <h1 tabindex="-1">${t(locked.value ? "who.locked" : "who.title")}</h1>
    <form onSubmit=${open}>
      <fieldset class="choice">
        <legend class="hidden">${t("who.title")}</legend>
        ${workers.value.map(
          ({ id, name }) => html`<label class="tile">
            <input type="radio" name="worker" required checked=${chosen === id} onChange=${() => choose(id)} />
            <span>${name}</span>
          </label>`,
        )}
      </fieldset>
      <${Field} label=${t("who.pin")} value=${pin} onInput=${setPin} required type="password" inputmode="numeric" maxlength="8" autocomplete="current-password" />
      <div role="alert">${wrong && html`<p class="wrong">${wrong}</p>`}</div>
      <button aria-busy=${busy} disabled=${busy || !chosen}>${t("who.open")}</button>
      <button type="button" class="secondary" onClick=${() => (location.hash = "/enrol")}>${t("who.another")}</button>
    </form>
  </main>`;
}

/** Where the service knows this tablet no more: a new code, the same key, and everything is sent again. */
export function Renew() {
  const [code, setCode] = useState("");
  const [wrong, setWrong] = useState("");
  const [busy, setBusy] = useState(false);

  async function renew(event) {
    event.preventDefault();
    setBusy(true);
    setWrong("");
    try {
      await tablet.value.enrolAgain(code);
      sync();
      location.hash = "/";
    } catch (fault) {
      setWrong(fault.code === "known_tablet" ? t("enrol.known") : whyNot(fault));
      setBusy(false);
    }
  }

  return html`<main class="container">
    <h1 tabindex="-1">${t("enrol.again")}</h1>
    <p>${t("sync.expired")}</p>
    <form onSubmit=${renew}>
      <${Scanner} onCode=${(found) => setCode(codeOf(found))} />
      <${Field} label=${t("enrol.code")} value=${code} onInput=${setCode} required autocomplete="off" autocapitalize="characters" spellcheck=${false} maxlength="80" />
      <div role="alert">${wrong && html`<p class="wrong">${wrong}</p>`}</div>
      <button aria-busy=${busy} disabled=${busy}>${t("enrol.go")}</button>
    </form>
  </main>`;
}
