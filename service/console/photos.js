/** Photos of a case: seen with the reader's token, and added to what was done. Read on the case's page. */

import { html, t, useEffect, useState } from "../pages/ui.js";
import { fetchFile, Problem, putFile } from "./api.js";
import { Dialog, Trouble } from "./parts.js";

const LONGEST_SIDE = 1600;
const QUALITY = 0.82;
const MOST = 20;

/** One photo, as the service gives it. of: the case whose disclosure it is; that read is on record with its purpose. */
export function Photo({ sha256, of, purpose, number = 1 }) {
  const [address, setAddress] = useState("");
  const [problem, setProblem] = useState(null);
  const [large, setLarge] = useState(false);
  useEffect(() => {
    let made;
    fetchFile(`/v1/photos/${sha256}`, { of }, { purpose }).then((blob) => setAddress((made = URL.createObjectURL(blob))), setProblem);
    return () => made && URL.revokeObjectURL(made);
  }, [sha256, of]);
  if (problem) return html`<${Trouble} problem=${problem} />`;
  if (!address) return html`<span class="photo" aria-busy="true"></span>`;
  return html`<button type="button" class="photo" onClick=${() => setLarge(true)}><img src=${address} alt=${t("photos.one", { number })} /></button>
    ${large && html`<${Dialog} title=${t("photos.one", { number })} onClose=${() => setLarge(false)}><img src=${address} alt=${t("photos.one", { number })} /><p class="mono muted">SHA-256 ${sha256}</p></${Dialog}>`}`;
}

/** The photos that stand in the case itself; those that show persons are among its personal values. */
export function Photos({ case: each }) {
  if (!each.photos?.length) return null;
  return html`<h2>${t("photos.title")}</h2><div class="photos">${each.photos.map((sha256, at) => html`<${Photo} key=${sha256} sha256=${sha256} number=${at + 1} />`)}</div>`;
}

/** Photos that go with what is said: made small here, uploaded by the SHA-256 of their bytes. value: list of those. */
export function PhotoInput({ value, onChange }) {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  async function add(event) {
    const files = [...event.target.files].slice(0, MOST - value.length);
    event.target.value = "";
    setBusy(true);
    setProblem(null);
    const found = [...value];
    try {
      for (const file of files) found.push(await bring(file));
    } catch (wrong) {
      setProblem(wrong);
    }
    onChange([...new Set(found)]);
    setBusy(false);
  }
  return html`<label>${t("photos.add")} <small>${t("common.optional")}</small>
      <input type="file" accept="image/*" multiple disabled=${busy || value.length >= MOST} aria-busy=${busy} onChange=${add} />
      <small>${t("photos.why")}</small>
    </label>
    <${Trouble} problem=${problem} />
    ${value.length > 0 && html`<div class="photos">${value.map((sha256, at) => html`<figure key=${sha256}><${Photo} sha256=${sha256} number=${at + 1} /><button type="button" class="outline" onClick=${() => onChange(value.filter((each) => each !== sha256))}>${t("photos.remove")}</button></figure>`)}</div>`}`;
}

/** Makes a photo small, without what the camera wrote into it, and brings it. Gives its name. */
async function bring(file) {
  const image = await createImageBitmap(file).catch(() => {
    throw new Problem({ status: 0, code: "no_photo", detail: t("photos.unreadable", { name: file.name }) });
  });
  const scale = Math.min(1, LONGEST_SIDE / Math.max(image.width, image.height));
  const canvas = Object.assign(document.createElement("canvas"), { width: Math.round(image.width * scale), height: Math.round(image.height * scale) });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  image.close();
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
  const bytes = await blob.arrayBuffer();
  const name = [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))].map((each) => each.toString(16).padStart(2, "0")).join("");
  await putFile(`/v1/photos/${name}`, blob);
  return name;
}
