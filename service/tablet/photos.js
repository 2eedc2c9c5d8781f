/** Photos: made smaller on the tablet, kept with the form, named by their SHA-256, and sent apart once the form is stored. */

import { html, say, t, useEffect, useState } from "../pages/ui.js";
import { Full } from "./gridtrail-sync.js";
import { dropPhoto, keepPhoto, photoOf } from "./drafts.js";
import { online, tablet } from "./state.js";

const LONGEST_SIDE = 1600;
const QUALITY = 0.8;
export const MOST_PHOTOS = 20;

/** The picture at most 1,600 pixels wide and high, as JPEG without the camera's notes (where, when, which device). */
export async function smaller(file) {
  const picture = await createImageBitmap(file);
  const scale = Math.min(1, LONGEST_SIDE / Math.max(picture.width, picture.height));
  const canvas = Object.assign(document.createElement("canvas"), { width: Math.round(picture.width * scale), height: Math.round(picture.height * scale) });
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("JPEG"))), "image/jpeg", QUALITY));
}

/** Gives a form's photos to the outbox, before the entry that names them. Error where a photo's bytes are not those that were named. */
export async function handOver(names) {
  for (const name of names) {
    const blob = await photoOf(name);
    if (!blob || (await tablet.value.addPhoto(blob)) !== name) throw new Error(t("report.photoLost"));
  }
}

/** Names of photos that are kept already, and a way to add one. */
export function Photos({ names, onChange }) {
  const [busy, setBusy] = useState(false);
  async function add(event) {
    const input = event.target;
    setBusy(true);
    try {
      const added = [];
      for (const file of input.files) added.push(await keepPhoto(await smaller(file)));
      onChange([...new Set([...names, ...added])].slice(0, MOST_PHOTOS));
    } catch (fault) {
      say(fault.name === "QuotaExceededError" || fault instanceof Full ? t("storage.full") : t("report.photoBad"));
    }
    input.value = "";
    setBusy(false);
  }
  function remove(name) {
    dropPhoto(name);
    onChange(names.filter((each) => each !== name));
  }

  return html`<label class="file">
      <span role="presentation" aria-busy=${busy}>${t("report.photo")} <small>${t("common.optional")}</small></span>
      <input type="file" accept="image/*" capture="environment" multiple disabled=${busy || names.length >= MOST_PHOTOS} onChange=${add} />
      <small>${t("report.photoWhy")}</small>
    </label>
    ${names.length > 0 &&
    html`<ul class="photos">
      ${names.map(
        (name, at) => html`<li key=${name}>
          <${Thumbnail} name=${name} alt=${t("report.photoAt", { at: at + 1 })} />
          <button type="button" class="plain" onClick=${() => remove(name)}>${t("report.photoGone", { at: at + 1 })}</button>
        </li>`,
      )}
    </ul>`}`;
}

function Thumbnail({ name, alt }) {
  const [url, setUrl] = useState("");
  useEffect(() => {
    let made;
    photoOf(name).then((blob) => blob && setUrl((made = URL.createObjectURL(blob))));
    return () => made && URL.revokeObjectURL(made);
  }, [name]);
  return url && html`<img src=${url} alt=${alt} />`;
}

/** The photos of a case, fetched when they are asked for; of: the case, where they are kept apart. */
export function CasePhotos({ names, of }) {
  const [urls, setUrls] = useState([]);
  const [wrong, setWrong] = useState("");
  const [busy, setBusy] = useState(false);
  useEffect(() => () => urls.forEach(URL.revokeObjectURL), [urls]);
  if (!names.length) return null;

  async function show() {
    setBusy(true);
    setWrong("");
    try {
      const found = [];
      for (const name of names) {
        const blob = await (await tablet.value.ask("GET", `/v1/photos/${name}${of ? `?of=${of}` : ""}`)).blob();
        if (!blob.type.startsWith("image/")) throw new Error(blob.type);
        found.push(URL.createObjectURL(blob));
      }
      setUrls(found);
    } catch {
      setWrong(t("report.photoAway"));
    }
    setBusy(false);
  }

  if (urls.length) return html`<ul class="photos large">${urls.map((url, at) => html`<li key=${url}><img src=${url} alt=${t("report.photoAt", { at: at + 1 })} /></li>`)}</ul>`;
  return html`<button type="button" class="secondary" aria-busy=${busy} disabled=${busy || !online.value} onClick=${show}>${t("case.photos", { count: names.length })}</button>
    <div role="status">${wrong && html`<p class="wrong">${wrong}</p>`}</div>`;
}
