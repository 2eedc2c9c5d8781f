/** Who works: enrolment with a code or a QR code, and the PIN that keeps workers of one device apart. */

import { addWorker, leave, logIn, tablet, workers } from "./state.js";
import { Field, html, signal, t, useEffect, useState } from "../pages/ui.js";

const scanning = signal(false);

/** The code that an address or a QR code carries: <base>/tablet/#enrol=<code>. */
export const codeOf = (scanned) => decodeURIComponent(scanned.split("#enrol=")[1] ?? scanned);

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
      location.hash = "/";
    } catch (fault) {
      setWrong(fault.facts?.detail ?? fault.message);
    }
    setBusy(false);
  }

  return html`<main class="container">
    <h1>${t("enrol.title")}</h1>
    <p>${t("enrol.explain")}</p>
    <form onSubmit=${enrol}>
      <${Scanner} onCode=${(found) => setCode(codeOf(found))} />
      <${Field} label=${t("enrol.code")} value=${code} onInput=${setCode} required autocomplete="off" autocapitalize="characters" maxlength="80" />
      <${Field} label=${t("enrol.name")} value=${name} onInput=${setName} required maxlength="40" autocomplete="off" />
      <${Field}
        label=${t("enrol.pin")}
        value=${pin}
        onInput=${setPin}
        required
        type="password"
        inputmode="numeric"
        pattern="[0-9]{4,8}"
        autocomplete="new-password"
        why=${t("enrol.pinWhy")}
      />
      ${wrong && html`<p role="alert" class="wrong">${t("enrol.failed", { what: wrong })}</p>`}
      <button aria-busy=${busy} disabled=${busy}>${t("enrol.go")}</button>
      ${!first && html`<button type="button" class="secondary" onClick=${() => (location.hash = "/")}>${t("common.cancel")}</button>`}
    </form>
  </main>`;
}

function Scanner({ onCode }) {
  const [wrong, setWrong] = useState("");
  useEffect(() => {
    if (!scanning.value) return undefined;
    let scanner;
    (async () => {
      try {
        const { default: QrScanner } = await import("../vendor/qr-scanner.js");
        scanner = new QrScanner(document.getElementById("camera"), ({ data }) => {
          scanning.value = false;
          onCode(data);
        }, {});
        await scanner.start();
      } catch (fault) {
        scanning.value = false;
        setWrong(t("enrol.camera", { what: fault.message ?? fault }));
      }
    })();
    return () => scanner?.destroy();
  }, [scanning.value]);
  return html`
    ${scanning.value && html`<video id="camera" class="camera" muted playsinline></video>`}
    <button type="button" class="secondary" onClick=${() => (scanning.value = !scanning.value)}>${t(scanning.value ? "enrol.stop" : "enrol.scan")}</button>
    ${wrong && html`<p role="alert" class="wrong">${wrong}</p>`}
  `;
}

export function Who() {
  const [chosen, choose] = useState(workers.value.length === 1 ? workers.value[0].id : "");
  const [pin, setPin] = useState("");
  const [wrong, setWrong] = useState(false);
  const [busy, setBusy] = useState(false);

  async function open(event) {
    event.preventDefault();
    setBusy(true);
    const right = await logIn(workers.value.find(({ id }) => id === chosen), pin);
    setBusy(false);
    setWrong(!right);
    setPin("");
  }

  return html`<main class="container">
    <h1>${t("who.title")}</h1>
    <form onSubmit=${open}>
      <fieldset class="choice">
        ${workers.value.map(
          ({ id, name }) => html`<label class="tile">
            <input type="radio" name="worker" required checked=${chosen === id} onChange=${() => choose(id)} />
            <span>${name}</span>
          </label>`,
        )}
      </fieldset>
      <${Field} label=${t("who.pin")} value=${pin} onInput=${setPin} required type="password" inputmode="numeric" autocomplete="current-password" />
      ${wrong && html`<p role="alert" class="wrong">${t("who.wrong")}</p>`}
      <button aria-busy=${busy} disabled=${busy || !chosen}>${t("who.open")}</button>
      <button type="button" class="secondary" onClick=${() => (location.hash = "/enrol")}>${t("who.another")}</button>
    </form>
  </main>`;
}

export const Leave = () => tablet.value && html`<button class="plain" onClick=${leave}>${t("who.leave")}</button>`;
