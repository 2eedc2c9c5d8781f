/** Photos: made smaller on the tablet, kept with the outbox, sent apart. */

import { html, t, useEffect, useState } from "../pages/ui.js";

const LONGEST_SIDE = 1600;
const QUALITY = 0.8;

/** The picture at most 1,600 pixels wide and high, as JPEG without the camera's notes (where, when, which device). */
export async function smaller(file) {
  const picture = await createImageBitmap(file);
  const scale = Math.min(1, LONGEST_SIDE / Math.max(picture.width, picture.height));
  const canvas = Object.assign(document.createElement("canvas"), { width: Math.round(picture.width * scale), height: Math.round(picture.height * scale) });
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("JPEG"))), "image/jpeg", QUALITY));
}

/** Names of photos that are kept already, and a way to add one. */
export function Photos({ tablet, names, onChange }) {
  async function add(event) {
    const added = [];
    for (const file of event.target.files) added.push(await tablet.addPhoto(await smaller(file)));
    event.target.value = "";
    onChange([...new Set([...names, ...added])].slice(0, 20));
  }
  return html`<label>
      ${t("report.photo")} <small>${t("common.optional")}</small>
      <input type="file" accept="image/*" capture="environment" multiple onChange=${add} />
      <small>${t("report.photoWhy")}</small>
    </label>
    <div class="photos">${names.map((name) => html`<${Thumbnail} key=${name} tablet=${tablet} name=${name} />`)}</div>`;
}

function Thumbnail({ tablet, name }) {
  const [url, setUrl] = useState("");
  useEffect(() => {
    let made;
    tablet.store.get("photos", name).then((photo) => {
      if (photo?.content) setUrl((made = URL.createObjectURL(new Blob([photo.content], { type: "image/jpeg" }))));
    });
    return () => made && URL.revokeObjectURL(made);
  }, [name]);
  return url && html`<img src=${url} alt=${t("report.photo")} />`;
}
